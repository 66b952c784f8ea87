"""Answers: predictions, recommendations, and the state of the models."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, Field


class RankedItem(BaseModel):
    item_id: str
    probability: float
    title: str
    category: str | None


class NextTime(BaseModel):
    """Time to the next event, from the last one of the history; `from_now` is from the request, after the silence."""

    quantiles_s: dict[str, float]
    within: dict[str, float]
    from_now: dict[str, float]
    no_return: dict[str, float]


class RankedCell(BaseModel):
    cell: str
    probability: float


class ModelInfo(BaseModel):
    """Which model answered: its number in the promotion log, its digest, and where it comes from."""

    name: str
    version: int
    digest: str
    lineage: dict[str, str | int | float | None]


class ExperimentState(BaseModel):
    """The experiment that this worker takes part in, or why it does not."""

    experiment: str | None
    mode: str | None
    challenger: str | None
    error: str | None
    answers: dict[str, int]
    silent: dict[str, int] | None


class ModelState(BaseModel):
    """The model that serves, the one before it, and why the newest promotion was refused, if it was."""

    champion: ModelInfo
    previous: ModelInfo | None
    refused: str | None
    experiment: ExperimentState | None = None


#: What an answer rests on: what is known of the user, the history that the request brought, or neither.
Basis = Literal["history", "request", "nothing_known"]


class Shown(BaseModel):
    """The list as a part of an experiment; what is posted to `/v1/impressions` carries these."""

    arm: str | None = None
    list_id: str | None = None
    chances: Annotated[list[float], Field(description="Of each item to be where it is; empty: no experiment.")] = []


class PredictResponse(Shown):
    items: list[RankedItem]
    actions: dict[str, float] | None
    next_event: NextTime | None
    places: list[RankedCell] | None
    history_events: int
    basis: Basis
    reason: str
    segment: Annotated[str | None, Field(description="new, active or returning, by the user's own rhythm.")]
    rules: Annotated[list[str], Field(description="What the policy did to the list; empty: it is the ranking itself.")]
    time: dt.datetime
    model: ModelInfo


class RecommendResponse(Shown):
    """A list to show; log it with `/v1/impressions`, and what follows will tell how good it was."""

    items: list[RankedItem]
    history_events: int
    basis: Basis
    reason: str
    segment: str | None
    rules: list[str]
    time: dt.datetime
    model: ModelInfo
