"""The HTTP face as a plain ASGI app: guard, `POST /v1/predict`, `POST /v1/explain`, `GET /v1/model`. It knows nothing
of BentoML.

The guard refuses before it reads: a body over the limit, a content type that is not JSON, JSON with NaN. An error is
one JSON object; what went wrong inside stays in the log. Reasons take a hundred times as long as a prediction: they are
worked out one at a time in a thread beside the loop that answers, and refused where too many wait.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any, TypeVar

import anyio
import orjson
from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from pydantic import ValidationError
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException

from bento.envelope import error
from bento.schemas import (
    ErrorResponse,
    ExplainedItem,
    ExplainRequest,
    ExplainResponse,
    ModelInfo,
    ModelState,
    NextTime,
    PredictRequest,
    PredictResponse,
    RankedCell,
    RankedItem,
)
from components.errors import ChronotopeError
from components.params import PolicyParams, ServingParams
from components.serving.answer import answer
from components.serving.champion import Champion
from components.serving.explain import explain
from components.serving.question import Question
from components.serving.watch import Watch

_JSON = "application/json"
_SCHEMAS = "#/components/schemas/{model}"
_WAITING = 8  # requests for reasons that may wait for the one at work
Asked = TypeVar("Asked", PredictRequest, ExplainRequest)


async def _body(request: Request, limit: int) -> bytes | Response:
    """The whole body, or the refusal of one that is too large or is not JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _JSON:
        return error(415, f"needed the content type {_JSON}, found {kind[:80] or 'none'}")
    if request.headers.get("content-encoding", "identity") != "identity":
        return error(415, "needed an uncompressed body")
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > limit:
        return error(413, f"needed a body of at most {limit} bytes")
    read = bytearray()
    async for block in request.stream():
        read += block
        if len(read) > limit:
            return error(413, f"needed a body of at most {limit} bytes")
    return bytes(read)


def _question(champion: Champion, asked: PredictRequest | ExplainRequest) -> Question:
    events = None
    if asked.history is not None:
        events = [one.model_dump() for one in asked.history]
    filters = asked.filters
    return Question(
        user_id=asked.user_id,
        history=events,
        time=asked.time or dt.datetime.now(dt.UTC),
        utc_offset_min=asked.utc_offset_min,
        latitude=asked.latitude,
        longitude=asked.longitude,
        k=asked.k,
        seen=champion.seen_kept if filters.seen is None else filters.seen,
        categories=filters.categories,
        radius_km=filters.radius_km,
        max_price=filters.max_price,
    )


def model_info(champion: Champion) -> ModelInfo:
    """Name, version and lineage of the model that answers."""
    lineage = {key: value for key, value in champion.artifact.lineage.items() if isinstance(value, str | int | float)}
    return ModelInfo(
        name=champion.entry.model, version=champion.entry.sequence, digest=champion.entry.digest, lineage=lineage
    )


def predict(champion: Champion, asked: PredictRequest, policy: PolicyParams | None = None) -> PredictResponse:
    """Answer one request."""
    question = _question(champion, asked)
    found = answer(champion, question, policy)
    return PredictResponse(
        items=[RankedItem(**vars(item)) for item in found.items],
        actions=None if found.actions is None else dict(found.actions),
        next_event=None
        if found.next_event is None
        else NextTime(**{k: dict(v) for k, v in vars(found.next_event).items()}),
        places=None if found.places is None else [RankedCell(cell=cell, probability=p) for cell, p in found.places],
        history_events=found.history_events,
        reason=found.reason,
        segment=found.segment,
        rules=list(found.rules),
        time=question.time,
        model=model_info(champion),
    )


def explained(
    champion: Champion, asked: ExplainRequest, params: ServingParams, policy: PolicyParams | None = None
) -> ExplainResponse:
    """The reasons of one answer."""
    question = _question(champion, asked)
    steps = params.gradient_steps if asked.gradients else None
    found = explain(champion, question, asked.items, params.explain_events, steps, policy)
    return ExplainResponse(
        items=[ExplainedItem.model_validate(asdict(item)) for item in found.items],
        history_events=found.history_events,
        events_explained=found.events_explained,
        reason=found.reason,
        time=question.time,
        model=model_info(champion),
    )


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The description of the routes; the requests' schemas are added: the guard and not FastAPI reads the body."""
    if app.openapi_schema is None:
        described = get_openapi(title=app.title, version=app.version, routes=app.routes, description=app.description)
        _, shapes = models_json_schema(
            [(PredictRequest, "validation"), (ExplainRequest, "validation")], ref_template=_SCHEMAS
        )
        described.setdefault("components", {}).setdefault("schemas", {}).update(shapes["$defs"])
        app.openapi_schema = described
    return app.openapi_schema


