"""How long interests last: whether what a user cared for in one window is cared for again some windows later.

Beside it stands what anybody's taste would give: the chance that the same label is among as many events of the other
users. Never here: why an interest ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from components.evolution.sequences import Sequences, Windows
from components.evolution.significance import Estimate, mean_by_user

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Persistence:
    """At one lag, in windows.

    Attributes
    ----------
    lag : 1, 2, …
    users, pairs : units, and windows of theirs, with events at both ends, and no fewer of the others in the later one
    kept : share of the events of the earlier window whose label occurs in the later one again
    anyone : the same if the later events were drawn from those of the other units in that window
    own : kept less anyone, paired
    """

    lag: int
    users: int
    pairs: int
    kept: Estimate
    anyone: Estimate
    own: Estimate


def persistence(
    found: Sequences, windows: Windows, lags: int, draws: int, confidence: float, seed: int
) -> list[Persistence]:
    """Return of labels after 1..lags windows; intervals from drawing units anew.

    Parameters
    ----------
    found : Sequences
    windows : Windows that do not overlap, e.g. `sequences.months`
    lags : longest lag
    draws, confidence, seed : of the intervals

    References
    ----------
    Of the form of a retention curve, weighted by events; the reference is the rarefaction of Hurlbert (1971), The
    nonconcept of species diversity: of the others' N events, c of them of the label, n hold it with a chance of
    1 - C(N - c, n) / C(N, n), which has no bias where all tastes are alike.
    """
    units, width = windows.low.shape
    row = np.arange(len(found.label))
    window = np.searchsorted(windows.starts_s, found.local_s, side="right") - 1
    inside = (window >= 0) & (row < windows.high[found.unit, np.maximum(window, 0)]) if width else np.zeros(0, bool)
    unit, label, window = found.unit[inside], found.label[inside], window[inside]
    key = (unit * width + window) * found.n_labels + label
    cell, count = np.unique(key, return_counts=True)
    place, kind = cell // found.n_labels, cell % found.n_labels
    owner, when = place // max(width, 1), place % max(width, 1)
    events = (windows.high - windows.low).astype(np.int64)
    of_label = np.zeros((max(width, 1), found.n_labels), np.int64)
    np.add.at(of_label, (when, kind), count)
    of_window = of_label.sum(axis=1)
    answers = []
    for lag in range(1, min(lags, width - 1) + 1):
        source = np.flatnonzero(when + lag < width)
        n = events[owner[source], when[source] + lag]
        others = of_window[when[source] + lag] - n
        compared = (n > 0) & (others >= n)
        source, n, others = source[compared], n[compared], others[compared]
        later = cell[source] + lag * found.n_labels
        at = np.minimum(np.searchsorted(cell, later), len(cell) - 1)
        again = cell[at] == later
        theirs = of_label[when[source] + lag, kind[source]] - np.where(again, count[at], 0)
        weight = count[source].astype(np.float64)
        chance = _held(n, theirs, others)
        by_unit = [
            np.bincount(owner[source], weights=weight * value, minlength=units)
            for value in (again, chance, again - chance, np.ones(len(source)))
        ]
        kept, anyone, own = (mean_by_user(one, by_unit[3], draws, confidence, seed) for one in by_unit[:3])
        pairs, users_ = len(np.unique(place[source])), len(np.unique(owner[source]))
        answers.append(Persistence(lag, users_, pairs, kept, anyone, own))
    return answers


def _held(n: NDArray[np.int64], kind: NDArray[np.int64], total: NDArray[np.int64]) -> Floats:
    """Chance that n of `total` events hold one of the `kind` ones; n ≤ total."""
    possible = total - kind >= n
    rest = np.where(possible, total - kind, n)
    none = gammaln(rest + 1) - gammaln(rest - n + 1) - gammaln(total + 1) + gammaln(total - n + 1)
    return np.asarray(1 - np.where(possible, np.exp(none), 0.0))
