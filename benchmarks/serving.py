"""Speed of live answers: in one process by kind of champion, over HTTP under load, through a swap, and for long.

    python -m benchmarks.serving [--made DIR] [--parts process,http,swap,soak] [--servers bentoml,bare]
        [--kinds memory,transformer,gate,ranker] [--over memory,gate,ranker] [--seconds 20] [--json OUT]

A workspace is made first (catalogue 10,000, histories of 200; `benchmarks/champions.py`), which takes minutes: `--made
DIR` keeps it. In process, each kind is asked of users who were asked before (`again`), after each one
event of theirs (`event`), and for the first time (`first`), with processor time of the thread beside wall time, since a
shared machine makes the wall time that of its neighbours. Over HTTP an open loop of 200 requests a second is timed from
when each was due; capacity is the largest rate with p99 at most 25 ms and no error. Clients share the machine with the
service; `cpu_ms` is processor time of the worker for each request. Prints one JSON object; of OUT, parts that are not
measured again stay as they are.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import json
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.champions import HISTORY, KINDS, USERS, champion_of, make, promote
from benchmarks.load import Wire, capacity, closed_loop, in_turns, open_loop, post
from benchmarks.machine import machine
from benchmarks.servers import Server, served
from components.files import read_json, write_json
from components.serving.answer import answer
from components.serving.champion import Champion
from components.serving.question import Question, plain
from components.workspace import Workspace

Record = dict[str, Any]
P99_MS, RATE = 25.0, 200.0
_ASKED = 40  # users who are asked in turn
_SWAP_AT, _SETTLES_S, _SWAP_PATIENCE_S = 0.4, 1.0, 120.0


def _percentiles(work: Callable[[int], object], times: int) -> dict[str, float]:
    """Milliseconds of wall and of this thread's processor: median and 99th percentile."""
    wall, own = np.empty(times), np.empty(times)
    for n in range(times):
        begin, spent = time.perf_counter(), time.thread_time()
        work(n)
        own[n], wall[n] = time.thread_time() - spent, time.perf_counter() - begin
    found = {"": wall, "cpu_": own}
    return {
        f"{name}p{p}_ms": round(float(np.percentile(of, p)) * 1e3, 3) for name, of in found.items() for p in (50, 99)
    }


