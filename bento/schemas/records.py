"""What comes in: events, impressions, feedback, positions, and what became of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field

from bento.schemas.base import Amount, Behaviour, Id, Latitude, Longitude, Strict


class LiveEvent(Behaviour):
    """One behaviour of one user; `event_id` makes it known when it comes again, else all it says does."""

    user_id: Id
    item_id: Id | None = None
    event_id: Id | None = None
    text: str | None = None


class Impression(Strict):
    """What was shown to whom, in which position, with which probability."""

    user_id: Id
    item_id: Id
    timestamp: AwareDatetime
    position: Annotated[int, Field(ge=1)]
    probability: Annotated[float, Field(ge=0, le=1)]
    list_id: Id | None = None
    arm: Id | None = None
    policy: Id | None = None


class Feedback(Strict):
    """What a user said: an answer in words, or a value."""

    user_id: Id
    timestamp: AwareDatetime
    question: Id
    answer: str | None = None
    value: Amount | None = None
    item_id: Id | None = None


class Position(Strict):
    """A point of a raw trace."""

    user_id: Id
    timestamp: AwareDatetime
    latitude: Latitude
    longitude: Longitude
    accuracy_m: Annotated[float, Field(ge=0)] | None = None


class EventsRequest(Strict):
    events: Annotated[list[LiveEvent], Field(min_length=1)]


class ImpressionsRequest(Strict):
    impressions: Annotated[list[Impression], Field(min_length=1)]


class FeedbackRequest(Strict):
    feedback: Annotated[list[Feedback], Field(min_length=1)]


class PositionsRequest(Strict):
    positions: Annotated[list[Position], Field(min_length=1)]


class RefusedRecord(BaseModel):
    """A record that did not enter: its place in the request, the rule it broke, and what was needed."""

    index: int
    rule: str
    error: str


class TakenResponse(BaseModel):
    """What became of the records; accepted + duplicates + refused is how many there were."""

    accepted: int
    duplicates: int
    refused: list[RefusedRecord]
    offset: Annotated[int, Field(description="Of the live log after them: every one that was accepted is below it.")]


class NothingTaken(TakenResponse):
    """The same, where every record was refused."""

    error: str
    where: str | None = None
