"""`GET /v1/evolution`: what the newest report of `chronotope evolve` found, in short. Nothing is computed here."""

from __future__ import annotations

from bento.exchange import Call, Refusal, Reply
from bento.routes.route import Route
from bento.schemas.evolution import EvolutionResponse
from bento.worker import Worker


async def evolution(_: Call, worker: Worker) -> Reply:
    """The newest report in short."""
    told = None if worker.evolved is None else await worker.beside(worker.evolved.read)
    if told is None:
        raise Refusal(404, "needed a report, found none: run `chronotope evolve`")
    return Reply(told)


ROUTES = (
    Route("GET", "/v1/evolution", "evolution", "How behaviour evolves: forecasts, unusual days, states of life, "
          "interests of segments, hot spots, dense areas, kinds of users, patterns, and what changed since the report "
          "before.", "read",
          evolution, EvolutionResponse, refuses=(404,)),
)  # fmt: skip
