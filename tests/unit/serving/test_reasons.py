"""The route of reasons: what it says of known, inline and new users, and that it stands in nobody's way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from fastapi.testclient import TestClient

from bento.routes import predict
from components.serving.champion import Champion
from tests.live import params_with, toy_client
from tests.serving import toy_champion

NOW = {"time": "2025-03-01T12:00:00Z"}
EVENT = {"item_id": "item00007", "action": "view", "timestamp": "2025-02-28T10:00:00Z"}


@pytest.fixture(scope="module")
def champion() -> Champion:
    return toy_champion()


@pytest.fixture(scope="module")
def client(champion: Champion) -> Iterator[TestClient]:
    with toy_client(champion=champion) as one:
        yield one


def why(client: TestClient, **body: object) -> dict:
    answer = client.post("/v1/explain", json={**NOW, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_it_explains_the_answer_that_is_given(client: TestClient) -> None:
    found = why(client, user_id="user00003", k=3)
    asked = client.post("/v1/predict", json={**NOW, "user_id": "user00003", "k": 3}).json()
    assert [item["item_id"] for item in found["items"]] == [item["item_id"] for item in asked["items"]]
    assert [item["probability"] for item in found["items"]] == pytest.approx(
        [item["probability"] for item in asked["items"]], rel=1e-4
    )
    assert (found["history_events"], found["events_explained"]) == (40, 40)
    assert found["model"]["version"] == 1
    for item in found["items"]:  # three habits: each is carried by its own events
        strongest = item["items"][0]
        assert strongest["item_id"] == item["item_id"]
        assert strongest["effect"] > 1
        assert strongest["probability_without"] == pytest.approx(item["probability"] * np.exp(-strongest["effect"]))
        assert item["sentences"][0].startswith("Because you ")
        assert item["item_id"] in item["sentences"][0]
        assert f"({strongest['events']} times" in item["sentences"][0]
        assert sum(part["share"] for part in item["parts"]) == pytest.approx(1, abs=1e-4)
        assert sum(one["events"] for one in item["items"]) == 40
        assert len(item["events"]) == 40


def test_items_that_are_named_come_in_their_order(client: TestClient) -> None:
    found = why(client, user_id="user00003", items=["item00019", "item00002"])
    assert [item["item_id"] for item in found["items"]] == ["item00019", "item00002"]


def test_an_item_that_nobody_knows_is_refused_without_repeating_it(client: TestClient) -> None:
    answer = client.post("/v1/explain", json={**NOW, "user_id": "user00003", "items": ["item00002", "a-private-name"]})
    assert answer.status_code == 422
    assert "at place 2 of 2" in answer.json()["error"]
    assert "private" not in answer.text


def test_inline_and_unknown_users(client: TestClient) -> None:
    found = why(client, history=[EVENT, EVENT | {"timestamp": "2025-02-28T11:00:00Z"}], k=1)
    assert found["items"][0]["items"][0]["events"] == 2
    assert found["items"][0]["events"][0]["timestamp"].startswith("2025-02-28T1")
    nobody = why(client, user_id="nobody", k=1)
    assert nobody["history_events"] == 0
    assert nobody["items"][0]["events"] == []
    assert nobody["items"][0]["probability"] == pytest.approx(nobody["items"][0]["without_history"])
    assert nobody["items"][0]["sentences"]


def test_an_event_of_an_unknown_item_has_no_name(client: TestClient) -> None:
    found = why(client, history=[EVENT, EVENT | {"item_id": "never met", "action": "never done"}], k=1)
    strange = [one for one in found["items"][0]["events"] if one["item_id"] is None]
    assert [(one["title"], one["action"]) for one in strange] == [("", None)]


def test_only_the_newest_events_are_left_out(champion: Champion) -> None:
    with toy_client(params_with(serving={"explain_events": 5}), champion) as client:
        found = why(client, user_id="user00003", k=1)
    assert (found["history_events"], found["events_explained"]) == (40, 5)
    assert len(found["items"][0]["events"]) == 5


def test_a_filter_that_leaves_nothing_has_nothing_to_explain(client: TestClient) -> None:
    assert why(client, user_id="user00003", filters={"categories": ["no such"]})["items"] == []


def test_predictions_are_answered_while_reasons_are_worked_out(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, leave = threading.Event(), threading.Event()
    worker = client.app.worker  # type: ignore[attr-defined]
    slow = worker.live.explain

    def waiting(*arguments: object) -> object:
        entered.set()
        assert leave.wait(30)
        return slow(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(worker.live, "explain", waiting)
    monkeypatch.setattr(predict, "_WAITING", 2)
    answers: list[int] = []

    def one() -> None:
        answers.append(client.post("/v1/explain", json={**NOW, "user_id": "user00003", "k": 1}).status_code)

    first = threading.Thread(target=one)
    first.start()
    assert entered.wait(30)
    assert client.post("/v1/predict", json={**NOW, "user_id": "user00003"}).status_code == 200
    others = [threading.Thread(target=one) for _ in range(2)]
    for thread in others:
        thread.start()
    deadline = time.monotonic() + 30
    while worker.explaining < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    refused = client.post("/v1/explain", json={**NOW, "user_id": "user00003"})
    assert refused.status_code == 503
    assert "ask again" in refused.json()["error"]
    leave.set()
    for thread in (first, *others):
        thread.join(30)
    assert answers == [200, 200, 200]
