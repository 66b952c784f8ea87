"""Load on a service over HTTP: an open loop, whose clients do not wait for one another, and a closed one.

In the open loop requests are due at moments that were drawn before (a Poisson process); each is timed from the moment
it was due, whether or not a connection was free then, so that a stall is felt by all who would have come in it. In the
closed loop each of n connections asks again as soon as it is answered. Knows nothing of models; ends no process.

Reference: Tene, "How not to measure latency" (coordinated omission).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

#: A request as it goes over the wire.
Wire = bytes
_CONNECTIONS = 64
_PATIENCE_S = 10.0


def post(path: str, body: bytes) -> Wire:
    """A JSON request over a connection that stays open."""
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


@dataclass
class Heard:
    """What clients saw.

    Attributes
    ----------
    times : seconds of each request that was answered
    due : seconds since the beginning at which it was due
    bad : statuses other than 200, and names of errors
    seconds : of the whole
    """

    times: list[float] = field(default_factory=list)
    due: list[float] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def figures(self) -> dict[str, float]:
        """Requests, errors, percentiles in milliseconds, answers a second."""
        ms = np.array(self.times or [float("nan")]) * 1e3
        p50, p99, p999 = (round(float(one), 2) for one in np.percentile(ms, [50, 99, 99.9]))
        return {
            "requests": len(self.times) + len(self.bad),
            "errors": len(self.bad),
            "p50_ms": p50,
            "p99_ms": p99,
            "p999_ms": p999,
            "per_s": round(len(self.times) / max(self.seconds, 1e-9), 1),
        }


class Connection:
    """One connection to loopback, opened when it is needed and again where it was closed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, wire: Wire) -> tuple[str, bytes]:
        """Status and body of the answer."""
        if self._stream is not None and self._stream[0].at_eof():
            self.close()  # a server closes what was idle for long
        if self._stream is None:
            self._stream = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._stream
        try:
            writer.write(wire)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            size = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(size)
        except BaseException:
            self.close()
            raise
        return head.split(b" ", 2)[1].decode(), body

    def close(self) -> None:
        """Close it; the next question opens another."""
        if self._stream is not None:
            self._stream[1].close()
            self._stream = None


async def _timed(connection: Connection, wire: Wire, begun: float, due: float, heard: Heard) -> None:
    """Ask once; the time counts from when it was due."""
    try:
        status, _ = await asyncio.wait_for(connection.ask(wire), _PATIENCE_S)
    except (OSError, EOFError, TimeoutError, IndexError) as error:
        heard.bad.append(type(error).__name__)
        return
    if status != "200":
        heard.bad.append(status)
        return
    heard.times.append(time.perf_counter() - begun - due)
    heard.due.append(due)


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Moments of a Poisson process, in seconds since its beginning."""
    rng = np.random.default_rng(seed)
    gaps = rng.exponential(1.0 / rate, int(rate * seconds * 1.5) + 50)
    at = np.cumsum(gaps)
    return [float(one) for one in at[at < seconds]]


def open_loop(port: int, wires: Iterable[Wire], rate: float, seconds: float, seed: int = 7) -> Heard:
    """Ask at `rate` a second for `seconds`, whatever the answers take."""

    async def all_of_them() -> Heard:
        heard, free = Heard(), asyncio.LifoQueue[Connection]()
        every = [Connection(port) for _ in range(_CONNECTIONS)]
        for one in every:
            free.put_nowait(one)
        turns, tasks, begun = iter(wires), set[asyncio.Task[None]](), time.perf_counter()

        async def one(wire: Wire, due: float) -> None:
            connection = await free.get()
            await _timed(connection, wire, begun, due, heard)
            free.put_nowait(connection)

        for due in arrivals(rate, seconds, seed):
            wait = due - (time.perf_counter() - begun)
            if wait > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(one(next(turns), due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        heard.seconds = time.perf_counter() - begun
        for connection in every:
            connection.close()
        return heard

    return _run(all_of_them)


def closed_loop(port: int, wires: Iterable[Wire], clients: int, seconds: float) -> Heard:
    """Ask from `clients` connections, each again as soon as it is answered."""

    async def all_of_them() -> Heard:
        heard, turns, begun = Heard(), iter(wires), time.perf_counter()

        async def one() -> None:
            connection = Connection(port)
            while (now := time.perf_counter() - begun) < seconds:
                await _timed(connection, next(turns), begun, now, heard)
            connection.close()

        await asyncio.gather(*(one() for _ in range(clients)))
        heard.seconds = time.perf_counter() - begun
        return heard

    return _run(all_of_them)


def capacity(port: int, wires: Iterable[Wire], p99_ms: float, begin: float, seconds: float) -> dict[str, float]:
    """The largest rate, to a tenth, at which an open loop has no error and stays below `p99_ms`.

    Parameters
    ----------
    begin : a rate that is tried first; doubled while it holds, halved while it does not
    seconds : of each try
    """

    def holds(rate: float) -> bool:
        found = open_loop(port, wires, rate, seconds, seed=int(rate)).figures()
        return found["errors"] == 0 and found["p99_ms"] <= p99_ms

    low, high = 0.0, begin
    while holds(high):
        low, high = high, 2 * high
    while high - low > max(0.1 * high, 1.0):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return {"per_s": round(low, 1), "p99_ms_at_most": p99_ms}


def in_turns(wires: list[Wire]) -> Iterator[Wire]:
    """The same requests over and over."""
    return itertools.cycle(wires)


def _run(work: Callable[[], object]) -> Heard:
    import uvloop

    found = uvloop.run(work())  # type: ignore[arg-type, var-annotated]
    assert isinstance(found, Heard)
    return found
