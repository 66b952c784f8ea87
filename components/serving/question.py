"""A live question and its answer, as plain records; HTTP shapes are in `bento/schemas.py`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """What does this user do next?

    Attributes
    ----------
    user_id : whose stored history to use; None = only the inline one
    history : inline events (contract columns), any order; None = the stored history of `user_id`
    time : UTC time of the request
    utc_offset_min : of the request's local clock; None = the workspace's time zone
    latitude, longitude : place of the request, degrees, or None
    k : items wanted
    seen : whether items of the history may be among them
    categories : only items of these; None = all
    radius_km : only items this near to the request's place; None = anywhere
    max_price : only items with a known price up to this; None = any
    shown : whether the list is for the user's eyes; if not, no experiment counts it
    asked_as : the request that asks: one that is sent again leaves one list; None: it is none that may come again
    """

    user_id: str | None
    history: Sequence[Mapping[str, object]] | None
    time: dt.datetime
    utc_offset_min: int | None
    latitude: float | None
    longitude: float | None
    k: int
    seen: bool
    categories: Sequence[str] | None
    radius_km: float | None
    max_price: float | None
    shown: bool = True
    asked_as: bytes | None = None


def plain(
    user_id: str | None,
    time: dt.datetime,
    k: int,
    *,
    seen: bool = True,
    utc_offset_min: int | None = None,
    shown: bool = True,
) -> Question:
    """A question without a place or filters, of a user's stored history; of none, where nobody is named."""
    return Question(
        user_id=user_id, history=None if user_id else [], time=time, utc_offset_min=utc_offset_min, latitude=None,
        longitude=None, k=k, seen=seen, categories=None, radius_km=None, max_price=None, shown=shown,
    )  # fmt: skip


@dataclass(frozen=True)
class RankedItem:
    """An item with its probability of being the next one, among the whole catalogue."""

    item_id: str
    probability: float
    title: str
    category: str | None


@dataclass(frozen=True)
class NextTime:
    """Time from the last event of the history to the next.

    Attributes
    ----------
    quantiles_s : "p10" … → seconds
    within : "1h", "1d", "7d" → probability that it comes so soon after the last event
    from_now : "1h", "1d", "7d" → probability that it comes so soon after the request, nothing having come before it
    no_return : "30d" … → probability of nothing for that long
    """

    quantiles_s: Mapping[str, float]
    within: Mapping[str, float]
    from_now: Mapping[str, float]
    no_return: Mapping[str, float]


@dataclass(frozen=True)
class Answer:
    """The prediction.

    Attributes
    ----------
    items : best first, or in the order that the policy's rules give them
    actions : action → probability; None when the model does not say
    next_event : None when the model does not say
    places : H3 cell → probability, best first; None when the model does not say
    history_events : events that were visible
    reason : what the answer rests on, for people
    segment : where the user stands (new, active, returning); None where no policy is asked
    rules : what the policy did to the list, in words; empty where it is the ranking itself
    arm : of the experiment under way that the user is in, as impressions of this list must carry it; None: in none
    list_id : of this list in that experiment, likewise
    chances : of each item to be shown where it is, likewise: an impression's `probability`; empty where in none
    """

    items: Sequence[RankedItem]
    actions: Mapping[str, float] | None
    next_event: NextTime | None
    places: Sequence[tuple[str, float]] | None
    history_events: int
    reason: str
    segment: str | None
    rules: Sequence[str]
    arm: str | None = None
    list_id: str | None = None
    chances: Sequence[float] = ()
