"""How far the newest days, and the snapshot as a whole, are from what is normal: two small tables and their limits.

`judged_days` measures each judged day against the reference, `batch_row` the snapshot; `batch_suite` holds the
expectations that these tables must meet. A share's drift is its distance from the reference less four standard
errors of the day's own count, so that a quiet day is not an alarm.

Never here: single rows (`components.events.suite`) and what becomes of a failure (`components.events.validation`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import polars as pl

from components.events.reference import MEASURES, OPTIONAL, QUARTILES, Reference
from components.events.suite import Expectation, Table
from components.params import Params

_RADIAN = 180 / math.pi
_ANGLE = {_RADIAN: "degrees for radians", 1e6: "microdegrees for degrees", 1e7: "ten-millionths for degrees"}
#: Column → factor that betrays a changed unit (new = factor × old) → its name. Inverses are looked for, too.
UNITS: Mapping[str, Mapping[float, str]] = {
    "duration_s": {1e3: "milliseconds for seconds", 1e6: "microseconds for seconds", 60.0: "seconds for minutes"},
    "value": {100.0: "cents for whole units", 1e3: "thousandths for whole units"},
    "latitude": _ANGLE,
    "longitude": _ANGLE,
}
#: Quartiles that all moved by the same factor, within this tolerance, changed their unit.
_UNIT_TOLERANCE = 1.3
#: Fewer values than this on a day say nothing about their unit.
_ENOUGH = 30
_SIGMAS = 4.0


def unit_factor(measure: str, now: tuple[float, ...], usual: tuple[float, ...]) -> float:
    """Conversion factor by which all quartiles moved, 1.0 when there is none.

    Parameters
    ----------
    measure : column of UNITS
    now, usual : quartiles of the column's size on one day and in the reference
    """
    if min(usual) <= 0 or min(now) <= 0:
        return 1.0
    ratios = [a / b for a, b in zip(now, usual, strict=True)]
    known = [f for factor in UNITS[measure] for f in (factor, 1 / factor)]
    for factor in sorted(known, key=lambda f: abs(math.log(ratios[1] / f))):
        if all(abs(math.log(ratio / factor)) < math.log(_UNIT_TOLERANCE) for ratio in ratios):
            return factor
    return 1.0


def unit_name(measure: str, factor: float) -> str:
    """«milliseconds for seconds», the other way round for a factor below 1."""
    if factor in UNITS[measure]:
        return UNITS[measure][factor]
    name = next(name for known, name in UNITS[measure].items() if math.isclose(known, 1 / factor))
    return " for ".join(reversed(name.split(" for ")))


def _noise(share: float) -> pl.Expr:
    """Four standard errors of a share among a day's rows."""
    rows = pl.col("rows")
    return _SIGMAS * (pl.max_horizontal(pl.lit(share * (1 - share)), 1 / rows) / rows).sqrt()


def _drift(count: str, usual: float) -> pl.Expr:
    """Distance of a day's share from the usual one, less what chance explains."""
    return ((pl.col(count) / pl.col("rows") - usual).abs() - _noise(usual)).clip(lower_bound=0.0)


def judged_days(judged: pl.DataFrame, reference: Reference, params: Params) -> pl.DataFrame:
    """Table `days`: one row per judged day, its numbers beside the reference.

    Parameters
    ----------
    judged : rows of `reference.by_day`
    reference : Reference
    params : Params

    Returns
    -------
    (days, …) `day, rows, kept, quarantined_share, rate_factor`, `drift_action_<name>`, `drift_null_<column>` and
    `unit_<measure>`.
    """
    usual, kept = max(reference.daily_rows, 1.0), pl.col("kept")
    noise = _SIGMAS * (kept + 1.0).sqrt()
    more, fewer = (kept - noise).clip(lower_bound=0.0) / usual, usual / (kept + noise)
    over = pl.lit(params.events.until is not None) | (pl.col("day") != judged["day"].max())  # else perhaps not over yet
    refused = 1 - kept / pl.col("rows")
    return judged.select(
        "day",
        "rows",
        "kept",
        (refused - _noise(params.validation.max_quarantined)).clip(lower_bound=0.0).alias("quarantined_share"),
        pl.when(over).then(pl.max_horizontal(more, fewer)).otherwise(more).alias("rate_factor"),
        *(_drift(f"action_{n}", share).alias(f"drift_action_{n}") for n, share in reference.action_share.items()),
        *(_drift(f"null_{n}", share).alias(f"drift_null_{n}") for n, share in reference.null_share.items()),
        *(pl.Series(f"unit_{name}", _units(judged, name, reference), pl.Float64) for name in MEASURES),
    )


