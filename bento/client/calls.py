"""The calls of the service: each a request and the shape of its answer. Nothing is sent here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from bento.schemas.answers import ModelState, PredictResponse, RecommendResponse
from bento.schemas.evolution import EvolutionResponse
from bento.schemas.live import LiveResponse
from bento.schemas.reasons import ExplainResponse
from bento.schemas.records import TakenResponse
from bento.schemas.users import ForgottenResponse, JourneyResponse, TimelineResponse

Answer = TypeVar("Answer", bound=BaseModel)
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """A request and the shape of its answer; `again` = it may be tried again whatever became of it."""

    method: str
    path: str
    gives: type[Answer]
    body: Mapping[str, Any] | None = None
    again: bool = True


def _json(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _json(one) for key, one in value.items()}
    return [_json(one) for one in value] if isinstance(value, list | tuple) else value


def _asking(user_id: str | None, rest: Mapping[str, Any]) -> dict[str, Any]:
    body = _json({"user_id": user_id} | dict(rest))
    return {key: value for key, value in body.items() if value is not None}


def predict(user_id: str | None = None, **asked: Any) -> Call[PredictResponse]:
    """What a user does next; `asked` is the rest of the request's body: history, time, k, filters …"""
    return Call("POST", "/v1/predict", PredictResponse, _asking(user_id, asked))


def recommend(user_id: str | None = None, **asked: Any) -> Call[RecommendResponse]:
    """A list to show; beside what `predict` takes: order, weight, max_per_category."""
    return Call("POST", "/v1/recommend", RecommendResponse, _asking(user_id, asked))


def explain(user_id: str | None = None, **asked: Any) -> Call[ExplainResponse]:
    """Why; beside what `predict` takes: items, gradients."""
    return Call("POST", "/v1/explain", ExplainResponse, _asking(user_id, asked))


def send(kind: str, records: Sequence[Record]) -> Call[TakenResponse]:
    """Records of a kind: events, impressions, feedback or positions."""
    return Call("POST", f"/v1/{kind}", TakenResponse, {kind: _json(list(records))})


def timeline(user_id: str, n: int = 50) -> Call[TimelineResponse]:
    """A user's newest events, newest first."""
    return Call("GET", f"/v1/users/{quote(user_id, safe='')}/timeline?n={n}", TimelineResponse)


def journey(user_id: str, time: dt.datetime | str | None = None) -> Call[JourneyResponse]:
    """A user's interests, life-cycle state and next visit, as of a time with a zone; None = now."""
    asked = "" if time is None else f"?time={quote(_json(time), safe='')}"
    return Call("GET", f"/v1/users/{quote(user_id, safe='')}/journey{asked}", JourneyResponse)


def forget(user_id: str) -> Call[ForgottenResponse]:
    """Forget a user."""
    return Call("DELETE", f"/v1/users/{quote(user_id, safe='')}", ForgottenResponse, again=False)


def model() -> Call[ModelState]:
    """The model that serves."""
    return Call("GET", "/v1/model", ModelState)


def live() -> Call[LiveResponse]:
    """What is happening now."""
    return Call("GET", "/v1/live", LiveResponse)


def evolution() -> Call[EvolutionResponse]:
    """How behaviour evolves, as the newest report tells it."""
    return Call("GET", "/v1/evolution", EvolutionResponse)
