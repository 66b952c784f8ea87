"""Answers of `/v1/users/{user_id}`: timeline, journey, forgetting."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel

from bento.schemas.answers import NextTime


class TimelineItem(BaseModel):
    """One event of a user; `offset` is its place in the live log, 0 = it came before the model was packed."""

    item_id: str | None
    title: str
    category: str | None
    action: str | None
    time: dt.datetime
    latitude: float | None
    longitude: float | None
    offset: int
    new_item: bool


class TimelineResponse(BaseModel):
    user_id: str
    events: list[TimelineItem]


class InterestShare(BaseModel):
    """A category's share of the user's events of late, and how much more (or less) that is than before."""

    category: str
    share: float
    change: float


class JourneyResponse(BaseModel):
    """Where a user is at a time: what they care about, where they stand by their own rhythm, when they come next."""

    user_id: str
    time: dt.datetime
    events: int
    last: dt.datetime | None
    interests: list[InterestShare]
    state: str | None
    next_visit: NextTime | None
    segment: str | None


class ForgottenResponse(BaseModel):
    """Where in the live log the user was forgotten: what reads the log past it knows nothing of them."""

    offset: int
