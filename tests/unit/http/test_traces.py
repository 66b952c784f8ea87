"""Traces reach a collector where one is named, say nothing of people, and are nobody's business where none is."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import httpx
import pytest

from tests.live import toy_app, toy_client
from tests.running import running
from tests.serving import ROOT


class Collector(BaseHTTPRequestHandler):
    """Takes what comes."""

    taken: ClassVar[list[tuple[str, dict[str, str], Any]]] = []

    def _post(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.taken.append((self.path, dict(self.headers), json.loads(body)))
        self.send_response(200)
        self.end_headers()

    do_POST = _post  # noqa: N815 - the name that the library asks for

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    Collector.taken.clear()
    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-token=a%20b")
    yield url
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_request_is_a_span_of_its_callers_trace(collector: str) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with toy_client() as client:
        client.get("/v1/users/a-private-person/timeline", headers={"traceparent": parent, "x-request-id": "r-1"})
        client.get("/v1/none")
    [(path, headers, said)] = Collector.taken  # sent at the end, together
    assert (path, headers["x-token"]) == ("/v1/traces", "a b")
    [resource] = said["resourceSpans"]
    assert {"key": "service.name", "value": {"stringValue": "chronotope"}} in resource["resource"]["attributes"]
    first, second = resource["scopeSpans"][0]["spans"]
    assert (first["traceId"], first["parentSpanId"]) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert (first["name"], first["kind"]) == ("GET timeline", 2)
    assert 0 < int(first["endTimeUnixNano"]) - int(first["startTimeUnixNano"]) < 60e9
    told = {one["key"]: one["value"] for one in first["attributes"]}
    assert told["http.response.status_code"] == {"intValue": "200"}
    assert told["chronotope.request_id"] == {"stringValue": "r-1"}
    assert second["traceId"] != first["traceId"]
    assert "a-private-person" not in json.dumps(said)


def test_a_running_service_exports_where_it_is_configured_and_sends_nothing_otherwise(
    collector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(toy_app()) as url:
        assert httpx.get(f"{url}/v1/model").status_code == 200
    assert len(Collector.taken) == 1
    Collector.taken.clear()
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")  # its headers stay: they alone turn nothing on
    with running(toy_app()) as url:
        assert httpx.get(f"{url}/v1/model", headers={"traceparent": f"00-{7:032x}-{7:016x}-01"}).status_code == 200
    assert Collector.taken == []


def test_a_collector_that_is_away_is_in_nobodys_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with toy_client() as client:
        assert client.get("/v1/model").status_code == 200


def test_without_a_collector_nothing_of_it_is_loaded() -> None:
    program = "import sys, bento.app; sys.exit('bento.trace' in sys.modules)"
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0
