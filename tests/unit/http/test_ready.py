"""What makes the service not ready, and what it tells as a degraded one; whether it lives is another matter."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from bento import readiness
from bento.app import App
from bento.readiness import FAILURES
from bento.worker import Worker
from components.errors import ServiceError, TrainingError
from tests.live import toy_app
from tests.serving import toy_champion
from tests.unit.http.test_arms import Halves

ASK = {"user_id": "user00003", "k": 2}
Asked = tuple[TestClient, Worker]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    monkeypatch.setattr(readiness, "_AGAIN_S", 0.0)
    app: App = toy_app()
    assert app.worker is not None
    return TestClient(app, base_url="http://localhost", client=("127.0.0.1", 1)), app.worker


def fails(worker: Worker, error: Exception, at: Callable[[str | None], bool] = lambda _: True) -> None:
    """Let the model fail at the questions of some users."""
    real = worker.live._asked

    def answer(model: Any, question: Any, policy: Any) -> Any:
        if at(question.user_id):
            raise error
        return real(model, question, policy)

    worker.live._asked = answer  # type: ignore[method-assign]


@pytest.mark.parametrize(("error", "status"), [(MemoryError(), 500), (ServiceError("a", found="b", do="c"), 503)])
def test_where_every_question_fails_it_is_not_ready_until_one_is_answered(
    asked: Asked, error: Exception, status: int
) -> None:
    client, worker = asked
    real = worker.live._asked
    fails(worker, error)
    for _ in range(FAILURES):
        assert client.get("/readyz").json() == {"status": "ok"}
        assert client.post("/v1/predict", json=ASK).status_code == status
    found = client.get("/readyz")
    assert (found.status_code, found.json()["error"]) == (503, "every question fails")
    assert client.get("/livez").json() == client.get("/healthz").json() == {"status": "ok"}
    worker.live._asked = real  # type: ignore[method-assign]
    assert client.get("/readyz").json() == {"status": "degraded", "degraded": ["questions fail"]}
    assert client.post("/v1/recommend", json=ASK).status_code == 200
    assert client.get("/readyz").json() == {"status": "ok"}


def test_a_question_that_fails_by_itself_takes_the_service_from_nobody(asked: Asked) -> None:
    client, worker = asked
    fails(worker, MemoryError(), lambda user: user == "user00003")
    for _ in range(3 * FAILURES):
        assert client.post("/v1/predict", json=ASK).status_code == 500
    found = client.get("/readyz")
    assert (found.status_code, found.json()) == (200, {"status": "degraded", "degraded": ["questions fail"]})


def test_questions_that_are_wrong_are_no_failures(asked: Asked) -> None:
    client, _ = asked
    for _ in range(2 * FAILURES):
        assert client.post("/v1/predict", json=ASK | {"k": 0}).status_code == 422
        assert client.post("/v1/predict", json=ASK | {"filters": {"radius_km": 1.0}}).status_code == 422
    assert client.get("/readyz").json() == {"status": "ok"}


def test_questions_are_tried_no_more_than_once_a_second() -> None:
    worker, now, tried = toy_app().worker, [100.0], []
    assert worker is not None
    ready = readiness.Readiness(worker.live, lambda: now[0])
    fails(worker, MemoryError(), lambda user: tried.append(user) is None)
    assert (ready.able(), ready.able()) == (False, False)
    once = len(tried)
    now[0] += 1.0
    assert not ready.able()
    assert (once, len(tried)) == (readiness._TRIED, 2 * once)


def test_a_slow_trial_holds_for_a_second_and_nobody_waits_for_it() -> None:
    worker, now, tried, beside = toy_app().worker, [100.0], [], []
    assert worker is not None
    ready = readiness.Readiness(worker.live, lambda: now[0])

    def slow(user: str | None) -> bool:
        tried.append(user)
        now[0] += 2.0
        beside.append(others.submit(ready.able).result(timeout=2))
        return True

    fails(worker, MemoryError(), slow)
    with ThreadPoolExecutor(readiness._TRIED) as others:
        assert (ready.able(), ready.able()) == (False, False)
        assert len(tried) == readiness._TRIED
        now[0] += 1.0
        assert not ready.able()
    once = readiness._TRIED
    assert beside == [True] * once + [False] * once  # at first nothing was known yet


def test_what_is_only_degraded_is_told_in_fixed_words(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    client, worker = asked
    worker.watch.last_error = "Needed the bytes of /srv/shop; found others"
    found = client.get("/readyz")
    assert (found.status_code, found.json()["degraded"]) == (200, ["the newest promotion was refused"])
    worker.watch.last_error = None
    halves = Halves(toy_champion(sequence=2))
    halves.error = "the challenger failed"  # type: ignore[attr-defined]
    worker.arms = halves  # type: ignore[assignment]
    assert client.get("/readyz").json()["degraded"] == ["the experiment rests"]
    worker.arms = None

    def throw(*_: Any) -> None:
        raise TrainingError("a", found="b", do="c")

    followed = worker.live.of(worker.live.champion)
    real = followed.follow
    monkeypatch.setattr(followed, "follow", throw)
    event = {"user_id": "a", "item_id": "item00003", "action": "view", "timestamp": "2025-01-01T00:00:00Z"}
    assert client.post("/v1/events", json={"events": [event]}).json()["accepted"] == 1
    assert client.get("/readyz").json()["degraded"] == ["what comes in is not counted"]
    monkeypatch.setattr(followed, "follow", real)
    worker.live.follow()
    assert client.get("/readyz").json() == {"status": "ok"}


def test_about_to_end_it_is_not_ready(asked: Asked) -> None:
    client, worker = asked
    worker.closing.set()
    assert client.get("/readyz").status_code == 503
    assert client.get("/livez").status_code == 200
