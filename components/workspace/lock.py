"""Who holds a workspace: one run at a time, by a lock of the kernel that goes when its process goes."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from components.errors import BusyError
from components.workspace.paths import Workspace

#: Even a taker that does not wait tries this long: `holder` looks at the lock for an instant.
_GRACE_S = 0.2
_POLL_S = 0.05


@dataclass(frozen=True)
class Holder:
    """Who holds a workspace.

    Attributes
    ----------
    pid : process
    purpose : what it is doing, as it said
    since : UTC, ISO 8601
    """

    pid: int
    purpose: str
    since: str


@contextlib.contextmanager
def hold(root: Path, purpose: str, timeout_s: float = 0.0) -> Iterator[None]:
    """Hold a workspace: one run at a time. The kernel lets go when the process ends, however it ends.

    Parameters
    ----------
    root : the workspace
    purpose : told to whoever comes second
    timeout_s : how long to wait for the other run; 0 does not wait

    Raises
    ------
    BusyError
        Another run (or another part of this process) holds the workspace; says who, what for and since when.
    """
    with hold_file(Workspace(root).lock, f"the workspace {root}", purpose, timeout_s):
        yield


@contextlib.contextmanager
def hold_file(path: Path, what: str, purpose: str, timeout_s: float = 0.0) -> Iterator[None]:
    """Hold something of a workspace by a lock file of its own; see `hold`.

    Parameters
    ----------
    path : the lock file
    what : is held by it, for the message
    purpose, timeout_s : as in `hold`
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(descriptor, path, what, timeout_s)
        # Written in place: a rename would put another file under the name, and two could hold it.
        record = {"pid": os.getpid(), "purpose": purpose, "since": dt.datetime.now(dt.UTC).isoformat("T", "seconds")}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(record).encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, what: str, timeout_s: float) -> None:
    deadline = time.monotonic() + max(timeout_s, _GRACE_S)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() < deadline:
                time.sleep(_POLL_S)
                continue
            who = _read_holder(path)
            found = (
                f"process {who.pid} is at “{who.purpose}” since {who.since}"
                if who
                else "another process has just taken it"
            )
            raise BusyError(
                f"{what} for itself",
                found=found,
                do="Wait for it to end, or end that process; the lock goes with it.",
            ) from error


def _read_holder(path: Path) -> Holder | None:
    try:
        record = json.loads(path.read_text())
        return Holder(int(record["pid"]), str(record["purpose"]), str(record["since"]))
    except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError, ValueError):
        return None


def holder(root: Path) -> Holder | None:
    """Who holds the workspace now; None when it is free."""
    path = Workspace(root).lock
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return _read_holder(path)
    finally:
        os.close(descriptor)