def in_process(champion: Champion, times: int) -> dict[str, dict[str, float]]:
    """Figures of `answer()` for one champion: asked again, after one event, for the first time."""
    users = list(champion.row_of)
    store, row_of = champion.artifact.histories, champion.row_of
    later = dt.datetime.fromtimestamp(int(np.max(store["time_s"])) + 3600, dt.UTC)

    def after(user: str, n: int) -> Question:
        at = int(store.offsets[row_of[user]]) + n
        return plain(user, dt.datetime.fromtimestamp(int(store["time_s"][at]) + 1, dt.UTC), 10)

    asked, begin = users[:_ASKED], HISTORY - 1 - times // _ASKED
    for user in asked:
        answer(champion, after(user, begin))
    found = {
        "event": _percentiles(
            lambda n: answer(champion, after(asked[n % _ASKED], begin + 1 + n // _ASKED)), times // _ASKED * _ASKED
        )
    }
    for user in asked:
        answer(champion, plain(user, later, 10))
    found["again"] = _percentiles(lambda n: answer(champion, plain(asked[n % _ASKED], later, 10)), times)
    rest = users[_ASKED:]
    found["first"] = _percentiles(lambda n: answer(champion, plain(rest[n], later, 10)), min(times, len(rest)))
    return found


def asks(users: list[str]) -> Iterator[Wire]:
    """Requests of users in turn, without end."""
    return in_turns([post("/v1/predict", json.dumps({"user_id": user, "k": 10}).encode()) for user in users])


def mixture(users: list[str], items: list[str], seed: int = 7) -> Iterator[Wire]:
    """Seven predictions to three events, in random order."""
    rng = np.random.default_rng(seed)
    predictions, number = asks(users), itertools.count()
    while True:
        if rng.random() < 0.7:
            yield next(predictions)
            continue
        event = {
            "user_id": users[rng.integers(len(users))], "item_id": items[rng.integers(len(items))], "action": "view",
            "timestamp": dt.datetime.now(dt.UTC).isoformat(), "event_id": f"soak-{next(number)}",
        }  # fmt: skip
        yield post("/v1/events", json.dumps({"events": [event]}).encode())


def load(port: int, users: list[str], clients: int, seconds: float) -> dict[str, float]:
    """Figures of a closed loop of `clients` connections."""
    return closed_loop(port, asks(users), clients, seconds).figures()


def _costed(server: Server, work: Callable[[], dict[str, float]]) -> Record:
    """Figures, and processor milliseconds of the worker for each request."""
    spent = server.cpu_s()
    found = work()
    return found | {"cpu_ms": round((server.cpu_s() - spent) * 1e3 / max(found["requests"], 1), 2)}


def over_http(server: Server, users: list[str], seconds: float) -> list[Record]:
    """One client, sixteen in a closed loop, an open loop of RATE a second, and the capacity."""
    port = server.port
    load(port, users, 4, 3.0)  # first requests allocate
    rows = [
        {"load": name, **_costed(server, lambda clients=clients: load(port, users, clients, seconds / 2))}
        for name, clients in (("1 client", 1), ("16 clients", 16))
    ]
    rows.append(
        {
            "load": f"{RATE:.0f}/s, open",
            **_costed(server, lambda: open_loop(port, asks(users), RATE, seconds).figures()),
        }
    )
    rows.append({"load": "capacity", **capacity(port, asks(users), P99_MS, RATE, max(3.0, seconds / 4))})
    return [{"cold_s": round(server.cold_s, 1), **row} for row in rows]


def _takes_over(server: Server, root: Path, kind: str, begun: float) -> tuple[float, float]:
    """Promote; seconds since `begun` at which the entry stood in the log, and at which its model answered."""
    sequence = promote(root, kind).sequence
    told = time.perf_counter() - begun
    while time.perf_counter() - begun - told < _SWAP_PATIENCE_S:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/v1/model", timeout=30) as answer:
            if json.load(answer)["champion"]["version"] == sequence:
                return told, time.perf_counter() - begun
        time.sleep(0.1)
    raise RuntimeError(f"promotion {sequence} did not take over")


def through_swap(server: Server, root: Path, kind: str, users: list[str], seconds: float) -> Record:
    """An open loop with a promotion in its middle: before it, until its model answers, and after."""
    with ThreadPoolExecutor(1) as beside:
        begun = time.perf_counter()

        def later() -> tuple[float, float]:
            time.sleep(_SWAP_AT * seconds)
            return _takes_over(server, root, kind, begun)

        moments = beside.submit(later)
        heard = open_loop(server.port, asks(users), RATE / 2, seconds)
        told, took = moments.result()
    due, ms = np.array(heard.due), np.array(heard.times) * 1e3
    parts = {
        "before": due < told,
        "during": (due >= told) & (due < took + _SETTLES_S),
        "after": due >= took + _SETTLES_S,
    }
    p99 = {f"p99_ms_{name}": round(float(np.percentile(ms[part], 99)), 2) for name, part in parts.items()}
    return {"to": kind, "per_s": RATE / 2, "errors": len(heard.bad), "takes_s": round(took - told, 1), **p99}


def soak(server: Server, users: list[str], items: list[str], seconds: float) -> Record:
    """The mixture in an open loop, and how the worker's memory grows: MB at the end of each tenth, all and its own."""
    rss, own = [server.rss_mb()], [server.own_mb()]
    heard = []
    wires = mixture(users, items)
    for _ in range(10):
        heard.append(open_loop(server.port, wires, RATE, seconds / 10))
        rss.append(server.rss_mb())
        own.append(server.own_mb())
    times = np.concatenate([one.times for one in heard]) * 1e3
    slope = np.polyfit(np.arange(len(own) - 5) * seconds / 10 / 3600, own[5:], 1)[0]
    return {
        "requests": int(sum(len(one.times) + len(one.bad) for one in heard)),
        "errors": sum(len(one.bad) for one in heard),
        "p50_ms": round(float(np.percentile(times, 50)), 2),
        "p99_ms": round(float(np.percentile(times, 99)), 2),
        "p999_ms": round(float(np.percentile(times, 99.9)), 2),
        "rss_mb": [round(one, 1) for one in rss],
        "own_mb": [round(one, 1) for one in own],
        "own_end_mb": round(own[-1], 1),
        "own_mb_per_hour_second_half": round(float(slope), 1),
        "seconds": seconds,
    }


def measured(root: Path, args: argparse.Namespace) -> Record:
    """Everything that is asked for."""
    import torch

    torch.set_num_threads(1)  # as the service does
    parts, kinds = args.parts.split(","), args.over.split(",")
    users, items = [f"user{n:05d}" for n in range(USERS)], [f"item{n:05d}" for n in range(0, 10_000, 97)]
    record: Record = {"machine": machine()}
    if "process" in parts:
        record["process"] = [
            {"champion": kind, "asked": asked, **figures}
            for kind in args.kinds.split(",")
            for asked, figures in in_process(champion_of(root, kind), args.times).items()
        ]
    log, found = root / "serving-benchmark.log", {part: [] for part in ("http", "swap", "soak") if part in parts}
    for by in args.servers.split(",") if found else []:
        for kind in kinds if "http" in found else []:
            promote(root, kind)
            with served(by, root, log) as server:
                found["http"] += [
                    {"server": by, "champion": kind, **row} for row in over_http(server, users, args.seconds)
                ]
        if {"swap", "soak"} & set(found):
            promote(root, kinds[0])
            with served(by, root, log) as server:
                load(server.port, users, 4, 3.0)
                if "swap" in found:
                    for kind in (kinds[-1], kinds[0]):  # to the heaviest, and back to one that it had before
                        row = through_swap(server, root, kind, users, max(20.0, args.seconds))
                        found["swap"].append({"server": by, **row})
                if "soak" in found:
                    found["soak"].append({"server": by, **soak(server, users, items, args.soak)})
    record |= found
    record["load_after"] = machine()["load_average"]
    return record


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--made", type=Path, help="where the workspace to be measured is made, and kept")
    parser.add_argument("--parts", default="process,http,swap,soak")
    parser.add_argument("--servers", default="bentoml,bare")
    parser.add_argument("--kinds", default=",".join(KINDS), help="asked in process")
    parser.add_argument("--over", default="memory,gate,ranker", help="of them, asked over HTTP")
    parser.add_argument("--times", type=int, default=400, help="questions in process, of each sort")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each load")
    parser.add_argument("--soak", type=float, default=120.0, help="seconds of the mixture")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers are ended
    with tempfile.TemporaryDirectory() as folder:
        root = (args.made or Path(folder) / "workspace").resolve()
        make(root)
        Workspace(root).promotions.mkdir(exist_ok=True)
        record = measured(root, args)
    print(json.dumps(record))
    if args.json:
        write_json(args.json, (read_json(args.json) if args.json.exists() else {}) | record)


if __name__ == "__main__":
    main()
