"""What surrounds every answer: headers, a request id, JSON for every refusal, and a description that holds together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from bento.guard.headers import CSP
from bento.routes.route import Route
from bento.routes.table import ROUTES
from tests.live import toy_app, toy_client


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with toy_client() as one:
        yield one


def test_a_failure_inside_is_clean_json_and_its_words_stay_inside() -> None:
    lines: list[bytes] = []
    app = toy_app(write=lines.append)

    def broken(*_: object) -> None:
        raise RuntimeError("a secret of user00003")

    app.worker.live.answer = broken  # type: ignore[union-attr, method-assign, assignment]
    with TestClient(app, client=("127.0.0.1", 1)) as one:
        found = one.post("/v1/predict", json={"user_id": "user00003"})
    assert (found.status_code, found.json()) == (500, {"error": "the service failed"})
    assert found.headers["x-content-type-options"] == "nosniff"
    log = b"".join(lines).decode()
    assert "RuntimeError" in log
    assert found.headers["x-request-id"] in log
    assert "user00003" not in log
    assert "secret" not in log


@pytest.mark.parametrize("path", ["/docs", "/docs.json", "/schema.json", "/v1/none", "/static_content/index.css",
                                  "/v1/users", "/v1/users/", "/v1/users/a/b", "/v1/users/{user_id}",
                                  "/page/"])  # fmt: skip
def test_other_paths_are_not_found(client: TestClient, path: str) -> None:
    found = client.get(path)
    assert found.status_code in {404, 405}
    assert found.json()["error"]


def test_another_method_is_refused_as_json(client: TestClient) -> None:
    found = client.get("/v1/predict")
    assert (found.status_code, found.headers["allow"]) == (405, "POST")
    assert client.put("/v1/model").headers["allow"] == "GET, HEAD"
    assert found.json()["error"]


def test_a_look_at_the_head_alone_has_the_headers_and_no_body(client: TestClient) -> None:
    found = client.head("/v1/model")
    assert (found.status_code, found.content) == (200, b"")
    assert int(found.headers["content-length"]) == len(client.get("/v1/model").content)


def test_a_request_id_comes_back_if_it_is_one(client: TestClient) -> None:
    assert client.get("/livez", headers={"x-request-id": "trace-7.a:b_c"}).headers["x-request-id"] == "trace-7.a:b_c"
    for bad in ("", "a b", "x" * 129, "<script>"):
        given = client.get("/livez", headers={"x-request-id": bad}).headers["x-request-id"]
        assert re.fullmatch("[0-9a-f]{32}", given)


def test_no_answer_is_kept_and_none_may_run_anything(client: TestClient) -> None:
    for found in (client.get("/v1/model"), client.get("/nothing"), client.get("/metrics")):
        assert found.headers["cache-control"] == "no-store"
        assert found.headers["content-security-policy"].startswith("default-src 'none'")
        assert found.headers["x-frame-options"] == "DENY"
        assert found.headers["referrer-policy"] == "no-referrer"


def test_the_page_may_load_only_what_is_beside_it() -> None:
    rules = dict(one.split(maxsplit=1) for one in CSP.decode().split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert "unsafe" not in CSP.decode()
    assert "http" not in CSP.decode()


def test_every_reference_of_the_description_leads_somewhere(client: TestClient) -> None:
    described = client.get("/v1/openapi.json").json()
    text = json.dumps(described)
    names = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert names <= set(described["components"]["schemas"])
    assert "$defs" not in text
    assert set(described["components"]["schemas"]) - names <= {"ErrorResponse"}, "no shape that nothing uses"


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.path.startswith("/v1/")], ids=lambda one: one.name
)
def test_every_route_of_data_is_described(client: TestClient, route: Route) -> None:
    if route.name == "openapi":
        return
    operation = client.get("/v1/openapi.json").json()["paths"][route.path][route.method.lower()]
    assert operation["operationId"] == route.name
    assert operation["security"] == [{"key": []}]
    assert ("requestBody" in operation) == (route.method == "POST")
    assert {"200", "401", "403", "429", "500", "503"} <= set(operation["responses"])


def test_only_pages_and_health_are_open_to_all() -> None:
    assert {route.name for route in ROUTES if route.scope is None} == {
        "livez",
        "healthz",
        "readyz",
        "page",
        "page_file",
    }
    assert {route.name for route in ROUTES if route.scope == "admin"} == {"forget"}
    assert {route.name for route in ROUTES if route.scope == "write"} == {
        "events", "impressions", "feedback", "positions"
    }  # fmt: skip
