"""Findings without counts of a handful of people: what tells of too few becomes null, or is left out.

Cells, flows, regions, areas, segments, states and counts are guarded where they are computed; here is what remains.
Never here: a figure, or a sentence about one.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from components.evolution.suppression import suppress
from components.params import EvolveParams

Record = dict[str, Any]
_CHANGES = ("tested_slope", "widening", "narrowing", "tested_drift", "drifting")
_RHYTHMS = ("daily_rhythm", "weekly_rhythm")
_SHIFTS = ("tested", "below_5_percent", "shifted")


def few(users: int | None, least: int) -> bool:
    """Whether a count is of people too few to be told; nobody is not."""
    return users is not None and 0 < users < least


def few_of(share: float, users: int, least: int) -> bool:
    """Whether a share tells of too few, who are of it or who are not."""
    those = round(share * users)
    return few(those, least) or few(users - those, least)


def guarded(found: Record, params: EvolveParams) -> Record:
    """The findings of `space`, `interests`, `habits` and `trends`, each a record or {"missing": why}, fit to be shown.

    Parameters
    ----------
    found : by room; other rooms stay as they are
    params : whose `least_users` and `min_users` rule; habits and cohorts follow `lifecycle.min_users`
    """
    rules = {
        "space": _space,
        "interests": _interests,
        "habits": _habits,
        "trends": _trends,
        "anomalies": _anomalies,
        "patterns": _patterns,
    }
    return {
        room: rules[room](record, params) if room in rules and "missing" not in record else record
        for room, record in found.items()
    }


def _space(found: Record, params: EvolveParams) -> Record:
    least, mobility = params.space.least_users, found["mobility"]
    if mobility["users"] < least:
        return _missing(mobility["users"], least)
    shares = {
        name: None if few_of(mobility[name], mobility["users"], least) else mobility[name]
        for name in ("with_home", "with_work")
    }
    beyond = mobility["beyond_core"]
    if beyond < least or few_of(mobility["explorers"]["value"], beyond, least):
        shares["explorers"] = dict.fromkeys(("value", "low", "high"))
    if few_of(beyond / mobility["users"], mobility["users"], least):
        shares["beyond_core"] = None
    return found | {"mobility": mobility | shares}


def _interests(found: Record, params: EvolveParams) -> Record:
    least = params.interests.least_users
    users = found["users"]
    if max(users["tested_slope"], users["tested_drift"]) < least:
        return _missing(max(users["tested_slope"], users["tested_drift"]), least)
    forecast = found["forecast"]
    if "missing" not in forecast and forecast["users"] < least:
        forecast = _missing(forecast["users"], least)
    return found | {
        "users": _blanked(users, _CHANGES, least),
        "breadth": [row for row in found["breadth"] if row["users"] >= least],
        "persistence": [row for row in found["persistence"] if row["users"] >= least],
        "popularity": [row for row in found["popularity"] if min(row["users"], row["users_before"]) >= least],
        "forecast": forecast,
    }


def _habits(found: Record, params: EvolveParams) -> Record:
    least = params.lifecycle.min_users
    if found["users"] < least:
        return _missing(found["users"], least)
    limits = found["predictability"]
    return _blanked(found, _RHYTHMS, least) | {
        "predictability": _missing(limits["users"], least) if limits["users"] < least else limits,
        "shifts": _blanked(found["shifts"], _SHIFTS, least),
        "cohorts": [
            cohort | {"retention": [_retained(one, cohort["size"], least) for one in cohort["retention"]]}
            for cohort in found["cohorts"]
            if cohort["size"] >= least
        ],
    }


def _trends(found: Record, params: EvolveParams) -> Record:
    least, growth = params.trends.least_users, found["growth"]
    if found["users"] < least:
        return _missing(found["users"], least)
    if "missing" in growth or min(growth["users_before"], growth["users_after"]) >= least:
        return found
    return found | {"growth": _missing(min(growth["users_before"], growth["users_after"]), least)}


def _anomalies(found: Record, params: EvolveParams) -> Record:
    least = params.anomalies.least_users
    if found["users"] < least:
        return _missing(found["users"], least)
    hidden = few(found["strange"], least)
    return found | {
        "strange": None if hidden else found["strange"],
        "events": None if hidden else found["events"],
        "share": None if hidden else found["share"],
        "figures": [one for one in found["figures"] if one["users"] >= least],
        "reasons": _reasons(found["reasons"], least),
        "days": [one for one in found["days"] if one["users"] >= least],
    }


def _reasons(rows: list[Record], least: int) -> list[Record]:
    """Every strange user has one reason, and their number is told: a small reason takes another one with it."""
    if not rows:
        return rows
    users = pl.DataFrame({"users": [one["users"] for one in rows], "of": 0})
    told = suppress(users, "users", [], least, ["of"])["users"]
    return [one | {"users": users} for one, users in zip(rows, told, strict=True)]


def _patterns(found: Record, params: EvolveParams) -> Record:
    least = params.patterns.least_users
    return _missing(found["users"], least) if found["users"] < least else found


def _retained(one: Record, size: int, least: int) -> Record | None:
    """A share of a cohort, unless it tells of a few who stayed, or of a few who left."""
    return None if few_of(one["value"], size, least) else one


def _blanked(record: Record, names: tuple[str, ...], least: int) -> Record:
    return record | {name: None if few(record[name], least) else record[name] for name in names}


def _missing(users: int, least: int) -> Record:
    return {"missing": f"Fewer than {least} users have enough events for it." if users else "Nobody has enough events."}
