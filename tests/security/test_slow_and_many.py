"""Clients that are slow, endless, lie about their bodies, or are too many: bounded, told so, and in nobody's way."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bento.app import App
from bento.slow import MOST_HEAD, MOST_REFUSED, Protocol
from tests.live import params_with, toy_app
from tests.running import running

BODY = json.dumps({"user_id": "user00003", "k": 1}).encode()
HEAD = b"POST /v1/predict HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    before, Protocol.header_s = Protocol.header_s, 0.5
    params = params_with(guard={"body_s": 0.5, "max_streams": 2}, serving={"max_body_bytes": 100_000})
    with running(toy_app(params)) as found:
        yield found
    Protocol.header_s = before


@pytest.fixture(autouse=True)
def _unharmed(url: str) -> Iterator[None]:
    yield
    assert (
        httpx.post(f"{url}/v1/predict", content=BODY, headers={"content-type": "application/json"}).status_code == 200
    )


def connect(url: str) -> socket.socket:
    one = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
    one.settimeout(10)
    return one


def read_all(one: socket.socket) -> bytes:
    found = b""
    try:
        while block := one.recv(65_536):
            found += block
    except ConnectionResetError:
        pass
    return found


@pytest.mark.parametrize("said", [b"", b"POST /v1/predict HT", HEAD, HEAD + b"x: y\r\n"])
def test_a_head_that_does_not_come_is_not_waited_for(url: str, said: bytes) -> None:
    with connect(url) as one:
        one.sendall(said)
        assert read_all(one) == b""


def test_a_second_head_that_does_not_come_either(url: str) -> None:
    with connect(url) as one:
        one.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY)
        assert b"200 OK" in one.recv(65_536)
        one.sendall(b"GET /v1/mo")
        assert b"200" not in read_all(one)


def test_a_head_without_end_is_cut_off(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Protocol, "header_s", 60.0)  # by its size, that is
    with connect(url) as one:
        one.sendall(HEAD)
        try:
            for _ in range(2 * MOST_HEAD // 1024):
                one.sendall(b"x: " + b"y" * 1019 + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            return
        assert read_all(one) == b""


def test_many_slow_heads_are_in_nobodys_way(url: str) -> None:
    many = [connect(url) for _ in range(200)]
    for one in many:
        one.sendall(HEAD)
    assert httpx.get(f"{url}/v1/model", timeout=5).status_code == 200
    for one in many:
        assert read_all(one) == b""
        one.close()


@pytest.mark.parametrize("head", [b"content-length: 100\r\n\r\n", b"transfer-encoding: chunked\r\n\r\n"])
def test_a_body_that_does_not_come_is_told_so(url: str, head: bytes) -> None:
    with connect(url) as one:
        one.sendall(HEAD + head)
        found = read_all(one)
    assert found.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in found


def test_slow_bodies_do_not_take_the_places_of_others(url: str) -> None:
    """More than may wait for their turn: who has not sent everything does not wait for it."""
    many = [connect(url) for _ in range(150)]
    for one in many:
        one.sendall(HEAD + b"content-length: 100\r\n\r\n{")
    for _ in range(5):
        assert httpx.get(f"{url}/v1/model", timeout=5).status_code == 200
    for one in many:
        assert b" 408 " in read_all(one)
        one.close()


@pytest.mark.parametrize(
    ("rest", "statuses"),
    [
        (b"content-length: 5\r\n\r\n" + BODY, {b"400"}),  # less was declared than came: the rest is another request
        (b"content-length: 100001\r\n\r\n", {b"413"}),
        (b"content-length: 99999999999999999999999999999\r\n\r\n", {b"400", b"413"}),
        (b"content-length: -5\r\n\r\n", {b"400", b"413"}),
        (b"content-length: 5\r\ncontent-length: 6\r\n\r\nabcdef", {b"400"}),
        (b"content-length: 30\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", {b"400"}),
        (b"transfer-encoding: chunked\r\n\r\nZZ\r\nabc\r\n", {b"400"}),
        (b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc", {b"400"}),
        (b"transfer-encoding: gzip, chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", {b"400"}),
    ],
)
def test_a_body_that_lies_about_its_length(url: str, rest: bytes, statuses: set[bytes]) -> None:
    with connect(url) as one:
        one.sendall(HEAD + rest)
        found = one.recv(65_536)
    assert found.split(b" ")[1] in statuses, found


def test_a_chunked_body_is_counted_as_it_comes(url: str) -> None:
    with connect(url) as one:
        one.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        for _ in range(30):
            one.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        assert one.recv(65_536).startswith(b"HTTP/1.1 413")


def send_on(one: socket.socket, most: int) -> None:
    for _ in range(most // 65_536):
        one.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")


@pytest.mark.parametrize("line", [b"content-type: application/json", b"content-type: text/plain"])
def test_a_refused_body_without_end_is_cut_off(url: str, line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Protocol, "header_s", 60.0)  # by its size, that is
    with connect(url) as one:
        one.sendall(b"POST /v1/predict HTTP/1.1\r\nhost: a\r\n" + line + b"\r\ntransfer-encoding: chunked\r\n\r\n")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            send_on(one, 20 * MOST_REFUSED)


def test_a_refused_body_that_does_not_end_is_not_waited_for(url: str) -> None:
    with connect(url) as one:
        one.sendall(b"POST /v1/predict HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n{")
        assert read_all(one).startswith(b"HTTP/1.1 415")


def test_after_a_refused_body_the_connection_serves_the_next_request(url: str) -> None:
    with connect(url) as one:
        body = b"x" * 200_000  # twice the limit
        one.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)
        assert one.recv(65_536).startswith(b"HTTP/1.1 413")
        one.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY)
        assert one.recv(65_536).startswith(b"HTTP/1.1 200")


def test_a_client_that_leaves_in_the_middle(url: str) -> None:
    for said in (HEAD + b"content-length: 100\r\n\r\n{", HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY):
        with connect(url) as one:
            one.sendall(said)


async def _many(app: App, n: int) -> list[tuple[int, dict[bytes, bytes]]]:
    """So many requests in the same turn of the loop."""
    answers: list[tuple[int, dict[bytes, bytes]]] = []

    async def one() -> None:
        scope: Any = {
            "type": "http", "method": "POST", "path": "/v1/predict", "raw_path": b"/v1/predict", "query_string": b"",
            "headers": [(b"content-type", b"application/json")], "client": ("127.0.0.1", 1),
        }  # fmt: skip

        async def receive() -> Any:
            return {"type": "http.request", "body": BODY, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answers.append((message["status"], dict(message["headers"])))

        await app(scope, receive, send)

    await asyncio.gather(*(one() for _ in range(n)))
    return answers


def test_more_than_may_wait_are_told_to_come_back() -> None:
    app = toy_app(params_with(guard={"max_waiting": 7}))
    answers = asyncio.run(_many(app, 50))
    assert sorted({status for status, _ in answers}) == [200, 503]
    assert sum(status == 200 for status, _ in answers) == 7
    assert all(head[b"retry-after"] for status, head in answers if status == 503)
    assert answers[0][0] == 503, "who is refused is told at once, before the others are worked on"
    assert app.worker is not None
    assert app.worker.waiting == 0


def test_an_answer_that_takes_too_long_is_given_up() -> None:
    app = toy_app(params_with(guard={"request_s": 0.2}))
    assert app.worker is not None

    def slow(*_: object) -> None:
        time.sleep(1)

    app.worker.live.explain = slow  # type: ignore[method-assign, assignment]
    with running(app) as url:
        begin = time.monotonic()
        found = httpx.post(f"{url}/v1/explain", content=BODY, headers={"content-type": "application/json"})
        assert (found.status_code, time.monotonic() - begin < 0.9) == (503, True)


def test_streams_have_places_and_leave_them(url: str) -> None:
    def follow() -> socket.socket:
        one = connect(url)
        one.sendall(b"GET /v1/live/stream HTTP/1.1\r\nhost: a\r\n\r\n")
        return one

    first, second = follow(), follow()
    assert b"text/event-stream" in first.recv(65_536)
    assert b"text/event-stream" in second.recv(65_536)
    assert httpx.get(f"{url}/v1/live/stream").status_code == 503
    first.close()
    deadline = time.monotonic() + 10
    while True:
        third = follow()
        if b" 200 " in third.recv(65_536):
            break
        assert time.monotonic() < deadline, "the place of who left was never free"
        time.sleep(0.1)
    for one in (second, third):
        one.close()
