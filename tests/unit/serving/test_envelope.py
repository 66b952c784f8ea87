"""What surrounds an answer: headers, a request id, JSON for every refusal, and a description that holds together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from bento.app import make_app
from bento.envelope import PATHS, Envelope
from components.params import load_params
from tests.serving import ROOT


def broken() -> None:
    raise RuntimeError("a secret of the inside")


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    app = make_app(broken, load_params(ROOT / "params.yaml").serving)  # type: ignore[arg-type]
    with TestClient(Envelope(app), raise_server_exceptions=False) as one:
        yield one


def test_a_failure_inside_is_clean_json(client: TestClient) -> None:
    for found in (
        *(client.post(f"/v1/{one}", json={"user_id": "a"}) for one in ("predict", "explain")),
        client.get("/v1/model"),
    ):
        assert found.status_code == 500
        assert found.json() == {"error": "the service failed"}
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/docs.json", "/schema.json", "/v1/none", "/static_content/index.css"])
def test_other_paths_are_not_found(client: TestClient, path: str) -> None:
    found = client.get(path)
    assert found.status_code == 404
    assert found.json()["error"]


def test_another_method_is_refused_as_json(client: TestClient) -> None:
    found = client.get("/v1/predict")
    assert (found.status_code, found.headers["allow"]) == (405, "POST")
    assert found.json() == {"error": "Method Not Allowed"}


def test_a_request_id_comes_back_if_it_is_one(client: TestClient) -> None:
    assert client.get("/", headers={"x-request-id": "trace-7.a:b_c"}).headers["x-request-id"] == "trace-7.a:b_c"
    for bad in ("", "a b", "x" * 129, "<script>"):
        given = client.get("/", headers={"x-request-id": bad}).headers["x-request-id"]
        assert re.fullmatch("[0-9a-f]{32}", given)


def test_every_reference_of_the_description_leads_somewhere(client: TestClient) -> None:
    described = client.get("/v1/openapi.json").json()
    text = json.dumps(described)
    names = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert {
        "PredictRequest",
        "ExplainRequest",
        "ExplainResponse",
        "PastEvent",
        "Filters",
        "PredictResponse",
        "ModelState",
        "ErrorResponse",
    } <= names
    assert names <= set(described["components"]["schemas"])
    assert "$defs" not in text
    assert set(described["paths"]) <= PATHS
