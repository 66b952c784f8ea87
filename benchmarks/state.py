"""Cost of the live state: an event appended, its user's last 200 read; in a folder and on Redis, with and without fsync

    OMP_NUM_THREADS=1 python -m benchmarks.state [--users 500 --operations 3000 --rounds 3] [--folder DIR] [--json OUT]

One client, one thread. Every user has 200 events of some 230 bytes to begin with. Of each turn the wall time is taken,
and the time that this thread was on a core, which neighbours on a shared machine disturb less (and which knows nothing
of a disk or a server). A figure is the median over rounds, in which all rows take turns.

    in use     append one event, read the user's last 200: users whom this process has asked about before
    not in use the same, but the process knows nothing of the user: all 200 are read and decoded
    append     one event;  batch: a hundred of a hundred users in one call
    floor      what cannot be less: a bare transaction of the same bytes; a file's append with fdatasync; a PING

Redis is a server of the benchmark's own on a Unix socket, with an append-only file, `appendfsync everysec` or `always`.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import lmdb
import numpy as np

from benchmarks.machine import machine
from components.files import write_json
from components.serving.state.folder import FolderState
from components.serving.state.protocol import State
from components.serving.state.record import Record
from components.serving.state.redis import RedisState
from tests.redis_server import running

Turn = Callable[[int], object]
HISTORY = 200
FIGURES = ("p50_us", "p99_us", "core_p50_us", "core_p99_us")
BEGIN_US = 1_750_000_000_000_000
PAYLOAD = {
    "item_id": "4b058804f964a520baae22e3", "action": "check-in", "latitude": 40.7258, "longitude": -73.9921,
    "utc_offset_min": -240, "session_id": "s-1234",
}  # fmt: skip
_numbers = count()


def event(user: int) -> Record:
    """The next event of a user."""
    number = next(_numbers)
    return Record("event", f"{number:032x}", f"user-{user}", BEGIN_US + number * 1_000, BEGIN_US, PAYLOAD)


def filled(state: State, users: int) -> State:
    """Give every user a history."""
    for _ in range(HISTORY):
        for first in range(0, users, 500):
            state.append([event(user) for user in range(first, min(first + 500, users))])
    return state


def timed(turn: Turn, users: Iterator[int], before: Callable[[], object] = int) -> np.ndarray:
    """(2, turns) microseconds of each turn: by the wall, and on a core."""
    wall, core = [], []
    for user in users:
        before()
        begin, begin_core = time.perf_counter_ns(), time.thread_time_ns()
        turn(user)
        core.append(time.thread_time_ns() - begin_core)
        wall.append(time.perf_counter_ns() - begin)
    return np.array([wall, core]) / 1e3


def measured(state: State, recent: Any, users: int, operations: int, seed: int) -> dict[str, np.ndarray]:
    """One round on one store."""
    chance = np.random.default_rng(seed)
    hot = min(users, 200)
    ready = (event(0) for _ in iter(int, 1))

    def both(user: int) -> None:
        state.append([event(user)])
        if len(state.last(f"user-{user}", HISTORY)) != HISTORY:
            raise RuntimeError("a history is short")

    for user in range(hot):
        state.last(f"user-{user}", HISTORY)
    found = {"in use": timed(both, iter(chance.integers(0, hot, operations).tolist()))}
    found["not in use"] = timed(both, iter(chance.integers(0, users, operations // 10).tolist()), recent.clear)
    found["append"] = timed(lambda _: state.append([next(ready)]), iter(range(operations)))
    batches = [[event(user % users) for user in range(start, start + 100)] for start in range(operations // 10)]
    found["batch"] = timed(lambda i: state.append(batches[i]), iter(range(len(batches))))
    return found


def bare_transaction(folder: Path) -> Turn:
    """A transaction of one record and one small value, without fsync."""
    env, numbers, data = lmdb.open(str(folder / "bare"), map_size=1 << 32, sync=False), count(1), event(0).encode()

    def turn(_: int) -> None:
        with env.begin(write=True) as txn:
            txn.put(next(numbers).to_bytes(8, "big"), data)
            txn.put(b"zz", data[:32])

    return turn


def bare_flush(folder: Path) -> Turn:
    """A write of one record at a file's end, and fdatasync."""
    descriptor, data = os.open(folder / "flushed", os.O_CREAT | os.O_WRONLY | os.O_APPEND), event(0).encode()

    def turn(_: int) -> None:
        os.write(descriptor, data)
        os.fdatasync(descriptor)

    return turn


def stores(folder: Path, users: int, stack: ExitStack) -> dict[tuple[str, str], tuple[State, Any, Turn]]:
    """Filled stores by name and durability, each with its memory and its floor."""
    found: dict[tuple[str, str], tuple[State, Any, Turn]] = {}
    for durability, floor in (("process", bare_transaction(folder)), ("fsync", bare_flush(folder))):
        kept = FolderState(folder / durability, durability)
        found["folder", durability] = filled(kept, users), kept._shelf.tail.recent, floor
        always = ("--appendfsync", "always") if durability == "fsync" else ()
        server = stack.enter_context(running("--appendonly", "yes", *always))
        served = RedisState(server.url, durability, "benchmark")
        found["redis", durability] = filled(served, users), served._recent, lambda _, s=served: s._ask("PING")
    return found


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--operations", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="on the disk that is to be measured; default: the temporary one")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    before = machine()
    rounds: dict[tuple[str, str, str], list[np.ndarray]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=args.folder)))
        opened = stores(folder, args.users, stack)
        for number in range(args.rounds):
            for (store, durability), (state, recent, floor) in opened.items():
                operations = args.operations if durability == "process" else args.operations // 10
                times = measured(state, recent, args.users, operations, number)
                times["floor"] = timed(floor, iter(range(operations)))
                for what, one in times.items():
                    figures = np.percentile(one, [50, 99], axis=1).T.ravel()
                    rounds.setdefault((store, durability, what), []).append(figures)
        for state, *_ in opened.values():
            state.close()
    rows = []
    for (store, durability, what), found in rounds.items():
        medians = np.median(np.array(found), axis=0).round(1).tolist()
        rows.append(
            {"store": store, "durability": durability, "what": what, **dict(zip(FIGURES, medians, strict=True))}
        )
    order = ["in use", "not in use", "append", "batch", "floor"]
    rows.sort(key=lambda row: (row["store"], row["durability"] == "fsync", order.index(str(row["what"]))))
    said = {"users": args.users, "history": HISTORY, "operations": args.operations, "rounds": args.rounds}
    result = said | {"machine": before, "load_average_after": machine()["load_average"], "rows": rows}
    if args.json:
        write_json(args.json, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
