"""Memory of one serving process while events come in without end: where it grows, and where it stops growing.

    OMP_NUM_THREADS=1 python -m benchmarks.soak [--events 600000 --users 2000] [--batch 50] [--json OUT]

The live system in this process, over a state in a folder, with what the service hangs on it (counters, the page's
numbers): visits of ten events of users drawn by Zipf's law are taken in batches, and a user is asked after each batch.
Resident memory is read at the end of every tenth: `anonymous` is what the process itself holds; `file` is what it
has mapped of files, above all of the log: the kernel takes that back when somebody else needs it. A champion that
counts (10,000 items, histories of 200) stands in for all: what networks hold does not grow with events.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine
from bento.worker import Worker
from components import learners
from components.files import write_json
from components.params import load_params
from components.predictor import NoTracker, Window
from components.registry.artifact import LoadedArtifact, Manifest
from components.registry.promotions import Entry
from components.serving.champion import Champion
from components.serving.live import Live
from components.serving.question import plain
from components.serving.settle import settle
from components.serving.state.folder import FolderState
from components.serving.watch import Alone
from tests.toy import toy_store

ROOT = Path(__file__).resolve().parents[1]
ITEMS, HISTORY = 10_000, 200
_PARTS = 10
_APART_S = 60  # between two events, by their own clock
_VISIT = 10  # events of a user who comes
_FIELDS = {"VmRSS": "rss", "RssAnon": "anonymous", "RssFile": "file"}


def memory() -> dict[str, float]:
    """Megabytes that this process holds: all, its own, of files."""
    rows = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {_FIELDS[row[0][:-1]]: round(int(row[1]) / 1024, 1) for row in rows if row and row[0][:-1] in _FIELDS}


def champion(users: int) -> Champion:
    """A memory, fitted on chains of items."""
    store = toy_store(users, ITEMS, HISTORY, pattern="markov")
    predictor = learners.build("memory", load_params(ROOT / "params.yaml"))
    predictor.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    digest = "0" * 64
    lineage = {"protocol": {"target_time": "given", "seen": "kept"}}
    artifact = LoadedArtifact(ROOT, Manifest(digest, digest, {}), "memory", predictor, store.encoding, store, lineage)
    nothing = dict.fromkeys(("previous", "returns_to", "decision", "window", "dvc_lock", "params", "git_sha"))
    entry = Entry(
        sequence=1, kind="promote", model="memory", reason="to be measured", time="", chain=digest,
        digest=digest, content=digest, **nothing,
    )  # fmt: skip
    return Champion(entry, artifact)


def soaked(folder: Path, args: argparse.Namespace) -> list[dict[str, float]]:
    """Memory after each part of the events, and how long an event took in it."""
    params = load_params(ROOT / "params.yaml")
    watch, state = Alone(champion(args.known)), FolderState(folder, "process")
    live = Live(watch, state, params)
    worker = Worker(params, live, watch, state)  # type: ignore[arg-type]
    rng = np.random.default_rng(7)
    chance = 1 / np.arange(1, args.users + 1) ** args.law
    liked = np.arange(0, ITEMS, 97)  # few, so that what the model counts soon stops growing
    names = [f"user{n:05d}" for n in range(args.users)]
    settle(first=True)
    begin = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=_APART_S * (args.events + 1))
    rows, number = [{"events": 0, **memory()}], 0
    for _ in range(_PARTS):
        took = []
        for _ in range(args.events // _PARTS // args.batch):
            who = np.repeat(rng.choice(args.users, args.batch // _VISIT, p=chance / chance.sum()), _VISIT).tolist()
            events = []
            for user, item in zip(who, rng.choice(liked, args.batch).tolist(), strict=True):
                number += 1
                at = begin + dt.timedelta(seconds=_APART_S * number)
                events.append({
                    "user_id": names[user], "item_id": f"item{item:05d}", "action": "view",
                    "timestamp": at.isoformat(), "event_id": f"soak-{number}",
                })  # fmt: skip
            started = time.thread_time()
            live.take("event", events)
            took.append(time.thread_time() - started)
            found = live.answer(plain(names[who[-1]], at, 10))
            worker.pulse.answered(names[who[-1]], [one.item_id for one in found.items], 0.001)
        each_ms = round(float(np.median(took)) / args.batch * 1e3, 3)
        rows.append({"events": number, **memory(), "event_ms": each_ms})
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    state.close()
    return rows


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=600_000)
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--known", type=int, default=200, help="users whom the artifact knows")
    parser.add_argument("--law", type=float, default=0.8, help="exponent of how often users come")
    parser.add_argument("--batch", type=int, default=50, help="events that are taken at once")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    before = machine()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        rows = soaked(Path(folder), args)
    said = {name: getattr(args, name) for name in ("users", "known", "law", "batch")}
    result: dict[str, Any] = said | {"machine": before, "load_average_after": machine()["load_average"], "rows": rows}
    if args.json:
        write_json(args.json, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
