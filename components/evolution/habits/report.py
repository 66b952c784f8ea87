"""What the log says of habits, as one JSON record: of all users together, never of one.

Never here: how a figure is computed, or a page.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.evolution.habits.cohorts import cohorts
from components.evolution.habits.predictability import predictability
from components.evolution.habits.profiles import profiles
from components.evolution.habits.rhythm import regularity, rhythm
from components.evolution.habits.shifts import shifts
from components.evolution.log import HOURS_OF_WEEK, Log
from components.evolution.record import plain
from components.evolution.sequences import sequences
from components.evolution.significance import Estimate, adjusted, mean_by_user
from components.features.time import DAY_S, HOUR_S
from components.params import HabitParams

Record = dict[str, Any]
_PARTS_OF_DAY = 6  # of four hours each, apart for weekdays and weekends


def habit_report(log: Log, params: HabitParams, seed: int) -> Record:
    """Every figure of this room for one log."""
    hours = sequences(log, log.hour_of_week, HOURS_OF_WEEK, None)
    items = sequences(log, log.item, len(log.items), None)
    everybody = sequences(log, log.hour_of_week, HOURS_OF_WEEK, np.zeros(log.n_users, np.int64))
    enough = np.diff(hours.offsets) >= params.least_events
    limits = predictability(items, params.least_events, params.most_events)
    names = ("random", "uncorrelated", "real", "most", "most_uncorrelated")

    def mean(value: NDArray[np.float64]) -> Estimate:
        known = enough & ~np.isnan(value)
        return mean_by_user(np.where(known, value, 0), known, params.draws, params.confidence, seed)

    def beyond_chance(p: NDArray[np.float64]) -> int:
        return int((adjusted(p[enough]) <= params.level).sum())  # of those who are told: nobody else is tested

    daily, weekly = rhythm(hours, DAY_S), rhythm(hours, 7 * DAY_S)
    found = {
        "users": int(enough.sum()),
        "profile": profiles(everybody, params.bandwidth_h, params.profile_prior)[0],
        "regularity": mean(regularity(hours)),
        "daily_strength": mean(daily.strength),
        "weekly_strength": mean(weekly.strength),
        "daily_rhythm": beyond_chance(daily.p),
        "weekly_rhythm": beyond_chance(weekly.p),
        "predictability": {"users": int((limits.events > 0).sum())}
        | {name: mean(getattr(limits, name)) for name in names},
        "shifts": _shifts(log, params, seed),
        "cohorts": _cohorts(log, params.confidence),
    }
    return dict(plain(found))


def _shifts(log: Log, params: HabitParams, seed: int) -> Record:
    part = log.local_s // HOUR_S % 24 // (24 // _PARTS_OF_DAY)
    weekend = log.hour_of_week >= 5 * 24
    found = shifts(
        sequences(log, part + _PARTS_OF_DAY * weekend, 2 * _PARTS_OF_DAY, None),
        params.least_days,
        params.permutations,
        seed,
    )
    sure = found.q <= params.level
    return {
        "tested": int((~np.isnan(found.p)).sum()),
        "below_5_percent": int((found.p <= 0.05).sum()),
        "shifted": int(sure.sum()),
        "divergence_bits": float(found.divergence[sure].mean()) if sure.any() else None,
    }


def _cohorts(log: Log, confidence: float) -> list[Record]:
    found = cohorts(log, confidence)
    return [
        {
            "month": str(np.datetime64(int(month), "M")),
            "size": found.size[row],
            "retention": [
                Estimate(*of_age)
                for of_age in zip(found.retention[row], found.low[row], found.high[row], strict=True)
                if not np.isnan(of_age[0])
            ],
        }
        for row, month in enumerate(found.months)
    ]
