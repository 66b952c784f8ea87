"""When the habits of a user changed: the day that best divides a history into two mixes, tested.

Labels are whatever a habit is asked by: hours, parts of the week, categories, cells. Never here: which two spans to
compare when that is known beforehand (`drift`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.compiled import released
from components.evolution.sequences import Sequences
from components.evolution.shuffles import shuffle
from components.evolution.significance import adjusted
from components.features.time import DAY_S

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shifts:
    """Of U units; NaN, and day -1, where a unit has too few days.

    Attributes
    ----------
    day : (U,) first local day, since 1970-01-01, of the second mix
    before, after : (U,) events on each side
    divergence : (U,) Jensen–Shannon divergence of the sides, weighted by their events, bits
    p, q : (U,) by permutation of the days, the search over days included, and adjusted over the units
    """

    day: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    divergence: Floats
    p: Floats
    q: Floats


def shifts(found: Sequences, least_days: int, permutations: int, seed: int) -> Shifts:
    """Best single change of every unit.

    Parameters
    ----------
    found : Sequences
    least_days : days with events that each side needs
    permutations, seed : the null puts a unit's days, each whole, in random order

    References
    ----------
    The likelihood-ratio scan of two multinomial mixes: Horváth, Serbinowska (1995), Testing for changes in multinomial
    observations; its null by permutation as in Antoch, Hušková (2001), Permutation tests in change point analysis.
    """
    day = found.local_s // DAY_S
    unit = found.unit
    fresh = np.ones(len(day), bool)
    fresh[1:] = (unit[1:] != unit[:-1]) | (day[1:] != day[:-1])
    starts = np.append(np.flatnonzero(fresh), len(day))
    days = np.concatenate([[0], np.cumsum(np.bincount(unit[fresh], minlength=found.n_units))])
    rng = np.random.default_rng(seed)
    gain, cut, p = _scan(days, starts, found.label, found.n_labels, least_days, permutations, rng)
    told = cut >= 0
    edge = starts[np.where(told, cut, 0)]
    size = np.diff(found.offsets)
    before = np.where(told, edge - found.offsets[:-1], 0)
    return Shifts(
        day=np.where(told, day[np.minimum(edge, max(len(day) - 1, 0))] if len(day) else -1, -1),
        before=before,
        after=np.where(told, size - before, 0),
        divergence=np.where(told, gain / np.maximum(size, 1) / np.log(2), np.nan),
        p=p,
        q=adjusted(p),
    )


@released
def _scan(
    days: NDArray[np.int64],
    starts: NDArray[np.int64],
    label: NDArray[np.int64],
    n_labels: int,
    least_days: int,
    permutations: int,
    rng: np.random.Generator,
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Largest gain in log-likelihood of each unit (nats), the block where the second side begins, and its p-value."""
    units = len(days) - 1
    gain, cut, p = np.zeros(units), np.full(units, -1, np.int64), np.full(units, np.nan)
    x_log_x = np.arange(len(label) + 1) * np.log(np.maximum(np.arange(len(label) + 1), 1))
    left, right = np.zeros(n_labels, np.int64), np.zeros(n_labels, np.int64)
    for unit in range(units):
        n_days = days[unit + 1] - days[unit]
        if n_days < 2 * least_days:
            continue
        order = np.arange(days[unit], days[unit + 1])
        rows = label[starts[days[unit]] : starts[days[unit + 1]]]
        at_least, first = 1, 0.0
        for permutation in range(permutations + 1):
            if permutation:
                shuffle(order, 0, n_days, rng)
            for one in rows:
                right[one] += 1
                left[one] = 0
            value, n, best, where = 0.0, 0, -1.0, -1  # value: Σ a log a + b log b, less what it is at the start
            for place in range(n_days - least_days):
                for row in range(starts[order[place]], starts[order[place] + 1]):
                    a, b = left[label[row]], right[label[row]]
                    value += x_log_x[a + 1] - x_log_x[a] + x_log_x[b - 1] - x_log_x[b]
                    left[label[row]], right[label[row]] = a + 1, b - 1
                    n += 1
                if place + 1 >= least_days:
                    whole = value - x_log_x[n] - x_log_x[len(rows) - n]
                    if where < 0 or whole > best:
                        best, where = whole, place + 1
            for one in rows:
                right[one] = 0
            if permutation == 0:
                first = best
                gain[unit], cut[unit] = best + x_log_x[len(rows)], days[unit] + where
            elif best >= first - 1e-9:
                at_least += 1
        p[unit] = at_least / (permutations + 1)
    return gain, cut, p
