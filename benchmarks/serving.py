"""Latency and throughput of the service: closed-loop HTTP clients, and the same questions inside one process.

    python -m benchmarks.serving --workspace DIR [--clients 16 --seconds 20] [--json OUT]

Starts `bentoml serve` for the workspace on a free port, asks known users in turn from 16 connections and then from
one, each asking again as soon as it is answered, and ends it. Percentiles are of whole requests in milliseconds; the
clients share the machine with the service. Prints one JSON object with the load average before and after.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

PACKAGES = Path(__file__).resolve().parents[1]
START_S = 180.0


@contextmanager
def served(*what: str, environment: dict[str, str], log: Path) -> Iterator[int]:
    """`bentoml serve` in a process group of its own until it is ready; its port on loopback."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = int(one.getsockname()[1])
    command = [str(Path(sys.executable).parent / "bentoml"), "serve", *what, "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=PACKAGES, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        deadline = time.monotonic() + START_S
        while not asyncio.run(_ready(port)):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the service did not start: {log.read_text()[-2000:]}")
            time.sleep(0.5)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


async def _ready(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.write(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
    try:
        found = await asyncio.wait_for(reader.read(64), 5)
    except TimeoutError:
        return False
    finally:
        writer.close()
    return found.startswith(b"HTTP/1.1 200")


async def _client(port: int, users: Iterator[str], until: float, times: list[float], bad: list[str]) -> None:
    """One connection, kept open: ask, read the answer to its end, ask again."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        body = json.dumps({"user_id": next(users), "k": 10}).encode()
        head = "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        begin = time.perf_counter()
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(answer.split(b"content-length:")[1].split(b"\r\n")[0])
        found = json.loads(await reader.readexactly(length))
        times.append(time.perf_counter() - begin)
        status = answer.split(b" ", 2)[1]
        if status != b"200" or len(found["items"]) != 10:
            bad.append(status.decode())
    writer.close()


def figures(times: list[float], seconds: float) -> dict[str, float]:
    """Percentiles in milliseconds, and requests per second."""
    p50, p99 = np.percentile(np.array(times) * 1e3, [50, 99])
    return {"p50_ms": round(float(p50), 1), "p99_ms": round(float(p99), 1), "per_s": round(len(times) / seconds, 1)}


def load(port: int, users: list[str], clients: int, seconds: float) -> dict[str, float]:
    """Closed loop of `clients` connections for `seconds`: requests, errors, percentiles and rate."""
    times: list[float] = []
    bad: list[str] = []

    async def all_of_them() -> list[BaseException | None]:
        until, turns = time.perf_counter() + seconds, itertools.cycle(users)
        work = (_client(port, turns, until, times, bad) for _ in range(clients))
        return await asyncio.gather(*work, return_exceptions=True)

    begin = time.perf_counter()
    broken = [one for one in asyncio.run(all_of_them()) if one is not None]
    counts = {"clients": clients, "requests": len(times), "errors": len(bad) + len(broken)}
    return counts | figures(times, time.perf_counter() - begin)


def in_process(root: Path, questions: int = 300) -> tuple[list[str], dict[str, float]]:
    """Known users, and percentiles of `answer()` without HTTP."""
    import torch

    from components.serving.answer import answer
    from components.serving.question import Question
    from components.serving.watch import Watch

    torch.set_num_threads(1)  # as the service does
    champion = Watch(root, 1.0).champion
    users, times = list(champion.row_of), []
    for user in itertools.islice(itertools.cycle(users), questions):
        question = Question(
            user_id=user, history=None, time=dt.datetime.now(dt.UTC), utc_offset_min=None, latitude=None,
            longitude=None, k=10, seen=True, categories=None, radius_km=None, max_price=None,
        )  # fmt: skip
        begin = time.perf_counter()
        answer(champion, question)
        times.append(time.perf_counter() - begin)
    return users, figures(times, sum(times))


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=Path, default=Path(), help="a workspace with a champion")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    root = args.workspace.resolve()
    before = [round(one, 1) for one in os.getloadavg()]
    users, alone = in_process(root)
    environment = os.environ | {"CHRONOTOPE_WORKSPACE": str(root), "BENTOML_DO_NOT_TRACK": "True"}
    log = root / ".chronotope" / "serving-benchmark.log"
    with served("bento.service:Chronotope", environment=environment, log=log) as port:
        load(port, users, 1, 1.0)  # first requests import and allocate
        many = load(port, users, args.clients, args.seconds)
        one = load(port, users, 1, args.seconds / 2)
    after = [round(one, 1) for one in os.getloadavg()]
    record = {"http": many, "http_alone": one, "answer": alone, "load_before": before, "load_after": after}
    print(json.dumps(record))
    if args.json:
        args.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
