"""What the log says of users who behave as nobody does, as one JSON record: how many, and by what they stand out.

Single users are named only where `evolve.anomalies.named` asks for it. Streams that leave what is usual are days of
`trends`. Never here: a verdict; what is strange need not be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.errors import DataError
from components.evolution.anomalies.behaviour import FIGURES, Behaviour, behaviour, enough
from components.evolution.anomalies.detectors import any_chance, chance, ecod, forest, strange, tails, turned
from components.evolution.anomalies.likelihoods import Likelihoods
from components.evolution.anomalies.peers import deviations
from components.evolution.anomalies.turns import Turns, turns
from components.evolution.log import Log
from components.evolution.record import plain
from components.params import AnomalyParams

Record = dict[str, Any]
Floats = NDArray[np.float64]
_LEAST_USERS = 50  # fewer are no crowd that anybody could stand out of
_BUSY = 0.999  # quantile of the others' days beyond which a day is more than busy


@dataclass(frozen=True, eq=False)
class Judged:
    """Of V users.

    Attributes
    ----------
    far : (V, F) deviations from peers
    p : (V,) chance of being so strange
    flags : (V,) who stands out
    figure : (V,) the figure by which
    """

    far: Floats
    p: Floats
    flags: NDArray[np.bool_]
    figure: NDArray[np.int64]


def anomaly_report(log: Log, params: AnomalyParams, likelihood: Likelihoods | None, seed: int) -> Record:
    """Every figure of this room for one log.

    Parameters
    ----------
    log : Log
    params : AnomalyParams
    likelihood : `likelihoods`, or None
    seed : of the forest, and of the histories that are spliced

    Raises
    ------
    DataError
        Too few users have enough events.
    """
    user = enough(log, params.least_events)
    if len(user) < _LEAST_USERS:
        raise DataError(
            f"{_LEAST_USERS} users of {params.least_events} events or more",
            found=f"{len(user)}",
            do="Ingest more days, or lower `evolve.anomalies.least_events`.",
        )
    changed = turns(log, user, params.resolution, params.least_events // 2, seed)
    found = behaviour(log, changed, likelihood)
    by = judged(found, changed, params.level, seed)
    side = np.take_along_axis(by.far, by.figure[:, None], 1)[:, 0] > 0
    answer = {
        "users": len(found.user),
        "strange": int(by.flags.sum()),
        "events": int(found.events[by.flags].sum()),
        "share": float(found.events[by.flags].sum() / max(log.n_events, 1)),
        "reasons": [
            {"figure": name, "meaning": FIGURES[name], "side": word, "users": int(count)}
            for place, name in enumerate(found.names)
            for word, there in (("high", side), ("low", ~side))
            if (count := (by.flags & (by.figure == place) & there).sum())
        ],
        "figures": _figures(found),
        "days": _days(log, found.user[by.flags]),
        "named": _named(log, found, changed, by) if params.named else [],
    }
    return dict(plain(answer))


def judged(found: Behaviour, changed: Turns, level: float, seed: int) -> Judged:
    """Who stands out, and by what: by all figures together, by the rarest, or by a history that turns."""
    far = deviations(found.values, found.events, found.least_spread)
    turn = turned(changed.score, changed.looks)
    chances = [chance(ecod(far)), chance(forest(far, seed)), chance(tails(far)), turn]
    p = any_chance(chances)
    figure = np.abs(far).argmax(1)
    if "turn" in found.names:
        figure = np.where(turn <= np.min(chances, axis=0), found.names.index("turn"), figure)
    return Judged(far, p, strange(p, level), figure)


def _figures(found: Behaviour) -> list[Record]:
    """Quantiles of every figure over the users that have it."""
    told, users = np.nanquantile(found.values, [0.1, 0.5, 0.9], axis=0), (~np.isnan(found.values)).sum(0)
    return [
        {"figure": name, "meaning": FIGURES[name], "users": int(users[place]),
         "p10": told[0, place], "p50": told[1, place], "p90": told[2, place]}
        for place, name in enumerate(found.names)
    ]  # fmt: skip


def _days(log: Log, user: NDArray[np.int64]) -> list[Record]:
    """Local days on which users that stand out made more events than nearly any day of the others has."""
    key, events = np.unique(log.user * 100_000 + log.day, return_counts=True)
    theirs = np.isin(key // 100_000, user)
    most = np.quantile(events[~theirs], _BUSY) if (~theirs).any() else 0
    busy = theirs & (events > most)
    days, where = np.unique(key[busy] % 100_000, return_inverse=True)
    users, total = np.bincount(where, minlength=len(days)), np.bincount(where, events[busy], len(days))
    return [
        {"day": str(np.datetime64(int(day), "D")), "users": int(users[one]), "events": int(total[one])}
        for one, day in enumerate(days)
    ]


def _named(log: Log, found: Behaviour, changed: Turns, by: Judged) -> list[Record]:
    return [
        {"user_id": str(log.users[found.user[one]]), "p": float(by.p[one]), "events": int(found.events[one]),
         "figure": found.names[by.figure[one]], "deviation": float(by.far[one, by.figure[one]]),
         "turned": changed.score[one],
         "since": None if changed.since[one] < 0 else str(np.datetime64(int(changed.since[one]), "D")),
         "most_by": changed.aspects[changed.parts[one].argmax()] if changed.since[one] >= 0 else None}
        for one in np.argsort(by.p, kind="stable")
        if by.flags[one]
    ]  # fmt: skip
