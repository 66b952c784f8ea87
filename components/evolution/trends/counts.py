"""Counts of behaviour from the event log: by action, category, region and device, each hour, day or week, with zeros.

The log is read a day file at a time and only in the columns that are asked for; what is kept is the counts. Hours are
hours that passed (a day on which clocks are set back has 25), days and weeks those of one clock. Never here: who acted;
a segment may be pooled until it is large enough, a user is never a segment.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from pydantic import Field

from components.errors import ConfigError, DataError
from components.events.days import day_files
from components.evolution.trends.panel import SEASONS, Panel, Step
from components.features.place import cell_name, cells_of, to_e7
from components.features.time import zone_changes
from components.params.section import Section

Dimension = Literal["action", "category", "region", "device"]
UNKNOWN, OTHER = "unknown", "other"
_EVERY: dict[Step, str] = {"hour": "1h", "day": "1d", "week": "1w"}
_MOST_CELLS = 100_000_000


class Grid(Section):
    """What is counted.

    Attributes
    ----------
    step : length of a step; weeks begin on Monday
    by : dimensions of a segment
    zone : IANA name of the clock that days and weeks belong to
    resolution : of the H3 cells that are regions, 0..15
    least : segments with fewer events in the whole log are pooled as "other", so that totals stay whole
    """

    step: Step
    by: tuple[Dimension, ...] = Field(min_length=1)
    zone: str
    resolution: int = Field(ge=0, le=15)
    least: int = Field(ge=1)


def count(log: Path | pl.DataFrame, grid: Grid, items: pl.DataFrame | None = None) -> Panel:
    """Count a log on a complete grid.

    Steps that the log does not cover whole, at its beginning and its end, are left out: whole days (UTC) of the log
    are taken to be whole.

    Parameters
    ----------
    log : a workspace or its folder of day files, read day by day; or events in memory (`contract.SCHEMA`)
    items : (i, …) with item_id and category; needed for the dimension category

    Returns
    -------
    Panel
        (N, T) counts, a row for each segment that occurs, sorted by its key; what is not known is "unknown".

    Raises
    ------
    ConfigError
        Categories are asked for without items, or the zone is not known.
    DataError
        There is no event or no whole step, or the grid would not fit into memory.
    """
    if "category" in grid.by and items is None:
        raise ConfigError("items with their category", found="none", do="Pass the items, or leave `category` out.")
    zone_changes(grid.zone)  # refuses an unknown one
    frames, first, last = _read(log, grid)
    categories = None if items is None else items.select("item_id", pl.col("category").cast(pl.String))
    parts = [_counted(frame, grid, categories) for frame in frames]
    sums = pl.concat(parts).group_by([*grid.by, "begin"]).agg(pl.col("count").sum()) if parts else pl.DataFrame()
    if sums.is_empty():
        raise DataError("events", found=f"none in {log if isinstance(log, Path) else 'the frame'}", do="Ingest first.")
    begins = _steps(first, last, grid)
    sums = _pooled(sums, grid)
    keys = sums.select(grid.by).unique().sort(grid.by)
    if keys.height * len(begins) > _MOST_CELLS:
        raise DataError(
            f"at most {_MOST_CELLS:,} counts",
            found=f"{keys.height:,} segments × {len(begins):,} steps",
            do="Raise `least`, coarsen the resolution or the step, or leave a dimension out.",
        )
    values = np.zeros((keys.height, len(begins)))
    placed = sums.join(keys.with_row_index("row"), on=list(grid.by)).join(
        pl.DataFrame({"begin": begins}).with_row_index("column"), on="begin"
    )
    values[placed["row"].to_numpy(), placed["column"].to_numpy()] = placed["count"].to_numpy()
    return Panel(values, keys, SEASONS[grid.step], grid.step, begins[0], grid.zone)


def _read(log: Path | pl.DataFrame, grid: Grid) -> tuple[Iterable[pl.DataFrame], dt.date, dt.date]:
    """Day by day, the columns that are needed; and the first and the last UTC day."""
    columns = ["timestamp"]
    needed = {"action": ["action"], "category": ["item_id"], "region": ["latitude", "longitude"], "device": ["device"]}
    columns += [column for dimension in grid.by for column in needed[dimension]]
    if isinstance(log, pl.DataFrame):
        if log.is_empty():
            return [], dt.date.min, dt.date.min
        time = log["timestamp"]
        first, last = time.min(), time.max()
        assert isinstance(first, dt.datetime)
        assert isinstance(last, dt.datetime)
        return [log.select(columns)], first.date(), last.date()
    inner = log / "data" / "events"
    days = day_files(inner if inner.is_dir() else log)

    def each() -> Iterator[pl.DataFrame]:
        for path in days.values():
            yield pl.read_parquet(path, columns=columns, glob=False)

    return each(), min(days, default=dt.date.min), max(days, default=dt.date.min)


def _counted(frame: pl.DataFrame, grid: Grid, categories: pl.DataFrame | None) -> pl.DataFrame:
    """(g, k + 2) counts of one part of the log by segment and beginning of the step."""
    if "category" in grid.by and categories is not None:
        frame = frame.join(categories, on="item_id", how="left")
    if "region" in grid.by:
        frame = frame.with_columns(_regions(frame, grid.resolution))
    begin = _local("timestamp", grid).dt.truncate(_EVERY[grid.step])
    keys = [pl.col(name).cast(pl.String).fill_null(UNKNOWN).alias(name) for name in grid.by]
    return frame.group_by([*keys, begin.alias("begin")]).agg(pl.len().cast(pl.Int64).alias("count"))


def _local(name: str, grid: Grid) -> pl.Expr:
    """Moments on the grid's clock; hours stay UTC, where each is as long as the next."""
    if grid.step == "hour":
        return pl.col(name)
    return pl.col(name).dt.convert_time_zone(grid.zone).dt.replace_time_zone(None)


def _regions(frame: pl.DataFrame, resolution: int) -> pl.Series:
    """(n,) H3 cells in hexadecimal, null without a place."""
    lat, lon = (frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in ("latitude", "longitude"))
    cells, index = cells_of(to_e7(lat), to_e7(lon), resolution)
    names = pl.Series("region", [cell_name(cell) if cell else None for cell in cells.tolist()], dtype=pl.String)
    return names[index]


def _pooled(sums: pl.DataFrame, grid: Grid) -> pl.DataFrame:
    """Segments with too few events as one whose every dimension is "other"."""
    if grid.least == 1:
        return sums
    small = pl.col("count").sum().over(list(grid.by)) < grid.least
    pooled = [pl.when(small).then(pl.lit(OTHER)).otherwise(pl.col(name)).alias(name) for name in grid.by]
    return sums.with_columns(pooled).group_by([*grid.by, "begin"]).agg(pl.col("count").sum())


def _steps(first: dt.date, last: dt.date, grid: Grid) -> list[dt.datetime]:
    """Beginnings of the steps that lie whole within the UTC days first … last."""
    ends = [
        dt.datetime.combine(first, dt.time(), dt.UTC),
        dt.datetime.combine(last + dt.timedelta(days=1), dt.time(), dt.UTC),
    ]
    low, high = pl.DataFrame({"t": ends}).select(_local("t", grid))["t"].to_list()
    every = _EVERY[grid.step]
    begins = pl.datetime_range(low, high, every, eager=True, closed="left").dt.truncate(every).unique().sort()
    nexts = begins.dt.offset_by(every)
    found = begins.filter((begins >= low) & (nexts <= high)).to_list()
    if not found:
        raise DataError(f"a whole {grid.step} of log", found=f"{first} to {last}", do="Use a shorter step.")
    return found
