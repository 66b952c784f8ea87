"""From a question to the reasons of its answer: the slow path beside `serving.answer`. It knows nothing of HTTP."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from components.errors import DataError
from components.explanation.reasons import EventReason, ItemReason, Reasons, reasons
from components.explanation.sentences import sentences, title_of
from components.features.encoding import UNKNOWN
from components.features.store import Store
from components.params import PolicyParams
from components.serving.answer import answer
from components.serving.champion import Champion
from components.serving.question import Question


@dataclass(frozen=True)
class PastEvent:
    """An event of the history and what it did to the item.

    Attributes
    ----------
    item_id : None = an item that training never saw
    timestamp : UTC
    effect : nats of log-probability that the item loses without the event; below 0: it speaks against the item
    alone : nats that it gains by the event alone, over no history at all; events are ordered by the mean of both
    gradient : network → nats that the event's vector carries; empty where gradients were not asked for
    """

    item_id: str | None
    title: str
    action: str | None
    timestamp: dt.datetime
    effect: float
    alone: float
    gradient: Mapping[str, float]


@dataclass(frozen=True)
class PastItem:
    """All events with one item, and what they did together."""

    item_id: str
    title: str
    events: int
    last: dt.datetime
    effect: float
    alone: float
    probability_without: float


@dataclass(frozen=True)
class Part:
    """A part of the model: `kind` if it is a counter, its share, and how much of that it counted itself."""

    name: str
    kind: str | None
    share: float
    own: float


@dataclass(frozen=True)
class Explained:
    """Why one item has its probability; events, items and parts are strongest first."""

    item_id: str
    title: str
    probability: float
    without_history: float
    sentences: Sequence[str]
    events: Sequence[PastEvent]
    items: Sequence[PastItem]
    parts: Sequence[Part]


@dataclass(frozen=True)
class Explanation:
    """The reasons of an answer.

    Attributes
    ----------
    items : in the order that was asked for, else best first
    history_events : events that were visible
    events_explained : newest of them that were left out one by one
    reason : what the answer rests on, for people
    model : whose answer it is
    """

    items: Sequence[Explained]
    history_events: int
    events_explained: int
    reason: str
    model: Champion


def explain(
    champion: Champion,
    question: Question,
    item_ids: Sequence[str] | None,
    max_events: int,
    gradient_steps: int | None = None,
    policy: PolicyParams | None = None,
    known: Store | None = None,
) -> Explanation:
    """Explain some items, or the first `k` of the answer.

    Parameters
    ----------
    champion : that answers
    question : its `k` and filters choose the items where none are named
    item_ids : to be explained
    max_events : newest events that are left out one by one
    gradient_steps : of integrated gradients on networks; None: none
    policy : rules that shape the answer whose first items are explained
    known : the user's history as it is now, where it is followed live

    Raises
    ------
    DataError
        An item is not in the catalogue of the model, or an inline event breaks the contract.
    """
    if item_ids is None:
        item_ids = [item.item_id for item in answer(champion, question, policy, known).items]
    code_of = champion.encoding.vocabularies["item"].code_of
    strange = [place for place, name in enumerate(item_ids) if name not in code_of]
    if strange:
        raise DataError(
            "items of the model's catalogue",
            found=f"none of that name at place {strange[0] + 1} of {len(item_ids)}",
            do="Name items that training has seen.",
        )
    query, reason = champion.queries(question, known)
    codes = np.array([code_of[name] for name in item_ids], np.int64)
    found = reasons(champion.predictor, query, codes, max_events, gradient_steps) if len(codes) else []
    seen = int(query.stop[0] - query.start[0])
    return Explanation([_explained(one, query.store) for one in found], seen, min(seen, max_events), reason, champion)


def _explained(one: Reasons, store: Store) -> Explained:
    return Explained(
        item_id=str(store.encoding.vocabularies["item"].ids[one.item]),
        title=str(store.encoding.catalogue.title[one.item] or ""),
        probability=float(np.exp(one.log_probability)),
        without_history=float(np.exp(one.without_history)),
        sentences=sentences(one, store),
        events=[_event(event, store) for event in one.events],
        items=[_item(item, one.log_probability, store) for item in one.items],
        parts=[Part(part.name, part.kind, part.share, part.own) for part in one.said],
    )


def _event(event: EventReason, store: Store) -> PastEvent:
    words = store.encoding.vocabularies
    item, action = int(store["item"][event.row]), int(store["action"][event.row])
    return PastEvent(
        item_id=str(words["item"].ids[item]) if item > UNKNOWN else None,
        title=title_of(store.encoding, item) if item > UNKNOWN else "",
        action=str(words["action"].ids[action]) if action > UNKNOWN else None,
        timestamp=_moment(store, event.row),
        effect=event.effect,
        alone=event.alone,
        gradient=event.gradient,
    )


def _item(item: ItemReason, log_probability: float, store: Store) -> PastItem:
    return PastItem(
        item_id=str(store.encoding.vocabularies["item"].ids[item.item]),
        title=str(store.encoding.catalogue.title[item.item] or ""),
        events=len(item.rows),
        last=_moment(store, item.rows[-1]),
        effect=item.effect,
        alone=item.alone,
        probability_without=float(np.exp(log_probability - item.effect)),
    )


def _moment(store: Store, row: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(int(store["time_s"][row]), dt.UTC)
