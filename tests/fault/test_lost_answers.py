"""An answer that is lost on the way: the client asks again, and an experiment notes one list."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from bento.app import App
from bento.client import AsyncClient, Client, calls, tries
from bento.guard.keys import Keys
from bento.guard.log import RequestLog
from bento.life import ABORT
from bento.worker import Worker
from components.experiments.exposure import Evidence
from components.params import Params
from tests.running import running
from tests.serving import Holder
from tests.unit.experiments.test_live_arms import Service, packed_workspace

Answers = list[Any]


class Losing:
    """The app, whose first answers to questions never arrive, though they were worked out."""

    def __init__(self, app: App, losses: int) -> None:
        self._app, self.left = app, losses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lost = scope["type"] == "http" and scope["path"] == "/v1/predict" and self.left > 0
        if not lost:
            await self._app(scope, receive, send)
            return
        self.left -= 1

        async def nowhere(_: Any) -> None:
            return

        await self._app(scope, receive, nowhere)
        scope["extensions"][ABORT]["abort"]()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str, Params]:
    return packed_workspace(tmp_path_factory.mktemp("lost"))


def _waiting(url: str) -> Answers:
    with Client(url) as client:
        return [client.predict("user00003", k=3) for _ in range(2)]


def _looping(url: str) -> Answers:
    async def ask() -> Answers:
        async with AsyncClient(url) as client:
            return [await client.ask(calls.predict("user00003", k=3)) for _ in range(2)]

    return asyncio.run(ask())


@pytest.mark.parametrize("ask", [_waiting, _looping])
def test_a_question_that_is_sent_again_leaves_one_list(
    template: tuple[Path, str, str, Params], ask: Callable[[str], Answers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tries, "_PAUSE_S", 0.001)
    service = Service(template, explore=1.0)
    service.arms._clock = service.live._clock = lambda: dt.datetime.now(dt.UTC)
    holder = Holder(service.live.champion)
    worker = Worker(service.params, service.live, holder, service.state, service.arms)  # type: ignore[arg-type]
    app = App(service.params, Keys(open_to_all=True), log=RequestLog("refused", lambda _: None))
    app.worker = worker
    with running(Losing(app, losses=2)) as url:  # type: ignore[arg-type]
        first, second = ask(url)
    evidence = Evidence(service.plan)
    evidence.follow(service.state)
    lists = evidence.shown.group_by("list_id", maintain_order=True).agg("item_id", "probability")
    assert lists["list_id"].to_list() == [first.list_id, second.list_id]
    assert lists["item_id"].to_list() == [[one.item_id for one in answer.items] for answer in (first, second)]
    assert lists["probability"].to_list() == [first.chances, second.chances]
