"""How behaviour evolves, as the newest report tells it: `/v1/evolution`. Of many users together, never of one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationError

from bento.schemas.base import Latitude, Longitude, Strict

Share = Annotated[float, Field(ge=0, le=1)]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$", description="A day on the users' clocks.")]
Count = Annotated[int, Field(ge=0)]


class ReportLog(Strict):
    """The log that the report is about."""

    users: Count
    events: Count
    first: Day
    last: Day


class SeriesForecast(Strict):
    """What comes next in one series, step by step: the point, and an interval that held `interval` of what came."""

    step: Literal["hour", "day", "week"]
    by: str
    value: str
    interval: Share
    begins: list[str]
    point: list[float]
    low: list[float]
    high: list[float]


class UnusualSpan(Strict):
    """Days whose counts are not what is usual there; `p` of the largest deviation."""

    by: str
    value: str
    first: Day
    last: Day
    actual: float
    usual: float
    p: Share


class LevelChange(Strict):
    """A day from which on a series has another level, events a day."""

    by: str
    value: str
    at: Day
    before: float
    after: float


class StateShare(Strict):
    """Users in a state of life; null: too few to be told, or a total would tell."""

    state: str
    users: Count | None
    share: Share | None


class StateForecast(Strict):
    """Users in a state of life at a moment to come."""

    moment: Day
    state: str
    users: float | None


class States(Strict):
    """States of life now, and as they are forecast."""

    moment: Day
    now: list[StateShare]
    forecast: list[StateForecast]


class Interest(Strict):
    """Share of a segment's events in a category, in the newest window and before it."""

    category: str
    share: Share
    low: Share
    high: Share
    before: Share | None


class Segment(Strict):
    """Interests of a segment; slope of its breadth, and whether breadth or mix moved (q)."""

    segment: str
    users: Count
    slope: float | None
    slope_q: Share | None
    drift_q: Share | None
    interests: list[Interest]


class HotSpot(Strict):
    """A cell that stands out, by its history."""

    cell: str
    kind: Literal["hot", "cold"]
    history: Annotated[str, Field(alias="class")]
    latitude: Latitude
    longitude: Longitude


class Area(Strict):
    """Places that people use as one: of a stated density, or of any; half of its places within `radius_km`."""

    density: Literal["stated", "any"]
    latitude: Latitude
    longitude: Longitude
    radius_km: Annotated[float, Field(ge=0)]
    events: Count
    share: Share
    users: Count


class UserKind(Strict):
    """A unit of the map of users' weeks, and what its users do more of than all; null: too few to be told."""

    unit: str
    users: Count | None
    share: Share | None
    what: str | None
    what_share: Share | None
    what_all: Share | None
    when: str | None
    when_share: Share | None
    when_all: Share | None


class Pattern(Strict):
    """What recurs: where, when, and by whom; `ratio` to what users' own times and places alone would give."""

    name: str
    where: str
    place: str | None
    when: str
    who: str
    users: Count
    regulars: Count | None
    visits: Count
    ratio: float
    p: Share
    weeks_share: Share


class Told(Strict):
    """A sentence, and how it is known."""

    text: str
    known: str


class EvolutionResponse(Strict):
    """The newest report in short. A part that the log does not tell of is empty."""

    format: Literal[1]
    number: Annotated[int, Field(ge=1)]
    version: str
    made_of: str
    since: int | None
    log: ReportLog
    forecasts: list[SeriesForecast]
    unusual: list[UnusualSpan]
    changes: list[LevelChange]
    states: States | None
    segments: list[Segment]
    hot_spots: list[HotSpot]
    areas: list[Area] = Field(default_factory=list)
    profiles: list[UserKind] = Field(default_factory=list)
    patterns: list[Pattern]
    changed: list[Told]


def checked(data: bytes) -> bytes:
    """The summary as it is told.

    Raises
    ------
    ValueError
        It is not one.
    """
    try:
        return EvolutionResponse.model_validate_json(data).model_dump_json(by_alias=True).encode()
    except ValidationError as error:
        raise ValueError(f"{error.error_count()} faults, the first at {error.errors()[0]['loc']}") from error
