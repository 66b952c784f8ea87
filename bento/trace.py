"""Traces of requests for OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT names a collector; else this is not loaded.

One span for each request: its route, status and times, under the trace that the caller's `traceparent` names. Spans go
out in batches as OTLP over HTTP in JSON, from a thread of the SDK; what the collector does not take is lost, and nobody
waits for it. Never here: paths, users or bodies.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import httpx
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bento.exchange import Call, dumped

logger = logging.getLogger(__name__)
ENDPOINT, HEADERS = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"
_TIMEOUT_S = 5.0
_FAILED = 500


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": str(value)}


def _attributes(record: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in (record or {}).items()]


def _span(span: ReadableSpan) -> dict[str, Any]:
    context = span.context
    assert context is not None
    parent = {} if span.parent is None else {"parentSpanId": f"{span.parent.span_id:016x}"}
    return parent | {
        "traceId": f"{context.trace_id:032x}",
        "spanId": f"{context.span_id:016x}",
        "name": span.name,
        "kind": span.kind.value + 1,  # the protocol has an "unspecified" before the others
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "attributes": _attributes(span.attributes),
        "status": {"code": span.status.status_code.value},
    }


class Exporter(SpanExporter):
    """Sends spans to a collector."""

    def __init__(self, endpoint: str, headers: Mapping[str, str]) -> None:
        self._url = endpoint.rstrip("/") + "/v1/traces"
        self._http = httpx.Client(timeout=_TIMEOUT_S, headers={"content-type": "application/json"} | dict(headers))

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; what does not arrive is lost."""
        resource = {"attributes": _attributes(spans[0].resource.attributes)}
        scope = {"scope": {"name": "chronotope"}, "spans": [_span(one) for one in spans]}
        try:
            answer = self._http.post(
                self._url, content=dumped({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]})
            )
            answer.raise_for_status()
        except httpx.HTTPError as error:
            logger.warning("%d spans did not reach the collector: %s", len(spans), type(error).__name__)
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the connections."""
        self._http.close()


class Traces:
    """The traces of one worker."""

    def __init__(self, exporter: SpanExporter) -> None:
        named = {SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME", "chronotope")}
        self._provider = TracerProvider(resource=Resource.create(named))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("chronotope")
        self._propagator = TraceContextTextMapPropagator()

    def note(self, call: Call, route: str, status: int, begin_ns: int, end_ns: int) -> None:
        """Note an answered request; times are of the clock, in nanoseconds since 1970."""
        method = call.scope["method"]
        carried = {name: call.header(name.encode()) for name in ("traceparent", "tracestate")}
        span = self._tracer.start_span(
            f"{method} {route}",
            self._propagator.extract(carried),
            SpanKind.SERVER,
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "chronotope.request_id": call.request_id,
            },
            start_time=begin_ns,
        )
        if status >= _FAILED:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end_ns)

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()


def from_environment() -> Traces | None:
    """Traces, where a collector is named; None: there are none."""
    endpoint = os.environ.get(ENDPOINT)
    if not endpoint:
        return None
    pairs = (one.partition("=") for one in os.environ.get(HEADERS, "").split(",") if "=" in one)
    return Traces(Exporter(endpoint, {name.strip(): unquote(value.strip()) for name, _, value in pairs}))