def _units(judged: pl.DataFrame, measure: str, reference: Reference) -> list[float]:
    """Conversion factor of each judged day (a short list: days, not events)."""
    usual = reference.quartiles[measure]
    columns = [f"some_{measure}", *(f"q{100 * q:.0f}_{measure}" for q in QUARTILES)]
    return [
        unit_factor(measure, tuple(now), usual) if usual is not None and some >= _ENOUGH else 1.0
        for some, *now in judged.select(columns).iter_rows()
    ]


def batch_row(days: pl.DataFrame, missing: Mapping[str, int], catalogue: Mapping[str, int]) -> pl.DataFrame:
    """Table `batch`: one row for the whole snapshot.

    Parameters
    ----------
    days : the table of `reference.by_day`, all days
    missing : column → kept rows without a value in it
    catalogue : name of a fault of the catalogue → how many rows have it

    Returns
    -------
    (1, …) `kept_rows, quarantined_share, empty_days`, `missing_<column>` shares of the kept rows, and the faults.
    """
    rows, kept = int(days["rows"].sum()), int(days["kept"].sum())
    gaps = days.filter(pl.col("kept") > 0)["day"].diff().dt.total_days() - 1
    longest = gaps.max()
    record = {
        "kept_rows": kept,
        "quarantined_share": 1 - kept / rows,
        "empty_days": int(longest) if isinstance(longest, int) else 0,
        **{f"missing_{name}": count / max(kept, 1) for name, count in missing.items()},
        **catalogue,
    }
    return pl.DataFrame([record])


def batch_suite(params: Params, faults: Mapping[str, str]) -> list[Expectation]:
    """Expectations of the judged days and of the snapshot, the likeliest cause first.

    Parameters
    ----------
    params : Params
    faults : name of a fault of the catalogue → what is needed instead, in words; none may be counted
    """
    limits = params.validation
    source = "Check the source and its mapping in params.yaml"
    meant = "if people really changed, raise"
    days: list[Expectation] = []
    if params.events.time_kind != "ordinal":
        mix, nulls = limits.action_mix_tolerance, limits.null_share_tolerance
        days = [
            *(
                _limit(
                    f"unit_of_{name}",
                    "days",
                    f"unit_{name}",
                    f"`{name}` in the unit of the earlier days",
                    f"Check the unit of `{name}` in the source, and take the days in again.",
                    low=1.0,
                    high=1.0,
                )
                for name in MEASURES
            ),
            *(
                _limit(
                    f"share_of_{name}",
                    "days",
                    f"drift_action_{name}",
                    f"a share of `{name}` within {mix:g} of the earlier days'",
                    f"{source}; {meant} `validation.action_mix_tolerance`.",
                    high=mix,
                )
                for name in params.events.actions
            ),
            *(
                _limit(
                    f"missing_{name}",
                    "days",
                    f"drift_null_{name}",
                    f"a share of missing `{name}` within {nulls:g} of the earlier days'",
                    f"{source}: a column may have been renamed or dropped; {meant} `validation.null_share_tolerance`.",
                    high=nulls,
                )
                for name in OPTIONAL
            ),
            _limit(
                "rows_of_a_day_kept",
                "days",
                "quarantined_share",
                f"at most {limits.max_quarantined:.1%} of a day's rows in quarantine",
                f"{source}, mend the rows and take the day in again, or raise `validation.max_quarantined`.",
                high=limits.max_quarantined,
            ),
            _limit(
                "rows_per_day",
                "days",
                "rate_factor",
                f"a day's events within a factor {limits.daily_rate_factor:g} of the earlier days' median",
                f"Check that the day is complete and not doubled; {meant} `validation.daily_rate_factor`.",
                high=limits.daily_rate_factor,
            ),
            _limit(
                "days_without_events",
                "batch",
                "empty_days",
                f"at most {limits.max_empty_days} days in a row without a valid event",
                "Ingest the missing days, or raise `validation.max_empty_days`.",
                high=limits.max_empty_days,
            ),
        ]
    return [
        *days,
        _limit(
            "rows_kept",
            "batch",
            "quarantined_share",
            f"at most {limits.max_quarantined:.1%} of the rows in quarantine",
            f"{source} and mend the rows, or raise `validation.max_quarantined`.",
            high=limits.max_quarantined,
        ),
        _limit("some_rows", "batch", "kept_rows", "at least one valid event", f"{source}.", low=1),
        *(
            _limit(
                f"at_most_missing_{name}",
                "batch",
                f"missing_{name}",
                f"at most {share:.1%} of `{name}` missing",
                f"{source}, or raise `validation.max_null.{name}`.",
                high=share,
            )
            for name, share in limits.max_null.items()
        ),
        *(
            _limit(name, "batch", name, needed, "Mend data/catalogue at its source, and ingest it again.", high=0)
            for name, needed in faults.items()
        ),
    ]


def _limit(
    name: str, table: Table, column: str, needed: str, do: str, low: float | None = None, high: float | None = None
) -> Expectation:
    return Expectation(name, table, column, "between", needed, {"low": low, "high": high}, "batch", do)
