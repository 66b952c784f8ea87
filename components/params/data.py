"""What the log is, what is kept of it, and what is read from it: from the source to the windows."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, Literal

from pydantic import Field, field_validator

from components.params.section import Fraction, Section, Span


class SourceParams(Section):
    format: str  # a name of components.events.sources.FORMATS
    path: str | None  # file, folder or SQLAlchemy URL; ${NAME} is taken from the environment
    catalogue: str | None  # file with item attributes
    users: str | None  # file with user attributes
    mapping: dict[str, str]  # contract column → column of the source
    constants: dict[str, str | float | int]  # contract column → one value for every row
    order: Literal["none", "file"]  # file: the row number breaks ties among equal times
    options: dict[str, Any]  # what the format itself understands (separator, query, time unit …)


class EventParams(Section):
    source: SourceParams
    actions: list[str]
    action_map: dict[str, str]  # name in the source → action
    item_free_actions: list[str]
    earliest: dt.date
    until: dt.date | None  # the log is cut before this day (UTC); null: all there is
    future_tolerance_s: int = Field(ge=0)
    time_kind: Literal["real", "day", "ordinal"]
    timezone: str
    country: str | None  # ISO 3166 code, for holidays
    identity: list[str]  # columns that tell two events apart when there is no event_id


class SimulationParams(Section):
    users: int = Field(ge=1)
    items: int = Field(ge=2)
    start: dt.date
    days: int = Field(ge=1)
    events_per_user_day: float = Field(gt=0)  # of an active user
    drift: float = Fraction  # share of a user's interests that is replaced in 30 days
    widening: float = Fraction
    bots: float = Fraction
    duplicates: float = Fraction
    dirty: float = Fraction


class RegionParams(Section):
    south: float
    west: float
    north: float
    east: float


class ValidationParams(Section):
    region: RegionParams | None
    max_quarantined: float = Fraction  # share of rows above which the batch fails
    max_null: dict[str, float]  # column → largest share of missing values
    action_mix_tolerance: float = Fraction  # largest change of any action's share against the reference
    null_share_tolerance: float = Fraction  # largest change of any column's missing share against the reference
    daily_rate_factor: float = Field(gt=1)  # a day's events may differ by this factor from the reference median
    max_empty_days: int = Field(ge=0)
    max_value: float | None
    max_duration_s: float | None
    max_speed_kmh: float = Field(gt=0)  # faster than this between two events: flagged
    max_events_per_user_day: int = Field(ge=1)  # more than this: flagged as a bot
    outlier_z: float = Field(gt=0)  # values and durations further out on a robust log scale: flagged
    gx_rows: int = Field(ge=1)  # Great Expectations sees at most this many rows (a hash sample beyond)


class FillParams(Section):
    rule: Literal["constant", "median", "interpolate"]
    value: float


class NumberParams(Section):
    scale: Literal["none", "min_max", "standard", "robust", "log"]
    fill: FillParams


class VectorParams(Section):
    """Where vectors of the items come from; `options` are those of the kind."""

    kind: str  # a name of components.knowledge.kinds.KINDS
    options: dict[str, int | float | str | bool | list[str] | list[float] | None]
    dimensions: int | None = Field(ge=1)  # principal directions that are kept; null: all


class FeatureParams(Section):
    session_gap_s: int = Field(gt=0)
    cells: list[int]  # H3 resolutions, coarse first
    numbers: dict[str, NumberParams]  # gap_s, distance_km, speed_kmh, duration_s, value
    min_item_events: int = Field(ge=1)  # rarer items of the training window are unknown to the networks
    vocabulary: Literal["trained", "catalogue"]  # catalogue: items of the item table that training lacks have codes too
    vectors: dict[str, VectorParams]  # what is known of items besides events, by name
    max_rows_in_memory: int = Field(ge=1)  # above this the store is built bucket by bucket

    @field_validator("vectors")
    @classmethod
    def _plain(cls, value: dict[str, VectorParams]) -> dict[str, VectorParams]:
        if wrong := [name for name in value if not re.fullmatch(r"[a-z][a-z0-9_]*", name)]:
            raise ValueError(f"a name of vectors is of small letters, digits and _, not {wrong[0]!r}")
        return value


class WindowParams(Section):
    tune: str = Span
    blend: str = Span
    test: str = Span
