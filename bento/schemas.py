"""What `/v1/predict` and `/v1/explain` take and give. Strict: unknown keys, wrong types, NaN and infinity are refused.

Strict is as JSON has it: "10" is no number and 1 is no truth value; a time is a text, since JSON has no other for it.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

Id = Annotated[str, Field(min_length=1, max_length=256)]
Latitude = Annotated[float, Field(ge=-90, le=90, description="Degrees, WGS84.")]
Longitude = Annotated[float, Field(ge=-180, le=180, description="Degrees, WGS84.")]


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


class PastEvent(Strict):
    """One event of an inline history."""

    item_id: Id
    action: Id
    timestamp: AwareDatetime
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    duration_s: Annotated[float, Field(ge=0)] | None = None
    value: float | None = None
    device: Annotated[str, Field(max_length=256)] | None = None
    session_id: Annotated[str, Field(max_length=256)] | None = None
    utc_offset_min: Annotated[int, Field(ge=-1080, le=1080)] | None = None


class Filters(Strict):
    """What may be recommended."""

    seen: Annotated[
        bool | None,
        Field(description="Whether items of the history may be recommended; as the model was judged when left out."),
    ] = None
    categories: Annotated[list[Id], Field(max_length=100)] | None = None
    radius_km: Annotated[float, Field(gt=0, le=20_040)] | None = None
    max_price: Annotated[float, Field(ge=0)] | None = None


class _Asking(Strict):
    """Who is asked about, from when and where, and what may be recommended."""

    user_id: Id | None = None
    history: list[PastEvent] | None = None
    time: Annotated[AwareDatetime | None, Field(description="Request time; now when left out.")] = None
    utc_offset_min: Annotated[int, Field(ge=-1080, le=1080)] | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    filters: Filters = Filters()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.user_id is None and self.history is None:
            raise ValueError("give a user_id, a history, or both")
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("give latitude and longitude, or neither")
        if self.filters.radius_km is not None and self.latitude is None:
            raise ValueError("radius_km needs the latitude and longitude of the request")
        return self


class PredictRequest(_Asking):
    """A user id, or an inline history, or both (the inline history then stands in for the stored one)."""

    k: Annotated[int, Field(ge=1)] = 10


class ExplainRequest(_Asking):
    """The same question, and which items are to be explained: those named, else the first k of the answer."""

    items: Annotated[list[Id], Field(min_length=1)] | None = None
    k: Annotated[int, Field(ge=1)] = 3
    gradients: Annotated[bool, Field(description="Whether networks are asked for integrated gradients: slower.")] = (
        False
    )


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


class ModelState(BaseModel):
    """The model that serves, the one before it, and why the newest promotion was refused, if it was."""

    champion: ModelInfo
    previous: ModelInfo | None
    refused: str | None


class PredictResponse(BaseModel):
    items: list[RankedItem]
    actions: dict[str, float] | None
    next_event: NextTime | None
    places: list[RankedCell] | None
    history_events: int
    reason: str
    segment: Annotated[str | None, Field(description="new, active or returning, by the user's own rhythm.")]
    rules: Annotated[list[str], Field(description="What the policy did to the list; empty: it is the ranking itself.")]
    time: dt.datetime
    model: ModelInfo


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


class ErrorResponse(BaseModel):
    """One clear message: what was needed, what was found where."""

    error: str
    where: str | None = None
