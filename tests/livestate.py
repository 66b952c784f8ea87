"""Stores of the live state for tests: both kinds, opened anew at will, each test with one of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from components.serving.state.folder import FolderState
from components.serving.state.protocol import State
from components.serving.state.record import Kind, Record
from components.serving.state.redis import RedisState
from tests import redis_server

NOW_US = 1_750_000_000_000_000
_names = itertools.count()


def record(id_: str, user: str = "ann", time_us: int = 1_000, kind: Kind = "event", **payload: Any) -> Record:
    """A record of a test."""
    return Record(kind, id_, user, time_us, NOW_US, payload)


def ids(stored: list[Any]) -> list[str]:
    """Ids of stored records, in their order."""
    return [one.record.id for one in stored]


class Store:
    """Where a test's state is kept: `open()` gives a handle of it, and another `open()` another."""

    def __init__(self, opens: Callable[[], State]) -> None:
        self._opens = opens
        self._opened: list[State] = []

    def open(self) -> State:
        self._opened.append(self._opens())
        return self._opened[-1]

    def close(self) -> None:
        for one in self._opened:
            one.close()


@contextmanager
def store(kind: str, folder: Path, url: str | None, clock: Callable[[], int] = lambda: NOW_US) -> Iterator[Store]:
    """A store of a kind: `folder`, or `redis` at an address."""
    name = f"test-{next(_names)}"
    if kind == "folder":
        made = Store(lambda: FolderState(folder / name, "process", clock))
    else:
        assert url is not None
        made = Store(lambda: RedisState(url, "process", name, clock))
    try:
        yield made
    finally:
        made.close()


def server(stack: ExitStack, kind: str) -> str | None:
    """Address of a server for a kind of store that needs one."""
    return stack.enter_context(redis_server.running("--appendonly", "yes")).url if kind == "redis" else None
