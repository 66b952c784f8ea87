"""Answers of `/v1/explain`."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel

from bento.schemas.answers import ModelInfo


class PastEventReason(BaseModel):
    """A past event: nats of log-probability that the item loses without it, and gains by it alone; < 0: against it."""

    item_id: str | None
    title: str
    action: str | None
    timestamp: dt.datetime
    effect: float
    alone: float
    gradient: dict[str, float]


class PastItemReason(BaseModel):
    """All events with one item, left out together, and alone."""

    item_id: str
    title: str
    events: int
    last: dt.datetime
    effect: float
    alone: float
    probability_without: float


class PartReason(BaseModel):
    """A part of the model: its share of the probability, and how much of that it counted itself (1 if no counter)."""

    name: str
    kind: str | None
    share: float
    own: float


class ExplainedItem(BaseModel):
    """Why an item has its probability: for people in sentences, for machines strongest first."""

    item_id: str
    title: str
    probability: float
    without_history: float
    sentences: list[str]
    items: list[PastItemReason]
    events: list[PastEventReason]
    parts: list[PartReason]


class ExplainResponse(BaseModel):
    items: list[ExplainedItem]
    history_events: int
    events_explained: int
    reason: str
    time: dt.datetime
    model: ModelInfo
