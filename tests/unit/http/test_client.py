"""The typed client against a running service: every route, every shape, and when it tries again."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest

from bento.client import AsyncClient, Client, Refused, calls, tries
from bento.guard.keys import Keys, new_key
from bento.routes.table import ROUTES
from components.errors import ServiceError
from tests.live import toy_app
from tests.running import running
from tests.serving import toy_champion

AT = dt.datetime(2025, 3, 1, 12, tzinfo=dt.UTC)
EVENT = {"user_id": "u/1", "item_id": "item00007", "action": "view", "timestamp": AT}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(toy_app(champion=toy_champion())) as found:
        yield found


def test_every_method_against_the_service(url: str) -> None:
    with Client(url) as client:
        assert client.events([EVENT, EVENT | {"action": "never"}]).accepted == 1
        assert client.events([EVENT]).duplicates == 1
        assert client.impressions(
            [{"user_id": "u/1", "item_id": "item00007", "timestamp": AT, "position": 1, "probability": 0.1}]
        ).accepted  # fmt: skip
        assert client.feedback([{"user_id": "u/1", "timestamp": AT, "question": "q", "answer": "yes"}]).accepted
        assert client.positions([{"user_id": "u/1", "timestamp": AT, "latitude": 48.0, "longitude": 2.0}]).accepted
        answer = client.predict("u/1", k=3, time=AT + dt.timedelta(hours=1), filters={"seen": True})
        assert (len(answer.items), answer.history_events, answer.model.version) == (3, 1, 1)
        assert client.predict(history=[{k: v for k, v in EVENT.items() if k != "user_id"}], k=1).items
        assert client.recommend("u/1", order="diverse", max_per_category=1).items
        assert client.explain("user00003", k=1, time=AT).items[0].sentences
        assert client.timeline("u/1", 5).events[0].item_id == "item00007"
        assert client.journey("u/1").events == 1
        before = client.journey("u/1", AT.astimezone(dt.timezone(dt.timedelta(hours=2))) - dt.timedelta(seconds=1))
        assert (before.events, before.time) == (0, AT - dt.timedelta(seconds=1))
        assert client.model().champion.name == "memory"
        assert client.live().model_extra
        assert client.forget("u/1").offset == 5
        assert client.timeline("u/1").events == []


def test_every_route_of_data_has_a_call() -> None:
    kinds = ("events", "impressions", "feedback", "positions")
    made = [calls.predict("u"), calls.recommend("u"), calls.explain("u"), calls.timeline("u"), calls.journey("u"),
             calls.forget("u"), calls.model(), calls.live(), calls.evolution(),
             *(calls.send(kind, []) for kind in kinds)]  # fmt: skip
    called = {(one.method, one.path.partition("?")[0].replace("/users/u", "/users/{user_id}")) for one in made}
    described = {(route.method, route.path) for route in ROUTES if route.described and route.path.startswith("/v1")}
    of_the_page = {("GET", path) for path in ("/v1/live/stream", "/v1/live/places", "/v1/cells/{cells}")}
    assert described - called == of_the_page
    assert called <= described


def test_on_an_event_loop(url: str) -> None:
    async def both() -> list[int]:
        async with AsyncClient(url) as client:
            answers = await asyncio.gather(*(client.ask(calls.predict("user00003", k=k)) for k in (1, 2)))
            with pytest.raises(Refused):
                await client.ask(calls.predict("user00003", k=0))
            return [len(answer.items) for answer in answers]

    assert asyncio.run(both()) == [1, 2]


def test_a_refusal_says_what_the_service_said(url: str) -> None:
    with Client(url) as client:
        with pytest.raises(Refused, match="k of at most 100 at k") as found:
            client.predict("user00003", k=101)
        assert found.value.status == 422
        with pytest.raises(Refused) as found:
            client.events([{"user_id": "a"}])
        assert found.value.answer["refused"][0]["rule"]


def test_keys() -> None:
    key, line = new_key("reader", ["read"])
    with running(toy_app(keys=Keys(line))) as url:
        with Client(url, key) as client:
            assert client.model()
            with pytest.raises(Refused, match="403"):
                client.forget("a")
        with Client(url) as client, pytest.raises(Refused, match="401"):
            client.model()


class Flaky(BaseHTTPRequestHandler):
    """Answers with what is next in the list: a status, or nothing at all."""

    script: ClassVar[list[int | None]] = []
    asked: ClassVar[list[str]] = []

    def _go(self) -> None:
        length = int(self.headers.get("content-length", 0))
        self.rfile.read(length)
        self.asked.append(self.command)
        status = self.script.pop(0)
        if status is None:
            self.close_connection = True
            return
        body = b'{"offset": 1, "accepted": 1, "duplicates": 0, "refused": []}'
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = _go  # noqa: N815 - the names that the library asks for

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def flaky(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(tries, "_PAUSE_S", 0.001)
    server = HTTPServer(("127.0.0.1", 0), Flaky)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    Flaky.asked.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("script", "method", "tries", "well"),
    [
        ([503, 429, 200], "events", 3, True),
        ([None, None, 200], "events", 3, True),
        ([502, 200], "events", 2, True),
        ([503] * 9, "events", 4, False),
        ([500, 200], "events", 1, False),
        ([422, 200], "events", 1, False),
        ([503, 200], "forget", 2, True),
        ([None, 200], "forget", 1, False),
        ([502, 200], "forget", 1, False),
    ],
)
def test_what_is_tried_again(flaky: str, script: list[int | None], method: str, tries: int, well: bool) -> None:
    Flaky.script[:] = script
    with Client(flaky, retries=3) as client:
        call = (lambda: client.events([EVENT])) if method == "events" else (lambda: client.forget("a"))
        if well:
            assert call().offset == 1
        else:
            with pytest.raises(ServiceError):
                call()
    assert len(Flaky.asked) == tries


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "_PAUSE_S", 0.001)
    with Client("http://127.0.0.1:9") as client, pytest.raises(ServiceError, match="chronotope serve"):
        client.model()
