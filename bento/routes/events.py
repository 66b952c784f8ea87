"""`POST /v1/events`, `/v1/impressions`, `/v1/feedback`, `/v1/positions`: what comes in, one record or a batch.

A record that breaks a rule is refused alone, and the answer says which and why: 200 as long as one record was taken or
was known already, 422 with the same body where every one was refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from bento.exchange import Call, Refusal, Reply, dumped
from bento.guard.bodies import loaded
from bento.routes.route import Handler, Route
from bento.schemas.records import (
    EventsRequest,
    FeedbackRequest,
    ImpressionsRequest,
    NothingTaken,
    PositionsRequest,
    TakenResponse,
)
from bento.worker import Worker
from components.serving.state.record import Kind


def _records(body: bytes, name: str, most: int) -> list[Any]:
    """The list under the one key that a request has."""
    said = loaded(body)
    if not isinstance(said, dict) or set(said) != {name} or not isinstance(said[name], list):
        raise Refusal(422, f'needed {{"{name}": […]}} and nothing else', name)
    records = said[name]
    if not 1 <= len(records) <= most:
        raise Refusal(422, f"needed 1 to {most} records", name)
    return records


def _taking(kind: Kind, name: str) -> Handler:
    async def take(call: Call, worker: Worker) -> Reply:
        records = _records(call.body, name, worker.params.live.max_batch)
        sound = [index for index, one in enumerate(records) if isinstance(one, Mapping)]
        refused = [
            {"index": index, "rule": "no_object", "error": "needed a JSON object"}
            for index, one in enumerate(records)
            if not isinstance(one, Mapping)
        ]
        taken = await worker.take(kind, [records[index] for index in sound])
        refused += [{"index": sound[one.index], "rule": one.rule, "error": one.message} for one in taken.refused]
        refused.sort(key=lambda one: one["index"])  # type: ignore[arg-type, return-value]
        worker.metrics.taken(kind, taken.accepted, taken.duplicates, len(refused))
        answer: dict[str, Any] = {
            "accepted": taken.accepted, "duplicates": taken.duplicates, "refused": refused, "offset": taken.offset
        }  # fmt: skip
        if len(refused) == len(records):
            return Reply(dumped({"error": "every record was refused", "where": name} | answer), 422)
        return Reply(dumped(answer))

    return take


def _route(kind: Kind, name: str, told: str, takes: type[BaseModel]) -> Route:
    return Route(
        "POST", f"/v1/{name}", name, told, "write", _taking(kind, name), TakenResponse, takes, also={422: NothingTaken}
    )


ROUTES = (
    _route("event", "events", "What users did: the next answer knows of it.", EventsRequest),
    _route("impression", "impressions", "What was shown to whom, in which position, with which probability.",
           ImpressionsRequest),
    _route("feedback", "feedback", "What users said: satisfaction, survey answers.", FeedbackRequest),
    _route("position", "positions", "Points of raw traces.", PositionsRequest),
)  # fmt: skip
