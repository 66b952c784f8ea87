"""`POST /v1/predict`, `/v1/recommend`, `/v1/explain`: questions, answered from fresh state.

A prediction is worked out on the loop itself, which is shorter than handing it to a thread, unless a server is asked or
a disk waited for: whoever hangs there, others are answered. Reasons take a hundred times
as long: they are worked out one at a time in a thread beside it, and refused where too many wait.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from functools import lru_cache
from typing import Any, TypeVar

from bento.exchange import Call, Refusal, Reply, dumped
from bento.guard.bodies import asked
from bento.routes.model import model_info
from bento.routes.route import Route
from bento.schemas.answers import PredictResponse, RecommendResponse
from bento.schemas.asking import Asking, ExplainRequest, PredictRequest, RecommendRequest
from bento.schemas.reasons import ExplainResponse
from bento.worker import Worker
from components.errors import DataError
from components.params import PolicyParams
from components.serving.champion import Champion
from components.serving.pulse.pulse import CHAMPION
from components.serving.question import Answer, Question

_WAITING = 8  # requests for reasons that may wait for the one at work
Kind = TypeVar("Kind", PredictRequest, RecommendRequest, ExplainRequest)


def _asked(call: Call, worker: Worker, kind: type[Kind], max_k: int) -> Kind:
    """The request as it should be."""
    said = asked(call.body, kind)
    if said.k > max_k:
        raise Refusal(422, f"needed k of at most {max_k}", "k")
    most = worker.params.serving.max_inline_events
    if said.history is not None and len(said.history) > most:
        raise Refusal(422, f"needed at most {most} events", "history")
    return said


def question(said: Asking, k: int, seen_kept: bool, asked_as: bytes | None = None) -> Question:
    """A request as the question that it is.

    `seen_kept` = whether the model was judged with seen items; `asked_as` names the request, so that one that comes
    again is known.
    """
    filters = said.filters
    return Question(
        user_id=said.user_id,
        history=None if said.history is None else [one.model_dump() for one in said.history],
        time=said.time or dt.datetime.now(dt.UTC),
        utc_offset_min=said.utc_offset_min,
        latitude=said.latitude,
        longitude=said.longitude,
        k=k,
        seen=seen_kept if filters.seen is None else filters.seen,
        categories=filters.categories,
        radius_km=filters.radius_km,
        max_price=filters.max_price,
        shown=said.shown,
        asked_as=asked_as,
    )


def _answered(
    worker: Worker, said: PredictRequest | RecommendRequest, policy: PolicyParams, asked_as: bytes
) -> tuple[Answer, dict[str, Any]]:
    """An answer, and the part of it that predictions and recommendations share."""
    begin = time.perf_counter()
    while True:
        champion = worker.live.champion
        put = question(said, said.k, champion.seen_kept, asked_as)
        try:
            found = worker.live.answer(put, policy)
        except DataError:  # what is asked is wrong
            raise
        except Exception:  # whatever it is, it is counted here and told as a failure at the door
            worker.readiness.failed()
            raise
        if worker.live.champion is champion:  # else another took over meanwhile: the answer must name who gave it
            break
    worker.readiness.answered()
    model, side = _by(worker, found, champion)
    worker.metrics.predicted(found, model.entry.digest, found.arm or CHAMPION)
    shown = [item.item_id for item in found.items]
    worker.pulse.answered(said.user_id, shown, time.perf_counter() - begin, side)
    return found, {
        "items": found.items,
        "history_events": found.history_events,
        "basis": _basis(said, found),
        "reason": found.reason,
        "segment": found.segment,
        "rules": found.rules,
        "time": put.time,
        "model": model_info(model),
        "arm": found.arm,
        "list_id": found.list_id,
        "chances": found.chances,
    }


def _basis(said: Asking, found: Answer) -> str:
    """What an answer rests on, for programs; its reason says it to people."""
    if not found.history_events:
        return "nothing_known"
    return "history" if said.history is None else "request"


def _by(worker: Worker, found: Answer, champion: Champion) -> tuple[Champion, str]:
    """Which model an answer's arm stands for, and on which side of an experiment that is."""
    side = CHAMPION if found.arm is None else found.arm.rpartition("/")[2]
    challenger = None if worker.arms is None else worker.arms.challenger
    return (champion if side == CHAMPION or challenger is None else challenger), side


def _named(call: Call) -> bytes:
    """A request's id with what it asks: a name that a proxy gives to several requests is none of theirs alone."""
    return b"\0".join((call.scope["path"].encode(), call.request_id.encode(), call.body))


async def predict(call: Call, worker: Worker) -> Reply:
    """Everything: items, actions, time, places."""
    said = _asked(call, worker, PredictRequest, worker.params.serving.max_k)
    found, answer = await worker.asked(_answered, worker, said, worker.policy, _named(call))
    places = None if found.places is None else [{"cell": cell, "probability": p} for cell, p in found.places]
    return Reply(dumped(answer | {"actions": found.actions, "next_event": found.next_event, "places": places}))


@lru_cache(maxsize=256)
def overridden(order: str | None, weight: float, max_per_category: int | None, base: bytes) -> PolicyParams:
    """The policy with other rules for everybody; `base` is the JSON of the one that is configured."""
    policy = PolicyParams.model_validate_json(base)
    change: dict[str, object] = {}
    if order is not None:
        change |= {"order": order, "weight": weight}
    if max_per_category is not None:
        change["max_per_category"] = max_per_category
    rules = {segment: rule.model_copy(update=change) for segment, rule in policy.rules.items()}
    return policy.model_copy(update={"rules": rules})


async def recommend(call: Call, worker: Worker) -> Reply:
    """A list to show."""
    said = _asked(call, worker, RecommendRequest, worker.params.serving.max_k)
    policy = worker.policy
    if said.order is not None or said.max_per_category is not None:
        policy = overridden(said.order, round(said.weight, 2), said.max_per_category, worker.policy_json)
    return Reply(dumped((await worker.asked(_answered, worker, said, policy, _named(call)))[1]))


async def explain(call: Call, worker: Worker) -> Reply:
    """Reasons."""
    params = worker.params.serving
    said = _asked(call, worker, ExplainRequest, params.explain_items)
    if said.items is not None and len(said.items) > params.explain_items:
        raise Refusal(422, f"needed at most {params.explain_items} items", "items")
    if worker.explaining > _WAITING:
        raise Refusal(503, "too many wait for reasons: ask again in a few seconds", headers=((b"retry-after", b"2"),))
    put = question(said, said.k, worker.live.champion.seen_kept)
    steps = params.gradient_steps if said.gradients else None
    worker.explaining += 1
    try:
        found = await asyncio.get_running_loop().run_in_executor(
            worker.slow, worker.live.explain, put, said.items, params.explain_events, steps, worker.policy
        )
    finally:
        worker.explaining -= 1
    answer = {
        "items": found.items,
        "history_events": found.history_events,
        "events_explained": found.events_explained,
        "reason": found.reason,
        "time": put.time,
        "model": model_info(found.model),
    }
    return Reply(dumped(answer))


ROUTES = (
    Route("POST", "/v1/predict", "predict", "What this user does next: items, actions, time and place.", "read",
          predict, PredictResponse, PredictRequest, waits=False),
    Route("POST", "/v1/recommend", "recommend", "A list of items to show, under filters and rules.", "read",
          recommend, RecommendResponse, RecommendRequest, waits=False),
    Route("POST", "/v1/explain", "explain", "Why: the events, items and parts of the model behind a probability.",
          "read", explain, ExplainResponse, ExplainRequest),
)  # fmt: skip
