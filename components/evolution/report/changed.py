"""What changed since the report before: forecasts and what came, states of life, interests, hot spots, new findings.

Two summaries are compared; each difference of shares has an interval in which the two are taken as independent, though
most users are in both: it is wider than it need be. Never here: a figure that neither report told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from components.evolution.report.sentences.sentence import Sentence
from components.evolution.report.words import count, share, signed_points

Record = dict[str, Any]
_TOLD = 3  # of a kind in words


def changed(before: Record, now: Record, tables: Mapping[str, pl.DataFrame], level: float) -> list[Sentence]:
    """Sentences about what the newer report says and the older did not.

    Parameters
    ----------
    before, now : summaries
    tables : of the newer report, for what came after the older one's forecasts
    level : chance of any difference of a kind being told where there is none (Bonferroni)
    """
    log, old = now["log"], before["log"]
    said = [
        Sentence(
            f"The log grew from {count(old['events'])} to {count(log['events'])} events, from {count(old['users'])} to "
            f"{count(log['users'])} users; it ends on {log['last']}, then on {old['last']}.",
            f"report {before['number']} ({before['version']}) beside this one",
        )
    ]
    said += [one for step in ("day", "week") for one in _came(before, tables, step)]
    said += _states(before["states"], now["states"], level)
    said += _interests(before["segments"], now["segments"], level)
    said += _hot(before["hot_spots"], now["hot_spots"])
    for name, title, tell in (
        ("unusual", "unusual spans of days", _unusual),
        ("changes", "changes of level", _level),
        ("patterns", "patterns", _pattern),
    ):
        said += _new(before[name], now[name], title, tell)
    return said


def _came(before: Record, tables: Mapping[str, pl.DataFrame], step: str) -> list[Sentence]:
    """How the older report's forecast of the total fared."""
    told = next((one for one in before["forecasts"] if one["step"] == step and one["by"] == "all"), None)
    counts = tables.get(f"trends_counts_{step}")
    if told is None or counts is None:
        return []
    rows = counts.filter(pl.col("by") == "all").select("begin", "events").to_dicts()
    came = {row["begin"][:10]: row["events"] for row in rows if row["events"] is not None}
    known = [at for at, begin in enumerate(told["begins"]) if begin[:10] in came]
    if not known:
        return []
    actual = np.array([came[told["begins"][at][:10]] for at in known], np.float64)
    point, low, high = (np.array([told[name][at] for at in known], np.float64) for name in ("point", "low", "high"))
    held = int(((actual >= low) & (actual <= high)).sum())
    return [
        Sentence(
            f"For {count(len(known))} of the {step}s since, the last report foresaw {count(round(point.sum()))} "
            f"events; there were {count(round(actual.sum()))}. {held} of {len(known)} lay within their "
            f"{share(told['interval'])} interval.",
            f"mean absolute error {np.abs(actual - point).mean():,.1f} events a {step}, of {actual.mean():,.1f}",
        )
    ]


def _states(before: Record | None, now: Record | None, level: float) -> list[Sentence]:
    if before is None or now is None:
        return []
    old = {one["state"]: one for one in before["now"] if one["share"]}
    new = {one["state"]: one for one in now["now"] if one["share"]}
    both = sorted(old.keys() & new.keys())
    sizes = [sum(one["users"] or 0 for one in side["now"]) for side in (before, now)]
    error = {
        name: float(
            np.sqrt(sum(one["share"] * (1 - one["share"]) / max(n, 1) for one, n in zip((old[name], new[name]), sizes,
                                                                                       strict=True)))
        )
        for name in both
    }  # fmt: skip
    z = float(stats.norm.isf(level / 2 / max(len(both), 1)))
    moves = {name: new[name]["share"] - old[name]["share"] for name in both}
    sure = sorted((name for name in both if abs(moves[name]) > z * error[name]), key=lambda name: -abs(moves[name]))
    known = (
        f"{count(sizes[0])} users on {before['moment']}, {count(sizes[1])} on {now['moment']}; intervals for all "
        f"states together hold at {share(1 - level)}"
    )
    if not both:
        return []
    if not sure:
        return [Sentence("No share of a state of life changed beyond chance.", known)]
    return [
        Sentence(
            f"The share of users who are {name} went from {share(old[name]['share'])} to {share(new[name]['share'])}: "
            f"{signed_points(moves[name])} points ({signed_points(moves[name] - z * error[name])} to "
            f"{signed_points(moves[name] + z * error[name])}).",
            known,
        )
        for name in sure[:_TOLD]
    ]


