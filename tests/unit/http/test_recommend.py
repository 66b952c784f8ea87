"""`/v1/recommend`: items alone, under filters and under rules that a request may override."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from bento.routes.predict import overridden
from tests.live import params_with, toy_client

NOW = {"time": "2025-03-01T12:00:00Z", "user_id": "user00003"}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with toy_client() as one:
        yield one


def items(client: TestClient, **body: object) -> list[dict]:
    found = client.post("/v1/recommend", json={**NOW, **body})
    assert found.status_code == 200, found.text
    return found.json()["items"]


def test_it_is_the_list_of_the_prediction_and_nothing_else(client: TestClient) -> None:
    found = client.post("/v1/recommend", json={**NOW, "k": 7}).json()
    asked = client.post("/v1/predict", json={**NOW, "k": 7}).json()
    assert not set(found) & {"actions", "next_event", "places"}
    assert found == {key: asked[key] for key in found}


def test_filters(client: TestClient) -> None:
    habits = {one["item_id"] for one in items(client, k=3)}
    assert not habits & {one["item_id"] for one in items(client, k=20, filters={"seen": False})}
    assert {one["category"] for one in items(client, k=20, filters={"categories": ["category1"]})} == {"category1"}
    assert 0 < len(items(client, k=20, filters={"max_price": 20.0})) < 20
    near = items(client, k=20, latitude=48.85, longitude=2.37, filters={"radius_km": 3.0})
    assert 0 < len(near) < 20


def test_another_order_for_this_request_alone(client: TestClient) -> None:
    plain = items(client, k=4)
    diverse = items(client, k=4, order="diverse", weight=0.0)
    assert len({one["category"] for one in diverse}) == 4
    assert diverse != plain
    assert items(client, k=4) == plain
    assert items(client, k=4, order="plain") == plain
    capped = [one["category"] for one in items(client, k=4, max_per_category=1)]
    assert len(set(capped)) == len(capped)
    assert client.post("/v1/recommend", json={**NOW, "order": "calibrated"}).json()["rules"] == ["calibrated"]


def test_what_is_not_overridden_stays_as_the_policy_has_it() -> None:
    policy = params_with().policy
    base = policy.model_dump_json().encode()
    changed = overridden("diverse", 0.3, None, base)
    for segment, rule in changed.rules.items():
        assert rule == policy.rules[segment].model_copy(update={"order": "diverse", "weight": 0.3})
    assert overridden(None, 0.5, 2, base).rules["new"].max_per_category == 2
    assert overridden(None, 0.5, 2, base).rules["new"].order == policy.rules["new"].order


@pytest.mark.parametrize(
    ("change", "where"),
    [({"order": "best"}, "order"), ({"weight": 2}, "weight"), ({"max_per_category": 0}, "max_per_category"),
     ({"k": 101}, "k"), ({"items": ["a"]}, "items")],
)  # fmt: skip
def test_a_request_that_is_none(client: TestClient, change: dict, where: str) -> None:
    found = client.post("/v1/recommend", json=NOW | change)
    assert (found.status_code, found.json()["where"]) == (422, where)
