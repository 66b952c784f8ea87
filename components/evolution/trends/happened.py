"""What happened in the shown series: unusual days and their parts, changes of level, cycles, holidays, growth.

A day that too few users made is looked at and never told. Never here: forecasts (`ahead`), or words.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import DataError
from components.evolution.log import Log
from components.evolution.significance import p_value
from components.evolution.trends.causes import causes
from components.evolution.trends.changes import Change, change_points
from components.evolution.trends.mstl import decompose
from components.evolution.trends.panel import Floats, Panel
from components.evolution.trends.seasonality import null_strength, strength
from components.evolution.trends.series import TOTAL, Shown, begin_of
from components.evolution.trends.unusual import Control, Unusual, expected, unusual
from components.params import TrendParams

Record = dict[str, Any]
_DAY, _QUARTER = 24, 6
_LEAST_DAYS = 14
_WIDTHS_H = (1, 2, 3, 4, 6, 8, 12, 24)
_LEAST_MEAN = 5.0  # events of a slot: fewer are too coarse for a robust deviation
_EPOCH = dt.datetime(1970, 1, 1)


def counts(series: Shown, usual: Floats | None, hidden: NDArray[np.bool_]) -> pl.DataFrame:
    """begin, by, value, users, events, usual, suppressed: a row for every step of every series.

    Parameters
    ----------
    hidden : (S, T) of `hidden_counts`; numbers of those are null
    """
    panel = series.panel
    begins = [begin_of(panel, step) for step in range(panel.steps)]
    frame = panel.keys.join(pl.DataFrame({"begin": begins}), how="cross").with_columns(
        users=series.users.ravel(),
        events=panel.values.ravel().astype(np.int64),
        usual=pl.Series(np.full(panel.values.size, np.nan) if usual is None else usual.ravel()).fill_nan(None),
        suppressed=hidden.ravel(),
    )
    return frame.with_columns(
        pl.when(~pl.col("suppressed")).then(pl.col(name)) for name in ("users", "events", "usual")
    )


def unusual_days(hours: Shown | None, days: Shown, told: pl.DataFrame, params: TrendParams) -> Record:
    """Unusual days of the total and of every part, each at the finest slots that hold enough events.

    Half of the false alarms that are allowed may come from the total, the other half from all parts together.

    Parameters
    ----------
    hours : the same series by hour; None: the log knows no hours
    days : by day
    told : `counts` of the days
    """
    shown = ~told["suppressed"].to_numpy().reshape(days.panel.n, -1)
    rows = np.flatnonzero(shown.any(axis=1)).tolist()
    panels = {row: slots for row in rows if (slots := _slots(hours, days, row))}
    months = days.panel.steps / (365.25 / 12)
    parts = sum(row > 0 for row in panels)
    found: list[Record] = []
    for row, widths in panels.items():
        rate = params.alarms_a_month / 2 / (1 if row == 0 else parts) / len(widths)
        spans = []
        for panel in widths:
            day = panel.seasons[0] if len(panel.seasons) > 1 else 1
            usual = expected(panel, params.around, past_only=False)
            spans += [_told(days, row, one, day) for one in unusual(panel, usual, day, Control("rate", rate))]
        found += [one for one in _apart(spans) if shown[row, one["first_day"] : one["last_day"] + 1].all()]
    return {
        "series": len(panels),
        "untested": len(rows) - len(panels),
        "expected_false": params.alarms_a_month * months * (1.0 if parts else 0.5),
        "days": sorted(found, key=lambda one: (one["by"] != TOTAL, one["p"], one["first"], one["value"])),
    }


def _apart(spans: list[Record]) -> list[Record]:
    """The least likely of spans that touch each other: what several widths say of one event."""
    kept: list[Record] = []
    for one in sorted(spans, key=lambda one: one["p"]):
        if all(one["last_day"] < other["first_day"] or one["first_day"] > other["last_day"] for other in kept):
            kept.append(one)
    return kept


def _slots(hours: Shown | None, days: Shown, row: int) -> list[Panel]:
    """One series at several widths, from the first whole day on: short and long events show at their own.

    The narrowest holds enough events a slot; the others are quarters of a day and whole days.
    """
    whole = days.panel
    mean = whole.values[row].mean() / _DAY
    if whole.steps < _LEAST_DAYS or mean * _DAY < _LEAST_MEAN:
        return []
    if hours is None:
        return [Panel(whole.values[row : row + 1], whole.keys[row : row + 1], (7,))]
    assert hours.panel.start is not None
    assert whole.start is not None
    skip = int((whole.start - hours.panel.start).total_seconds()) // 3600
    every = hours.panel.values[row, skip : skip + _DAY * whole.steps]
    narrow = next(one for one in _WIDTHS_H if mean * one >= _LEAST_MEAN)
    found = []
    for width in sorted({narrow, *(one for one in (_QUARTER, _DAY) if one > narrow)}):
        slots = _DAY // width
        seasons = (slots, 7 * slots) if slots > 1 else (7,)
        found.append(Panel(every.reshape(1, -1, width).sum(2), whole.keys[row : row + 1], seasons))
    return found


def _told(days: Shown, row: int, one: Unusual, day: int) -> Record:
    first, last = one.first // day, one.last // day
    begin = begin_of(days.panel, first)
    actual = float(days.panel.values[row, first : last + 1].sum())
    peak = begin_of(days.panel, 0) + dt.timedelta(hours=one.peak * _DAY / day)
    return {
        "by": days.panel.keys["by"][row],
        "value": days.panel.keys["value"][row],
        "first": begin.date().isoformat(),
        "last": begin_of(days.panel, last).date().isoformat(),
        "first_day": first,
        "last_day": last,
        "peak": peak.isoformat(),
        "deviation": one.deviation,
        "actual": actual,
        "usual": actual - one.excess,
        "excess": one.excess,
        "p": one.p,
    }


def made_of(days: Shown, usual: Floats, told: pl.DataFrame, spans: list[Record]) -> list[Record]:
    """What the excess of each span of the total was made of, split by split, the largest shares first.

    Parameters
    ----------
    usual : (S, T) of `days`
    told : `counts` of the days; a part that is suppressed on a day of the span is left out
    spans : of `unusual_days`
    """
    shown = ~told["suppressed"].to_numpy().reshape(days.panel.n, -1)
    found = []
    for span in spans:
        first, last = span["first_day"], span["last_day"]
        for name, rows in days.parts.items():
            panel = days.panel.take(rows)
            part = Panel(panel.values, panel.keys.select(pl.col("value").alias(name)), panel.seasons)
            try:
                made = causes(part, usual[rows], first, last)
            except DataError:
                continue
            place = {value: int(row) for value, row in zip(panel.keys["value"], rows, strict=True)}
            found += [
                {"first": span["first"], "last": span["last"], "by": name, "telling": made.dimensions[name],
                 "value": one.value, "actual": one.actual, "usual": one.expected, "excess": one.excess,
                 "share": one.share, "surprise": one.surprise}
                for one in made.shares[name]
                if shown[place[one.value], first : last + 1].all()
            ]  # fmt: skip
    return found


def changes(days: Shown, least_days: int, least_users: int) -> list[Record]:
    """Days on which the level of a series changed for good, the cycles of the week taken out.

    A level is of enough users where some day of it is; one of too few is not told, nor is the change to or from it.
    """
    panel = days.panel
    if panel.steps < 2 * least_days:
        return []
    adjusted = decompose(panel).adjusted
    return [
        {"by": panel.keys["by"][row], "value": panel.keys["value"][row],
         "at": begin_of(panel, one.at).date().isoformat(), "before": one.before, "after": one.after, "size": one.size}
        for row in range(panel.n)
        if panel.values[row].mean() >= 1
        for one in _told_levels(change_points(adjusted[row], least_days), days.users[row], least_users)
    ]  # fmt: skip


def _told_levels(found: list[Change], users: NDArray[np.int64], least_users: int) -> list[Change]:
    """The changes between two levels of enough users, or of nobody; `users` (T,) of each day."""
    most = [int(part.max()) for part in np.split(users, [one.at for one in found])]
    return [
        one
        for one, before, after in zip(found, most, most[1:], strict=False)
        if all(there == 0 or there >= least_users for there in (before, after))
    ]


def cycles(series: Shown, level: float, seed: int) -> list[Record]:
    """Strength of every season in every series, and what white noise of that length stays below."""
    panel = series.panel
    used = [place for place, one in enumerate(panel.seasons) if one > 1 and 2 * one < panel.steps]
    if not used:
        return []
    found, noise = strength(decompose(panel)), null_strength(panel, 1 - level, seed)
    return [
        {"step": panel.step, "by": key["by"], "value": key["value"], "season": panel.seasons[place],
         "strength": float(found.season[row, place]), "noise": float(noise[place])}
        for row, key in enumerate(panel.keys.to_dicts())
        for place in used
    ]  # fmt: skip


def on_holidays(days: Shown, usual: Floats, free: NDArray[np.int64], permutations: int, seed: int) -> Record:
    """How much more or less happens on public holidays than on like weekdays around them.

    Parameters
    ----------
    usual : (S, T) of `days`
    free : (H,) holidays, days since 1970
    """
    panel = days.panel
    assert panel.start is not None
    day = (panel.start - _EPOCH).days + np.arange(panel.steps)
    known = np.isfinite(usual[0]) & (usual[0] > 0)
    holiday, ratio = np.isin(day, free)[known], np.log1p(panel.values[0, known]) - np.log1p(usual[0, known])
    count = int(holiday.sum())
    if count < 2 or count == len(holiday):
        return {"missing": f"The log holds {count} public holidays; it takes two."}
    rng = np.random.default_rng(seed)
    observed = float(ratio[holiday].mean())
    null = np.array([ratio[rng.permutation(len(ratio))[:count]].mean() for _ in range(permutations)])
    return {
        "holidays": count,
        "ratio": float(np.exp(observed)),
        "p": float(p_value(observed, null - null.mean() + float(ratio.mean()), "both")),
    }


def growth(log: Log, days: Shown, span: int) -> Record:
    """Events of the last days over those of the first, with the interval of drawing users anew (delta method).

    Parameters
    ----------
    span : days on each side, of whole weeks; fewer weeks where the log is shorter than two of them
    """
    panel = days.panel
    assert panel.start is not None
    span = min(span, panel.steps // 2) // 7 * 7
    if not span:
        return {"missing": "The log holds fewer than two whole weeks."}
    begin = (panel.start - _EPOCH).days
    number = log.day - begin
    first = np.bincount(log.user[(number >= 0) & (number < span)], minlength=log.n_users)
    late = (number >= panel.steps - span) & (number < panel.steps)
    last = np.bincount(log.user[late], minlength=log.n_users)
    before, after = float(first.sum()), float(last.sum())
    if not before:
        return {"missing": "No event on the first days."}
    ratio = after / before
    error = 1.96 * float(np.sqrt(((last - ratio * first) ** 2).sum())) / before
    return {
        "days": span, "before": before / span, "after": after / span,
        "users_before": int((first > 0).sum()), "users_after": int((last > 0).sum()),
        "ratio": {"value": ratio, "low": max(ratio - error, 0.0), "high": ratio + error},
    }  # fmt: skip
