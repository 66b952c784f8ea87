"""What the log says of interests, as one JSON record: how many users change, and how, never who.

Never here: how a figure is computed, or a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from components.evolution.drift import drift
from components.evolution.interests.diversity import diversity
from components.evolution.interests.forecast import forecast
from components.evolution.interests.persistence import persistence
from components.evolution.interests.popularity import popularity
from components.evolution.interests.widening import widening
from components.evolution.log import Log
from components.evolution.record import plain
from components.evolution.sequences import Sequences, months, sequences, sliding
from components.evolution.significance import mean_by_user
from components.features.time import DAY_S
from components.params.section import Fraction, Section

Record = dict[str, Any]


class InterestParams(Section):
    """What is asked of interests."""

    window_days: int = Field(ge=1)
    step_days: int = Field(ge=1)
    least_events: int = Field(ge=2)  # of a window, and of a user in all
    permutations: int = Field(ge=99)
    level: float = Fraction
    least_users: int = Field(ge=1)  # of a segment that is shown
    lags: int = Field(ge=1)
    half_lives: tuple[float, ...]  # months
    priors: tuple[float, ...] = Field(min_length=1)  # events
    scored_months: int = Field(ge=1)
    head_share: float = Fraction
    draws: int = Field(ge=10)
    confidence: float = Field(gt=0, lt=1)


def interest_report(
    log: Log, segment: NDArray[np.integer], names: Sequence[str], params: InterestParams, seed: int
) -> Record:
    """Every figure of this room for one log.

    Parameters
    ----------
    log : Log with categories
    segment : (U,) segment of each user, 0..S-1
    names : (S,) of the segments
    params : InterestParams
    seed : of every draw

    Raises
    ------
    DataError
        There are too few months to score a forecast.
    """
    users = sequences(log, log.category, len(log.categories), None)
    items = sequences(log, log.item, len(log.items), None)
    interval = params.draws, params.confidence, seed
    monthly = months(users)
    told = forecast(users, monthly, params.half_lives, params.priors, params.scored_months, *interval)
    found = {
        "users": _changes(users, params, seed),
        "segments": _segments(log, segment, names, params, seed),
        "breadth": _breadth(users, params, seed),
        "persistence": persistence(users, monthly, params.lags, *interval),
        "forecast": {"chosen": told.chosen, "users": int(told.units.sum()), "ways": told.scores},
        "popularity": popularity(items, months(items), params.head_share, *interval),
    }
    return dict(plain(found))


def _segments(
    log: Log, segment: NDArray[np.integer], names: Sequence[str], params: InterestParams, seed: int
) -> list[Record]:
    """Slope and drift of every segment of enough users, by the shuffles of its users."""
    found = sequences(log, log.category, len(log.categories), segment)
    windows = sliding(found, params.window_days * DAY_S, params.step_days * DAY_S)
    wide = widening(found, windows, params.least_events, True, params.permutations, seed)
    apart = drift(found, True, params.permutations, seed)
    users = np.bincount(segment, minlength=found.n_units)
    return [
        {
            "segment": names[one],
            "users": int(users[one]),
            "slope": wide.slope[one],
            "slope_q": wide.q[one],
            "divergence_bits": apart.divergence[one],
            "expected_bits": apart.expected[one],
            "drift_q": apart.q[one],
        }
        for one in np.flatnonzero(users >= params.least_users).tolist()
    ]


def _changes(found: Sequences, params: InterestParams, seed: int) -> Record:
    """How many units drift, widen and narrow beyond chance."""
    windows = sliding(found, params.window_days * DAY_S, params.step_days * DAY_S)
    wide = widening(found, windows, params.least_events, True, params.permutations, seed)
    apart = drift(found, True, params.permutations, seed)
    sure = (wide.q <= params.level).astype(bool)
    tested = ~np.isnan(apart.p)
    excess = (apart.divergence - apart.expected)[tested]
    return {
        "tested_slope": int((~np.isnan(wide.p)).sum()),
        "widening": int((sure & (wide.slope > 0)).sum()),
        "narrowing": int((sure & (wide.slope < 0)).sum()),
        "tested_drift": int(tested.sum()),
        "drifting": int((apart.q <= params.level).sum()),
        "divergence_bits": float(apart.divergence[tested].mean()) if tested.any() else None,
        "excess_bits": float(excess.mean()) if tested.any() else None,
    }


def _breadth(found: Sequences, params: InterestParams, seed: int) -> list[Record]:
    """Means over users with enough events, window by window."""
    windows = sliding(found, params.window_days * DAY_S, params.step_days * DAY_S)
    measured = diversity(found, windows)
    enough = measured.events >= params.least_events
    answers = []
    for window, start_s in enumerate(windows.starts_s):
        row: Record = {"start_s": int(start_s), "users": int(enough[:, window].sum())}
        for name in ("effective", "gini", "novelty"):
            value = getattr(measured, name)[:, window]
            known = enough[:, window] & ~np.isnan(value)
            estimate = mean_by_user(np.where(known, value, 0), known, params.draws, params.confidence, seed)
            row[name] = estimate
        answers.append(row)
    return answers
