"""Whether the service lives and is ready, `/metrics`, and the document of the API."""

from __future__ import annotations

from bento.exchange import Call, Refusal, Reply, dumped
from bento.metrics.metrics import KIND
from bento.routes.route import Route
from bento.worker import Worker


async def live(_: Call, __: Worker) -> Reply:
    """It answers, so it lives."""
    return Reply(b'{"status":"ok"}')


async def ready(_: Call, worker: Worker) -> Reply:
    """The champion is verified, loaded and warm, it answers, and the service is not about to end."""
    if worker.closing.is_set():
        raise Refusal(503, "the service is about to end")
    if worker.readiness.suspect and not await worker.beside(worker.readiness.able):
        raise Refusal(503, "every question fails")
    degraded = worker.degraded()
    return Reply(dumped({"status": "degraded", "degraded": degraded} if degraded else {"status": "ok"}))


async def metrics(_: Call, worker: Worker) -> Reply:
    """All counters."""
    return Reply(await worker.beside(worker.page), kind=KIND)


ROUTES = (
    Route("GET", "/livez", "livez", "Whether the process answers.", None, live, "application/json", described=False),
    Route("GET", "/healthz", "healthz", "The same.", None, live, "application/json", described=False),
    Route("GET", "/readyz", "readyz", "Whether a champion answers.", None, ready, "application/json",
          described=False),
    Route("GET", "/metrics", "metrics", "Latency, freshness, state, drift, arms: for Prometheus.", "metrics", metrics,
          "text/plain"),
)  # fmt: skip
