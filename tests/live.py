"""The live service on a toy champion, in process: what the tests of the HTTP face stand on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from fastapi.testclient import TestClient

from bento.app import App
from bento.guard.keys import Keys
from bento.guard.log import RequestLog
from bento.worker import Worker
from components.params import Params, PolicyParams, load_params
from components.serving.champion import Champion
from components.serving.live import Live
from components.serving.state.memory import MemoryState
from tests.serving import ROOT, Holder, toy_champion

PLAIN = {
    "order": "plain", "weight": 1.0, "alike": ["category"], "place_km": 2.0, "half_life_days": None,
    "max_per_category": None, "drop_seen": False, "skip_recent_h": 0.0, "max_price": None, "radius_km": None,
}  # fmt: skip


def params_with(**sections: dict[str, Any]) -> Params:
    """The demonstration's params with some keys of some sections changed, and no rules."""
    params = load_params(ROOT / "params.yaml")
    record = params.model_dump()
    record["policy"] |= {"rules": dict.fromkeys(("new", "active", "returning"), PLAIN)}
    for name, change in sections.items():
        record[name] |= change
    return Params.model_validate(record)


@cache
def _shared() -> Champion:
    """One champion for all who do not look at what it counts: fitting it takes a second."""
    return toy_champion()


def toy_worker(params: Params | None = None, champion: Champion | None = None) -> Worker:
    """A worker that nothing follows: what comes in is counted at once. Who sends events brings their own champion."""
    params = params or params_with()
    holder, state = Holder(champion or _shared()), MemoryState()
    return Worker(params, Live(holder, state, params), holder, state)  # type: ignore[arg-type]


def toy_app(
    params: Params | None = None,
    champion: Champion | None = None,
    keys: Keys | None = None,
    write: Callable[[bytes], Any] = lambda _: None,
    policy: PolicyParams | None = None,
) -> App:
    """The app around a toy worker; without keys everybody is answered."""
    params = params or params_with()
    if policy is not None:
        params = params.model_copy(update={"policy": policy})
    app = App(params, keys or Keys(open_to_all=True), log=RequestLog(params.guard.log, write))
    app.worker = toy_worker(params, champion)
    return app


def toy_client(*arguments: Any, address: str = "127.0.0.1", **named: Any) -> TestClient:
    """A client of a toy app, from an address."""
    return TestClient(toy_app(*arguments, **named), base_url="http://localhost", client=(address, 50_000))
