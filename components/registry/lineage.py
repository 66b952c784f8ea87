"""Lineage: what a model was made from, so that it can be made again.

The record holds no clock and no machine name: the same inputs give the same record, but for the run's id.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

import components
from components.errors import IntegrityError
from components.evaluation.protocol import Protocol
from components.events.watermark import watermark_of
from components.features.store import WINDOWS, Store
from components.files import digest_of, sha256_file
from components.workspace import Workspace, data_digest, environment, git_sha, params_digest


def windows_of(store: Store) -> dict[str, dict[str, int]]:
    """Window → first and last second (UTC, inclusive), events and targets; empty windows are left out."""
    code, time_s = np.asarray(store["window"]), np.asarray(store["time_s"])
    target = np.asarray(store["target"])
    found = {}
    for name, value in WINDOWS.items():
        rows = np.flatnonzero(code == value)
        if len(rows):
            found[name] = {
                "start_s": int(time_s[rows].min()),
                "stop_s": int(time_s[rows].max()),
                "events": len(rows),
                "targets": int(target[rows].sum()),
            }
    return found


def window_record(store: Store, name: str) -> dict[str, Any]:
    """What identifies a window: its span, its size, and a digest of who did something in it, and when.

    Codes are left out, since they depend on how the model was trained.
    """
    rows = np.flatnonzero(np.asarray(store["window"]) == WINDOWS[name])
    users = [str(one) for one in store.users[np.unique(store.user[rows])]]
    events = {"users": users, "time_s": np.asarray(store["time_s"])[rows].tolist()}
    return {**windows_of(store)[name], "name": name, "users": len(users), "digest": digest_of(events)}


def dvc_record(root: Path, side: Literal["deps", "outs"] = "outs") -> dict[str, dict[str, str]]:
    """Stage → path → md5 of its outputs, or of what it reads, from dvc.lock; empty where there is none."""
    path = Workspace(root).dvc_lock
    if not path.is_file():
        return {}
    try:
        record = yaml.safe_load(path.read_text()) or {}
        return {
            str(stage): {str(one["path"]): str(one.get("md5", "")) for one in entry.get(side, ())}
            for stage, entry in record.get("stages", {}).items()
        }
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise IntegrityError(f"DVC's lock in {path}", found=str(error)[:200], do="Bring it back from git.") from error


def kept_text(path: Path) -> dict[str, str] | None:
    """Text and digest of a small file, as the promotion log keeps it; None where there is none."""
    return {"sha256": sha256_file(path), "text": path.read_text()} if path.is_file() else None


def live_record(root: Path) -> dict[str, Any]:
    """What the log that the stages last read holds of the live log: `live_offset` and `until` (ISO date or None)."""
    snapshot = dvc_record(root, "deps").get("validate", {}).get("data/events")
    mark = watermark_of(root, snapshot)
    cuts = [cut for cut in (mark.until, Workspace(root).load_params().events.until) if cut is not None]
    return {"live_offset": mark.offset, "until": min(cuts).isoformat() if cuts else None}


def in_model(time_us: int, offset: int, lineage: Mapping[str, Any]) -> bool:
    """Whether an event of the live log was in the log that a model was made from.

    A tombstone is honoured by the model when its offset is no greater than `live_offset`, whatever its time.

    Parameters
    ----------
    time_us : when it happened, UTC microseconds since 1970
    offset : its place in the live log
    lineage : of the model's artifact

    Examples
    --------
    >>> in_model(0, 7, {"live_offset": 7, "until": "1970-01-02"})
    True
    >>> in_model(86_400_000_000, 7, {"live_offset": 7, "until": "1970-01-02"})
    False
    >>> in_model(0, 8, {"live_offset": 7, "until": None})
    False
    """
    if offset > int(lineage.get("live_offset", 0)):
        return False
    until = lineage.get("until")
    if until is None:
        return True
    cut = dt.datetime.combine(dt.date.fromisoformat(until), dt.time(), dt.UTC)
    return time_us < int(cut.timestamp()) * 1_000_000


def lineage(root: Path, store: Store, run_id: str | None) -> Mapping[str, Any]:
    """Where the models of a workspace come from.

    Parameters
    ----------
    root : the workspace
    store : the log that they were trained on
    run_id : of the training in MLflow, where it was logged

    Returns
    -------
    mapping
        `git_sha` of the workspace and `code` of the program (both None without git), `dvc` (stage → outputs' md5)
        and `dvc_lock` (digest), `params`, `data`, `environment` (digests), `packages`, `windows`, `run_id`. The
        artifact adds `model` and `content`, the digest of what answers queries. `protocol` is how it was judged,
        which the service keeps to (target_time, history, seen, unseen, ties). `live_offset` and `until` say what of
        the live log is in it (see `in_model`).
    """
    installed = environment()
    lock = Workspace(root).dvc_lock
    return {
        "git_sha": git_sha(root),
        "code": git_sha(Path(components.__file__).parent),
        "dvc": dvc_record(root),
        "dvc_lock": sha256_file(lock) if lock.is_file() else None,
        "params": params_digest(root),
        "protocol": Protocol.of(Workspace(root).load_params().evaluation).record(),
        "data": data_digest(root),
        **live_record(root),
        "windows": windows_of(store),
        "run_id": run_id,
        "environment": digest_of(installed),
        "packages": installed,
    }
