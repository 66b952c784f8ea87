"""Reading moments: numbers by a declared unit, texts by ISO 8601 or a declared pattern, local times by their zone.

What cannot be read stays as text in its own column, so that the quarantine shows it. Never here: guessing a unit.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from components.errors import ConfigError, SchemaError
from components.events.rules import UNREAD_TIME

#: The type of every moment.
TIMESTAMP = pl.Datetime("us", "UTC")
#: Unit → microseconds in it.
UNITS: Mapping[str, float] = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
#: What ISO 8601 looks like in logs, commonest first; `%#z` reads +00, +0000, +00:00 and Z.
_ISO = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z",
        "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M")  # fmt: skip


def read_times(frame: pl.DataFrame, unit: str | None, zone: str, pattern: str | None) -> pl.DataFrame:
    """Turn column `timestamp` into UTC moments.

    Parameters
    ----------
    frame : pl.DataFrame
        (n, …) with `timestamp` as moments, dates, numbers or text.
    unit : {"s", "ms", "us", "ns", "iso"}, optional
        What numbers count; None where the column holds no bare numbers.
    zone : str
        IANA zone of times that name none.
    pattern : str, optional
        strptime pattern of texts; else ISO 8601.

    Returns
    -------
    pl.DataFrame
        (n, …) `timestamp` in UTC; where something stood that is no time, null, and its text in UNREAD_TIME.

    Raises
    ------
    ConfigError
        The unit or the zone is unknown.
    SchemaError
        Numbers without a declared unit.
    """
    column = frame["timestamp"]
    _check(unit, zone)
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is not None:
        return frame.with_columns(pl.col("timestamp").cast(TIMESTAMP))
    if isinstance(column.dtype, pl.Datetime) or column.dtype == pl.Date:
        moments = _localised(column.cast(pl.Datetime("us")), zone)
    elif column.dtype == pl.String and (pattern is not None or unit in {None, "iso"}):
        moments = from_text(column, pattern, zone)
        if pattern is None and len(column) and moments.null_count() == len(column):
            _refuse_bare_numbers(column)
    else:
        if unit in {None, "iso"}:
            _refuse_bare_numbers(column)
        moments = _from_number(column, unit or "s")
    frame = frame.with_columns(moments.alias("timestamp"))
    if moments.null_count() > column.null_count():
        text = column.cast(pl.String, strict=False)
        frame = frame.with_columns(
            pl.when(moments.is_null() & (text.str.strip_chars() != "")).then(text).alias(UNREAD_TIME)
        )
    return frame


def _check(unit: str | None, zone: str) -> None:
    if unit is not None and unit not in UNITS and unit != "iso":
        raise ConfigError(
            f"a time unit ({', '.join(UNITS)}, iso)",
            found=f"{unit!r} at `events.source.options.time_unit`",
            do="Mend it.",
        )
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(
            "an IANA time zone such as Europe/Paris",
            found=f"{zone!r} at `events.source.options.time_zone`",
            do="Mend it.",
        ) from error


def _refuse_bare_numbers(column: pl.Series) -> None:
    numbers = column.cast(pl.Float64, strict=False).drop_nulls()
    if not len(numbers):
        return
    typical = abs(float(numbers.median() or 0.0))  # type: ignore[arg-type]
    guess = next((unit for unit, edge in (("s", 1e11), ("ms", 1e14), ("us", 1e17)) if typical < edge), "ns")
    raise SchemaError(
        "the unit of the times",
        found=f"numbers like {column.drop_nulls()[0]} in the column mapped to `timestamp`",
        do=f"Set `events.source.options.time_unit` ({guess} by their size).",
    )


def _from_number(column: pl.Series, unit: str) -> pl.Series:
    """Moments from counts since 1970; fractions are kept, absurd ones are null."""
    numbers = column
    if column.dtype == pl.String:
        numbers = column.str.strip_chars().cast(pl.Int64, strict=False)
        if numbers.null_count() > column.null_count():
            numbers = column.str.strip_chars().cast(pl.Float64, strict=False)
    if numbers.dtype.is_integer() and unit in {"s", "ms", "us"}:
        factor = int(UNITS[unit])
        fits = numbers.cast(pl.Int64, strict=False)
        micros = fits.set(fits.abs() > 9_000_000_000_000_000_000 // factor, None) * factor
    else:
        scaled = numbers.cast(pl.Float64) * UNITS[unit]
        micros = scaled.round().cast(pl.Int64, strict=False)
    return micros.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def from_text(column: pl.Series, pattern: str | None = None, zone: str = "UTC") -> pl.Series:
    """Moments (n,) of texts by a strptime pattern, or of any mix of ISO 8601 forms; null where there is none."""
    if pattern is not None:
        if "%z" in pattern or "%#z" in pattern:
            return column.str.to_datetime(pattern, time_unit="us", strict=False).cast(TIMESTAMP)
        return _localised(column.str.to_datetime(pattern, time_unit="us", strict=False), zone)
    text = column.str.strip_chars()
    found = pl.Series("timestamp", [None], dtype=TIMESTAMP).new_from_index(0, len(text))
    for iso in _ISO:
        if found.null_count() == text.null_count():
            return found
        todo = text.set(found.is_not_null(), None)
        moments = todo.str.to_datetime(iso, time_unit="us", strict=False)
        found = found.zip_with(
            found.is_not_null(), moments.cast(TIMESTAMP) if iso.endswith("z") else _localised(moments, zone)
        )
    days = text.set(found.is_not_null(), None).str.to_date("%Y-%m-%d", strict=False)
    return found.zip_with(found.is_not_null(), _localised(days.cast(pl.Datetime("us")), zone))


def _localised(moments: pl.Series, zone: str) -> pl.Series:
    """UTC of local times: of an hour that occurs twice the first, an hour that does not occur is null."""
    local = moments.cast(pl.Datetime("us")).dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC")


class Positions:
    """Times for a log that has an order and no times: a user's k-th event is k seconds after the first day's start.

    Parameters
    ----------
    first_day : date
        Midnight UTC of it is position 0.
    """

    def __init__(self, first_day: dt.date) -> None:
        self._start = dt.datetime.combine(first_day, dt.time(), dt.UTC)
        self._seen = pl.DataFrame(schema={"user_id": pl.String, "before": pl.Int64})

    def add(self, frame: pl.DataFrame) -> pl.DataFrame:
        """(n, …) the next rows of the log, with `timestamp`; a row without a user gets none."""
        user = frame.select(pl.col("user_id").cast(pl.String))
        within = user.with_columns(pl.int_range(pl.len()).over("user_id").alias("place"))
        place = within.join(self._seen, on="user_id", how="left", maintain_order="left").select(
            pl.when(pl.col("user_id").is_not_null()).then(pl.col("place") + pl.col("before").fill_null(0))
        )["place"]
        count = (
            user.filter(pl.col("user_id").is_not_null())
            .group_by("user_id")
            .agg(pl.len().cast(pl.Int64).alias("before"))
        )
        self._seen = pl.concat([self._seen, count]).group_by("user_id").agg(pl.col("before").sum())
        moments = pl.lit(self._start).cast(TIMESTAMP) + pl.duration(microseconds=1) * 1_000_000 * pl.lit(place)
        return frame.with_columns(moments.alias("timestamp"))
