"""What a normal day of this log looks like: statistics by day, and the reference that the newest days are held to.

The reference is fitted on the snapshot itself, on its earlier part: every day before the tune, blend and test
windows (`params.windows`), which is the span that training learns from. The newest days are judged against it.
No file remembers it, so validation stays a pure function of the snapshot and the params, and the DVC graph has
no cycle. Where the earlier part is too short, all days are the reference (`Reference.whole`).

Never here: opinions. What is too far from the reference is said in `components.events.batch`.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from components.events.suite import DAY
from components.params import Params

#: Columns that may be empty, whose share of missing values is watched.
OPTIONAL = ("item_id", "utc_offset_min", "latitude", "longitude", "duration_s", "value", "device", "session_id", "text")
#: Columns whose unit is watched, by the quartiles of their size.
MEASURES = ("duration_s", "value", "latitude", "longitude")
QUARTILES = (0.25, 0.5, 0.75)
#: Fewer earlier days than this are no reference.
_MIN_DAYS = 3


@dataclass(frozen=True)
class Reference:
    """The earlier part of the log in numbers.

    Attributes
    ----------
    first_day, last_day : ISO dates, both included
    days : days that have rows
    whole : whether it is the whole log, because the earlier part was too short
    daily_rows : median of kept rows per day
    action_share : action → share of rows
    null_share : column of OPTIONAL → share of rows without a value
    quartiles : column of MEASURES → median over days of the quartiles of its size (None: hardly any values)
    """

    first_day: str
    last_day: str
    days: int
    whole: bool
    daily_rows: float
    action_share: Mapping[str, float]
    null_share: Mapping[str, float]
    quartiles: Mapping[str, tuple[float, float, float] | None]

    def record(self) -> dict[str, Any]:
        """The reference as plain JSON values."""
        return asdict(self)


def by_day(rows: pl.DataFrame, actions: list[str]) -> pl.DataFrame:
    """Statistics of each day.

    Parameters
    ----------
    rows : (n, …) columns of the contract, DAY, and `rule` (null where the row is kept)
    actions : the known actions

    Returns
    -------
    (days, …) `day, rows, kept, users`, `action_<name>` counts, `null_<column>` counts, `some_<measure>` counts of
    values and `q25_<measure>, q50_…, q75_…` quartiles of their absolute size; sorted by day.
    """
    size = {name: pl.col(name).filter(pl.col(name).is_finite()).abs() for name in MEASURES}
    return (
        rows.group_by(pl.col(DAY).alias("day"))
        .agg(
            pl.len().alias("rows"),
            pl.col("rule").null_count().alias("kept"),
            pl.col("user_id").n_unique().alias("users"),
            *((pl.col("action") == name).sum().alias(f"action_{name}") for name in actions),
            *(pl.col(name).null_count().alias(f"null_{name}") for name in OPTIONAL),
            *(size[name].len().alias(f"some_{name}") for name in MEASURES),
            *(size[name].quantile(q, "linear").alias(_quartile(q, name)) for name in MEASURES for q in QUARTILES),
        )
        .sort("day")
    )


def _quartile(q: float, measure: str) -> str:
    return f"q{100 * q:.0f}_{measure}"


def first_judged_day(days: pl.DataFrame, params: Params) -> dt.date:
    """The first day that is held to the reference: where the tune window begins, in whole days.

    Parameters
    ----------
    days : the table of `by_day`
    params : the windows may be lengths of time or shares of the events
    """
    dates: list[dt.date] = days["day"].to_list()
    sizes: list[int] = days["rows"].to_list()
    edge = dates[-1] + dt.timedelta(days=1)
    for span in (params.windows.test, params.windows.blend, params.windows.tune):
        number = float(span[:-1])
        if span.endswith("%"):
            wanted = number / 100 * sum(sizes)
            newest = [(day, size) for day, size in zip(dates, sizes, strict=True) if day < edge]
            while newest and wanted > 0:  # a handful of days
                edge, size = newest.pop()
                wanted -= size
        else:
            edge -= dt.timedelta(days=math.ceil(number if span.endswith("d") else number / 24))
    return edge


def fit(days: pl.DataFrame, params: Params) -> tuple[Reference, pl.DataFrame]:
    """Split the days into reference and judged ones, and fit the reference.

    Returns
    -------
    reference : Reference
    judged : the rows of `days` that are held to it: those from `first_judged_day` on, and any before
        `events.earliest` (a changed unit of time puts new rows there)
    """
    edge = first_judged_day(days, params)
    usual = (pl.col("day") < edge) & (pl.col("day") >= params.events.earliest) & (pl.col("kept") > 0)
    earlier = days.filter(usual)
    whole = len(earlier) < _MIN_DAYS
    if whole:
        earlier = days
    judged = days if whole else days.filter(usual.not_() & ((pl.col("kept") == 0) | (pl.col("day") >= edge)))
    rows = int(earlier["rows"].sum())
    return (
        Reference(
            first_day=str(earlier["day"].min()),
            last_day=str(earlier["day"].max()),
            days=len(earlier),
            whole=whole,
            daily_rows=float(earlier.select(pl.col("kept").median()).item()),
            action_share={name: int(earlier[f"action_{name}"].sum()) / rows for name in params.events.actions},
            null_share={name: int(earlier[f"null_{name}"].sum()) / rows for name in OPTIONAL},
            quartiles={name: _quartiles(earlier, name) for name in MEASURES},
        ),
        judged,
    )


def _quartiles(days: pl.DataFrame, measure: str) -> tuple[float, float, float] | None:
    enough = days.filter(pl.col(f"some_{measure}") > 0)
    if not len(enough):
        return None
    low, middle, high = (float(enough.select(pl.col(_quartile(q, measure)).median()).item()) for q in QUARTILES)
    return low, middle, high