async def _refused(_: Request, found: Exception) -> Response:
    status = found.status_code if isinstance(found, HTTPException) else 500
    refusal = error(status, str(found.detail) if isinstance(found, HTTPException) else "the service failed")
    refusal.headers.update(getattr(found, "headers", None) or {})
    return refusal


async def _asked(request: Request, params: ServingParams, kind: type[Asked], max_k: int) -> Asked | Response:
    """The request as it should be, or why it is not."""
    body = await _body(request, params.max_body_bytes)
    if isinstance(body, Response):
        return body
    try:
        orjson.loads(body)  # whether it is JSON at all; pydantic's own reader takes NaN
        asked = kind.model_validate_json(body)
    except orjson.JSONDecodeError as found:
        return error(400, f"needed JSON (NaN and infinity are not): {found}")
    except ValidationError as found:
        first = found.errors(include_input=False, include_url=False)[0]
        return error(422, str(first["msg"]), ".".join(str(part) for part in first["loc"]) or None)
    if asked.k > max_k:
        return error(422, f"needed k of at most {max_k}", "k")
    if asked.history is not None and len(asked.history) > params.max_inline_events:
        return error(422, f"needed at most {params.max_inline_events} events", "history")
    return asked


def _takes(model: str) -> dict[str, Any]:
    """The body of a route, for its description."""
    return {"requestBody": {"required": True, "content": {_JSON: {"schema": {"$ref": _SCHEMAS.format(model=model)}}}}}


def make_app(watch: Callable[[], Watch], params: ServingParams, policy: PolicyParams | None = None) -> FastAPI:
    """The app; `watch` gives the holder of the champion at the time of each request, `policy` shapes its lists."""
    app = FastAPI(
        title="Chronotope", version="1", docs_url=None, redoc_url=None, openapi_url="/v1/openapi.json",
        description="What each user does next, when and where.",
        exception_handlers={HTTPException: _refused, Exception: _refused},
    )  # fmt: skip
    app.openapi = partial(_openapi, app)  # type: ignore[method-assign]
    app.state.slow = slow = anyio.CapacityLimiter(1)
    refusals: dict[int | str, dict[str, Any]] = {code: {"model": ErrorResponse} for code in (400, 413, 415, 422, 500)}
    busy: dict[int | str, dict[str, Any]] = {503: {"model": ErrorResponse}}

    @app.post("/v1/predict", response_model=PredictResponse, openapi_extra=_takes("PredictRequest"), summary="Predict",
              operation_id="predict", responses=refusals)  # fmt: skip
    async def predict_route(request: Request) -> Response:
        """What this user does next: items, actions, time and place, with their probabilities."""
        asked = await _asked(request, params, PredictRequest, params.max_k)
        if isinstance(asked, Response):
            return asked
        try:
            found = predict(watch().champion, asked, policy)
        except ChronotopeError as refusal:
            return error(422, str(refusal))
        return Response(found.model_dump_json(), media_type=_JSON)

    @app.post("/v1/explain", response_model=ExplainResponse, openapi_extra=_takes("ExplainRequest"), summary="Explain",
              operation_id="explain", responses=refusals | busy)  # fmt: skip
    async def explain_route(request: Request) -> Response:
        """Why: which past events carry an item's probability, what each part of the model gave, plain sentences."""
        asked = await _asked(request, params, ExplainRequest, params.explain_items)
        if isinstance(asked, Response):
            return asked
        if asked.items is not None and len(asked.items) > params.explain_items:
            return error(422, f"needed at most {params.explain_items} items", "items")
        if slow.statistics().tasks_waiting >= _WAITING:
            return error(503, "too many wait for reasons: ask again in a few seconds")
        try:
            work = partial(explained, watch().champion, asked, params, policy)
            found = await anyio.to_thread.run_sync(work, limiter=slow)
        except ChronotopeError as refusal:
            return error(422, str(refusal))
        return Response(found.model_dump_json(), media_type=_JSON)

    @app.head("/v1/model", include_in_schema=False)
    @app.get("/v1/model", response_model=ModelState, summary="Model", operation_id="model")
    async def model_route() -> Response:
        """The model that serves, the one before it, and why a newer one was refused, if one was."""
        holder = watch()
        state = ModelState(
            champion=model_info(holder.champion),
            previous=model_info(holder.previous) if holder.previous else None,
            refused=holder.last_error,
        )
        return Response(state.model_dump_json(), media_type=_JSON)

    return app
