"""What the log says of interests, as one JSON record: how many users change, and how, never who.

Never here: how a figure is computed, or a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.errors import DataError
from components.evolution.drift import drift
from components.evolution.interests.diversity import diversity
from components.evolution.interests.forecast import forecast
from components.evolution.interests.mix import mixes
from components.evolution.interests.persistence import persistence
from components.evolution.interests.popularity import popularity
from components.evolution.interests.widening import widening
from components.evolution.log import Log
from components.evolution.record import plain
from components.evolution.sequences import Sequences, Windows, months, once_a_day, sequences, sliding
from components.evolution.significance import Estimate, mean_by_user
from components.features.time import DAY_S
from components.params import InterestParams

Record = dict[str, Any]
_MOST_MIXES = 50_000_000  # users × labels whose shares are held at once


def interest_report(
    log: Log, segment: NDArray[np.integer], names: Sequence[str], params: InterestParams, seed: int
) -> Record:
    """Every figure of this room for one log.

    Parameters
    ----------
    log : Log with categories; where it has none, and items are not too many, interests are in items
    segment : (U,) segment of each user, 0..S-1
    names : (S,) of the segments
    params : InterestParams
    seed : of every draw

    A log with too few months to score a forecast has none, and says why.

    Raises
    ------
    DataError
        There are no categories, and too many items to take their place.
    """
    kind, label, names_of = _kind(log)
    daily = once_a_day(log, label)
    users = sequences(log, label, len(names_of), None)
    items = sequences(log, log.item, len(log.items), None)
    interval = params.draws, params.confidence, seed
    monthly = months(users)
    by_segment = (sequences(log, label, len(names_of), segment), sequences(log, daily, len(names_of), segment))
    found = {
        "of": kind,
        "users": _changes(users, sequences(log, daily, len(names_of), None), params, seed),
        "segments": _segments(*by_segment, segment, names, params, seed),
        "mix": mixes(log, label, names_of, segment, names, params.window_days, params.least_users, params.confidence),
        "breadth": _breadth(users, params, seed),
        "persistence": persistence(users, monthly, params.lags, *interval),
        "forecast": _forecast(users, monthly, params, seed),
        "popularity": popularity(items, months(items), params.head_share, *interval),
    }
    return dict(plain(found))


def _kind(log: Log) -> tuple[str, NDArray[np.integer], NDArray[np.object_]]:
    """What interests are in: its name, the label (N,) of each event, and the names of the labels."""
    if (log.category >= 0).any():
        return "category", log.category, log.categories
    if log.n_users * len(log.items) > _MOST_MIXES:
        raise DataError("categories of the items", found="none", do="Bring a category with each item.")
    return "item", log.item, log.items


def _forecast(found: Sequences, windows: Windows, params: InterestParams, seed: int) -> Record:
    try:
        told = forecast(
            found,
            windows,
            params.half_lives,
            params.priors,
            params.scored_months,
            params.draws,
            params.confidence,
            seed,
        )
    except DataError as error:
        return {"missing": str(error)}
    return {"chosen": told.chosen, "users": int(told.units.sum()), "ways": told.scores}


def _segments(
    found: Sequences,
    once: Sequences,
    segment: NDArray[np.integer],
    names: Sequence[str],
    params: InterestParams,
    seed: int,
) -> list[Record]:
    """Slope, and drift by labels `once` a day, of every segment of enough users, by the shuffles of its users."""
    windows = sliding(found, params.window_days * DAY_S, params.step_days * DAY_S)
    wide = widening(found, windows, params.least_events, True, params.permutations, seed)
    apart = drift(once, True, params.permutations, seed)
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


def _changes(found: Sequences, once: Sequences, params: InterestParams, seed: int) -> Record:
    """How many units drift (by their labels `once` a day), widen and narrow beyond chance."""
    windows = sliding(found, params.window_days * DAY_S, params.step_days * DAY_S)
    wide = widening(found, windows, params.least_events, True, params.permutations, seed)
    apart = drift(once, True, params.permutations, seed)
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
            told = mean_by_user(np.where(known, value, 0), known, params.draws, params.confidence, seed)
            row[name] = told if known.sum() >= params.least_users else Estimate(np.nan, np.nan, np.nan)
        answers.append(row)
    return answers
