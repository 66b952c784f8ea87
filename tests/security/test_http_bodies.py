"""Bodies that a service meets in the wild: refused with one clear message, at once, and without harm."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from components.params import load_params
from tests.live import toy_client
from tests.serving import ROOT

SERVING = load_params(ROOT / "params.yaml").serving
JSON = {"content-type": "application/json"}
GOOD = {"user_id": "user00001", "time": "2025-03-01T12:00:00Z"}
EVENT = {"item_id": "item00001", "action": "view", "timestamp": "2025-02-28T10:00:00Z"}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with toy_client() as one:
        yield one
        assert one.post("/v1/predict", json=GOOD).status_code == 200, "the service outlives all of it"
        assert one.post("/v1/explain", json=GOOD).status_code == 200


@pytest.fixture(scope="module", params=["/v1/predict", "/v1/explain"])
def route(request: pytest.FixtureRequest) -> str:
    """Every route that takes a body."""
    return str(request.param)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, None),
        ({"user_id": ""}, "user_id"),
        ({"user_id": "u" * 257}, "user_id"),
        ({"user_id": 7}, "user_id"),
        (GOOD | {"surprise": 1}, "surprise"),
        (GOOD | {"k": 0}, "k"),
        (GOOD | {"k": SERVING.max_k + 1}, "k"),
        (GOOD | {"k": "many"}, "k"),
        (GOOD | {"k": "10"}, "k"),
        (GOOD | {"k": 10.0}, "k"),
        (GOOD | {"k": True}, "k"),
        (GOOD | {"time": 1_740_830_400}, "time"),
        (GOOD | {"latitude": "48.8", "longitude": 2.3}, "latitude"),
        (GOOD | {"filters": {"seen": 1}}, "filters.seen"),
        (GOOD | {"filters": {"max_price": "5"}}, "filters.max_price"),
        ({"history": [EVENT | {"duration_s": "5"}]}, "history.0.duration_s"),
        (GOOD | {"time": "2025-03-01T12:00:00"}, "time"),
        (GOOD | {"time": "yesterday"}, "time"),
        (GOOD | {"latitude": 91, "longitude": 0}, "latitude"),
        (GOOD | {"latitude": 48.0}, None),
        (GOOD | {"filters": {"radius_km": 5}}, None),
        (GOOD | {"filters": {"radius_km": -1}, "latitude": 1, "longitude": 1}, "filters.radius_km"),
        ({"history": [EVENT | {"duration_s": -1}]}, "history.0.duration_s"),
        ({"history": [EVENT | {"value": 1e400}]}, None),
        ({"history": [EVENT | {"utc_offset_min": 10_000}]}, "history.0.utc_offset_min"),
        ({"history": [{"item_id": "a"}]}, "history.0.action"),
        ({"history": "all"}, "history"),
        ({"history": [EVENT] * (SERVING.max_inline_events + 1)}, "history"),
        ([], None),
        (None, None),
    ],
)
def test_a_body_that_breaks_the_schema(client: TestClient, route: str, body: object, where: str | None) -> None:
    answer = client.post(route, content=json.dumps(body), headers=JSON)
    assert answer.status_code in {400, 422}
    found = answer.json()
    assert found["error"]
    if where is not None:
        assert found["where"] == where


@pytest.mark.parametrize("text", ["", "{", "nonsense", '{"user_id": "a", "time": NaN}', "[" * 100_000, b"\xff\xfe{}"])
def test_a_body_that_is_not_json(client: TestClient, route: str, text: str | bytes) -> None:
    answer = client.post(route, content=text, headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/vnd.bentoml+pickle", "application/x-www-form-urlencoded", ""]
)
def test_another_content_type(client: TestClient, route: str, kind: str) -> None:
    assert client.post(route, content=json.dumps(GOOD), headers={"content-type": kind}).status_code == 415


def test_a_compressed_body_is_not_unpacked(client: TestClient, route: str) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    assert client.post(route, content=bomb, headers=JSON | {"content-encoding": "gzip"}).status_code == 415


def test_a_body_over_the_limit_is_refused_before_it_is_read(client: TestClient, route: str) -> None:
    answer = client.post(route, content=b"x" * (SERVING.max_body_bytes + 1), headers=JSON)
    assert answer.status_code == 413

    def endless() -> Iterator[bytes]:  # no content-length: counted as it comes
        for _ in range(2 * SERVING.max_body_bytes // 65_536):
            yield b"x" * 65_536

    assert client.post(route, content=endless(), headers=JSON).status_code == 413


def test_nothing_of_the_input_comes_back(client: TestClient, route: str) -> None:
    secret = "a-very-private-name"
    answer = client.post(route, json={"user_id": secret * 30})
    assert answer.status_code == 422
    assert secret not in answer.text


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (GOOD | {"items": []}, "items"),
        (GOOD | {"items": "item00001"}, "items"),
        (GOOD | {"items": ["item00001", 7]}, "items.1"),
        (GOOD | {"items": ["i" * 257]}, "items.0"),
        (GOOD | {"items": ["item00001"] * (SERVING.explain_items + 1)}, "items"),
        (GOOD | {"k": SERVING.explain_items + 1}, "k"),
        (GOOD | {"gradients": 1}, "gradients"),
        (GOOD | {"gradients": "yes"}, "gradients"),
    ],
)
def test_a_request_for_reasons_that_breaks_the_schema(client: TestClient, body: object, where: str) -> None:
    answer = client.post("/v1/explain", content=json.dumps(body), headers=JSON)
    assert (answer.status_code, answer.json()["where"]) == (422, where)


def test_items_that_are_paths_or_reserved_are_not_in_the_catalogue(client: TestClient) -> None:
    for name in ("../../etc/passwd", "${HOME}", "\x00padding", "\x01unknown"):
        answer = client.post("/v1/explain", json=GOOD | {"items": [name]})
        assert answer.status_code == 422
        assert name not in answer.text


def test_ids_that_are_paths_or_code_are_only_strings(client: TestClient) -> None:
    for name in ("../../etc/passwd", "'; DROP TABLE users; --", "${HOME}", "\x00padding", "\x01unknown"):
        answer = client.post("/v1/predict", json=GOOD | {"user_id": name, "history": [EVENT | {"item_id": name}]})
        assert answer.status_code == 200
        assert name not in {item["item_id"] for item in answer.json()["items"]}


@pytest.mark.parametrize("field", ["value", "duration_s"])
def test_a_number_that_no_model_can_hold_is_refused(client: TestClient, route: str, field: str) -> None:
    answer = client.post(route, json={"history": [EVENT | {field: 1e308}]})
    assert (answer.status_code, answer.json()["where"]) == (422, f"history.0.{field}")
    assert client.post(route, json={"history": [EVENT | {field: 1e29}]}).status_code == 200
