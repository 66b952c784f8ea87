"""Users and items that nobody knows, places where longitude jumps and where all longitudes meet: an answer, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from components.serving.champion import UNKNOWN_USER, Champion
from tests.live import toy_client
from tests.serving import toy_champion

AT = "2025-03-01T12:00:00Z"
#: item → where it is.
PLACED = {"item00001": (0.0, 179.95), "item00002": (0.0, -179.95), "item00003": (0.0, 0.0), "item00004": (89.99, 10.0),
          "item00005": (89.99, -170.0), "item00006": (-90.0, 0.0)}  # fmt: skip


def placed() -> Champion:
    """The toy champion, a few of whose items stand at the edges of the map and the others nowhere."""
    champion = toy_champion()
    encoding = champion.encoding
    latitude, longitude = (np.full(encoding.n_items, np.nan, np.float32) for _ in range(2))
    for name, (lat, lon) in PLACED.items():
        code = encoding.vocabularies["item"].code_of[name]
        latitude[code], longitude[code] = lat, lon
    catalogue = replace(encoding.catalogue, latitude=latitude, longitude=longitude)
    object.__setattr__(encoding, "catalogue", catalogue)
    return champion


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with toy_client(champion=placed()) as one:
        yield one


def near(client: TestClient, latitude: float, longitude: float, radius_km: float = 50) -> set[str]:
    asked = {"user_id": "a stranger", "time": AT, "k": 20, "latitude": latitude, "longitude": longitude,
             "filters": {"radius_km": radius_km}}  # fmt: skip
    answer = client.post("/v1/recommend", json=asked)
    assert answer.status_code == 200, answer.text
    return {one["item_id"] for one in answer.json()["items"]}


@pytest.mark.parametrize("longitude", [180.0, -180.0, 179.99, -179.99])
def test_east_and_west_of_the_antimeridian_are_neighbours(client: TestClient, longitude: float) -> None:
    assert near(client, 0.0, longitude) == {"item00001", "item00002"}


@pytest.mark.parametrize("longitude", [-180.0, -45.0, 0.0, 180.0])
def test_at_a_pole_all_longitudes_are_one_place(client: TestClient, longitude: float) -> None:
    assert near(client, 90.0, longitude) == {"item00004", "item00005"}
    assert near(client, -90.0, longitude) == {"item00006"}


def test_the_whole_earth_is_within_half_its_girth(client: TestClient) -> None:
    assert near(client, 0.0, 0.0, 20_040) == set(PLACED)


@pytest.mark.parametrize(("latitude", "longitude"), [(90, 180), (-90, -180), (0, 180), (0, -180), (90, 0), (-90, 12)])
def test_a_question_and_an_event_from_there(client: TestClient, latitude: float, longitude: float) -> None:
    where = {"latitude": latitude, "longitude": longitude}
    event = {"user_id": f"at {latitude} {longitude}", "item_id": "item00003", "action": "view", "timestamp": AT} | where
    assert client.post("/v1/events", json={"events": [event]}).json()["accepted"] == 1
    for user in (event["user_id"], "user00003", "a stranger"):
        answer = client.post("/v1/predict", json={"user_id": user, "time": AT, "k": 5} | where)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["items"]) == 5


@pytest.mark.parametrize(("latitude", "longitude"), [(90.001, 0), (-91, 0), (0, 180.001), (0, -181), (1e308, 0)])
def test_a_place_that_is_none(client: TestClient, latitude: float, longitude: float) -> None:
    where = {"latitude": latitude, "longitude": longitude}
    assert client.post("/v1/predict", json={"user_id": "user00003"} | where).status_code == 422
    event = {"user_id": "a", "item_id": "item00003", "action": "view", "timestamp": AT} | where
    assert client.post("/v1/events", json={"events": [event]}).status_code == 422


def test_nobody_knows_the_user(client: TestClient) -> None:
    known, stranger = (
        client.post("/v1/predict", json={"user_id": user, "time": AT}).json() for user in ("user00003", "never seen")
    )
    assert (known["basis"], stranger["basis"]) == ("history", "nothing_known")
    assert stranger["reason"] == UNKNOWN_USER
    assert (len(stranger["items"]), stranger["history_events"], stranger["segment"]) == (10, 0, "new")
    assert sum(one["probability"] for one in stranger["items"]) > 0.1, "a ranking, and no flat list"


def test_nobody_knows_the_item(client: TestClient) -> None:
    history: list[dict[str, Any]] = [{"item_id": "never heard of", "action": "view", "timestamp": AT}]
    answer = client.post("/v1/predict", json={"history": history, "time": "2025-03-01T13:00:00Z"}).json()
    assert (answer["basis"], answer["history_events"], len(answer["items"])) == ("request", 1, 10)
    assert all(np.isfinite(one["probability"]) for one in answer["items"])
    empty = client.post("/v1/predict", json={"history": [], "time": AT}).json()
    assert (empty["basis"], len(empty["items"])) == ("nothing_known", 10)
    refused = client.post("/v1/explain", json={"user_id": "user00003", "items": ["never heard of"], "time": AT})
    assert refused.status_code == 422
    none = client.post("/v1/recommend", json={"user_id": "user00003", "filters": {"categories": ["no such"]}}).json()
    assert none["items"] == []
