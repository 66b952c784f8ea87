"""Records per second from a Redis stream to day files: `consume`, `collect`, `ingest`, and the erasing of users.

    python -m benchmarks.live_log --events 200000 [--json OUT]

The events are random (seeded), with all fields that a shop sends; one consumer, the state in a folder
(`durability: process`), a Redis server of its own on a Unix socket.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import redis

from components.events.ingest import ingest
from components.files import write_json
from components.params import load_params
from components.serving.collect import collect
from components.serving.consumer import Consumer, Membership
from components.serving.state.folder import FolderState

_START = dt.datetime(2025, 1, 6, tzinfo=dt.UTC)


def events(count: int, users: int = 20_000) -> list[bytes]:
    """Events as JSON, over 30 days."""
    rng = np.random.default_rng(7)
    seconds, who, what = rng.integers(0, 30 * 86_400, count), rng.integers(0, users, count), rng.zipf(1.3, count)
    return [
        orjson.dumps(
            {
                "user_id": f"u{who[k]}",
                "item_id": f"item-{what[k] % 20_000}",
                "action": ("view", "like", "cart", "purchase")[k % 4],
                "timestamp": (_START + dt.timedelta(seconds=int(seconds[k]), microseconds=k)).isoformat(),
                "latitude": 48.8 + (k % 100) / 1e3,
                "longitude": 2.3 + (k % 77) / 1e3,
                "device": "phone",
                "value": float(k % 50),
            }
        )
        for k in range(count)
    ]


@contextmanager
def server(folder: Path) -> Iterator[redis.Redis]:
    """A Redis server on a socket in a folder."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("redis-server is needed")
    socket = folder / "redis.sock"
    process = subprocess.Popen(
        [program, "--port", "0", "--unixsocket", str(socket), "--save", ""], stdout=subprocess.DEVNULL
    )
    try:
        while not socket.exists():
            time.sleep(0.01)
        yield redis.Redis(unix_socket_path=str(socket), protocol=2)
    finally:
        process.terminate()
        process.wait()


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and seconds."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def measure(count: int) -> dict[str, Any]:
    """Every step once, on one log."""
    params = load_params(Path(__file__).resolve().parents[1] / "params.yaml")
    source = params.events.source.model_copy(update={"format": "live"})
    params = params.model_copy(update={"events": params.events.model_copy(update={"source": source})})
    with tempfile.TemporaryDirectory() as name, server(Path(name)) as client:
        root = Path(name) / "workspace"
        log = events(count)
        for start in range(0, count, 10_000):
            with client.pipeline(transaction=False) as pipe:
                for raw in log[start : start + 10_000]:
                    pipe.xadd("events", {"event": raw})
                pipe.execute()
        state = FolderState(root / ".chronotope" / "live", "process")
        member = Membership("events", "g", "one", batch=params.live.max_batch, block_ms=50)
        consumer = Consumer(client, member, state, params.events, lambda: False, lambda: dt.datetime.now(dt.UTC))
        found: dict[str, Any] = {"events": count}
        _, found["consume_s"] = timed(lambda: consumer.run(drain=True))
        _, found["collect_s"] = timed(lambda: collect(root, state))
        _, found["ingest_s"] = timed(lambda: ingest(root, params))
        for user in range(10):
            state.forget(f"u{user}")
        _, found["collect_10_tombstones_s"] = timed(lambda: collect(root, state))
        report, found["ingest_10_tombstones_s"] = timed(lambda: ingest(root, params))
        found["purged"] = report.purged
        state.close()
    for step in ("consume", "collect", "ingest"):
        found[f"{step}_per_s"] = round(count / found[f"{step}_s"])
    found["peak_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measure(options.events)
    for name, value in found.items():
        print(f"{name:26} {value:,}" if isinstance(value, int) else f"{name:26} {value:.2f}")
    if options.json:
        write_json(options.json, found)


if __name__ == "__main__":
    main()