def _interests(before: Sequence[Record], now: Sequence[Record], level: float) -> list[Sentence]:
    old = {(one["segment"], row["category"]): row for one in before for row in one["interests"]}
    pairs = [
        (one["segment"], row, old[one["segment"], row["category"]])
        for one in now
        for row in one["interests"]
        if (one["segment"], row["category"]) in old
    ]
    if not pairs:
        return []
    wide = float(stats.norm.isf(level / 2 / len(pairs)) / stats.norm.isf(0.025))  # of intervals that hold at 95 %
    found = []
    for segment, new, past in pairs:
        move = new["share"] - past["share"]
        error = wide * float(np.hypot(new["high"] - new["low"], past["high"] - past["low"])) / 2
        if abs(move) > error:
            found.append((abs(move), segment, new, past, move, error))
    known = f"{count(len(pairs))} pairs of segment and category, intervals for all together at {share(1 - level)}"
    if not found:
        return [Sentence("No segment's interests moved beyond chance.", known)]
    return [
        Sentence(
            f"Of what {segment} users do, {new['category']} went from {share(past['share'])} to {share(new['share'])}: "
            f"{signed_points(move)} points ({signed_points(move - error)} to {signed_points(move + error)}).",
            known,
        )
        for _, segment, new, past, move, error in sorted(found, key=lambda one: -one[0])[:_TOLD]
    ]


def _hot(before: Sequence[Record], now: Sequence[Record]) -> list[Sentence]:
    old, new = ({one["cell"]: one["class"] for one in side if one["kind"] == "hot"} for side in (before, now))
    if not old and not new:
        return []
    came, went = sorted(new.keys() - old.keys()), sorted(old.keys() - new.keys())
    grew = sorted(cell for cell in new.keys() & old.keys() if new[cell] == "intensifying" != old[cell])
    named = f": {', '.join(came[:_TOLD])}" if came else ""
    return [
        Sentence(
            f"{count(len(came)) if came else 'No'} cells became hot spots{named}; {len(went)} are none any more; "
            f"{len(grew)} began to grow hotter.",
            f"{count(len(old))} hot cells then, {count(len(new))} now, each with its history's class",
        )
    ]


def _new(
    before: Sequence[Record], now: Sequence[Record], title: str, tell: Callable[[Record], tuple[str, str]]
) -> list[Sentence]:
    """What the newer list has and the older has not, by what identifies one."""
    known = {tell(one)[0] for one in before}
    fresh = [tell(one)[1] for one in now if tell(one)[0] not in known]
    if not fresh:
        return []
    more = f", and {len(fresh) - _TOLD} more" if len(fresh) > _TOLD else ""
    return [
        Sentence(
            f"{count(len(fresh))} {title} are new: {'; '.join(fresh[:_TOLD])}{more}.",
            f"{count(len(before))} then, {count(len(now))} now; each with its own test",
        )
    ]


def _series(one: Record) -> str:
    return "all events" if one["by"] == "all" else f"{one['by']} {one['value']}"


def _unusual(one: Record) -> tuple[str, str]:
    span = one["first"] if one["first"] == one["last"] else f"{one['first']} to {one['last']}"
    told = f"{_series(one)} on {span} ({count(round(one['actual']))}, usually {count(round(one['usual']))})"
    return f"{one['by']}/{one['value']}/{one['first']}", told


def _level(one: Record) -> tuple[str, str]:
    return (
        f"{one['by']}/{one['value']}/{one['at']}",
        f"{_series(one)} on {one['at']}, from {one['before']:,.1f} to {one['after']:,.1f} a day",
    )


def _pattern(one: Record) -> tuple[str, str]:
    return f"{one['where']}/{one['when']}", f"{one['name']} ({one['when']})"
