"""How broad interests are: entropy with its bias taken out, effective number, concentration, and what is new.

Windows hold few events, and a few events always look narrow: compare corrected figures only. Never here: whether a
change is more than chance (`widening`, `drift`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.compiled import released
from components.evolution.sequences import Sequences, Windows

Floats = NDArray[np.float64]
_PLAIN, _MILLER_MADOW, _CHAO_SHEN, _GINI = range(4)


@dataclass(frozen=True)
class Diversity:
    """Of U units in W windows; NaN without events.

    Attributes
    ----------
    events, labels : (U, W) how many, and of how many kinds
    entropy : (U, W) of the shares as they are, nats; too low where events are few
    miller_madow, chao_shen : (U, W) entropy corrected for what was not seen, nats
    gini : (U, W) of the counts over all labels that the unit ever had; 0 = all alike
    novelty : (U, W) share of events whose label the unit never had before the window; NaN without a past
    """

    events: NDArray[np.int64]
    labels: NDArray[np.int64]
    entropy: Floats
    miller_madow: Floats
    chao_shen: Floats
    gini: Floats
    novelty: Floats

    @property
    def effective(self) -> Floats:
        """(U, W) effective number of labels, exp of the Chao–Shen entropy (Hill 1973)."""
        return np.asarray(np.exp(self.chao_shen))


def diversity(found: Sequences, windows: Windows) -> Diversity:
    """Breadth of every unit in every window.

    References
    ----------
    Miller (1955), Note on the bias of information estimates; Chao, Shen (2003), Nonparametric estimation of Shannon's
    index of diversity when there are unseen species in sample; Hill (1973), Diversity and evenness.
    """
    measures, labels = _breadth(found.offsets, windows.low, windows.high, found.label, found.n_labels)
    events = windows.high - windows.low
    return Diversity(
        events=events,
        labels=labels,
        entropy=measures[_PLAIN],
        miller_madow=measures[_MILLER_MADOW],
        chao_shen=measures[_CHAO_SHEN],
        gini=measures[_GINI],
        novelty=_novelty(found, windows),
    )


def _novelty(found: Sequences, windows: Windows) -> Floats:
    pair = found.unit * found.n_labels + found.label
    _, first, back = np.unique(pair, return_index=True, return_inverse=True)
    origin = first[back]  # (N,) the row in which the unit had the label first
    novel = np.full(windows.low.shape, np.nan)
    for window, (low, high) in enumerate(zip(windows.low.T, windows.high.T, strict=True)):
        count = high - low
        row = np.repeat(low - np.concatenate([[0], np.cumsum(count)[:-1]]), count) + np.arange(count.sum())
        unit = np.repeat(np.arange(found.n_units), count)
        new = np.bincount(unit, weights=origin[row] >= low[unit], minlength=found.n_units)
        known = (count > 0) & (low > found.offsets[:-1])
        novel[known, window] = new[known] / count[known]
    return novel


@released
def _breadth(
    offsets: NDArray[np.int64],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    label: NDArray[np.int64],
    n_labels: int,
) -> tuple[Floats, NDArray[np.int64]]:
    """(4, U, W) entropy, Miller–Madow, Chao–Shen (nats) and Gini of the rows `low:high`; (U, W) distinct labels."""
    units, windows = low.shape
    found, kinds = np.full((4, units, windows), np.nan), np.zeros((units, windows), np.int64)
    count, seen = np.zeros(n_labels, np.int64), np.zeros(n_labels, np.int64)
    for unit in range(units):
        ever = 0
        for row in range(offsets[unit], offsets[unit + 1]):
            if seen[label[row]] != unit + 1:
                seen[label[row]] = unit + 1
                ever += 1
        for window in range(windows):
            first, last = low[unit, window], high[unit, window]
            n = last - first
            if n == 0:
                continue
            distinct = np.empty(min(n, n_labels), np.int64)
            k = _counted(label, first, last, count, distinct)
            values = np.sort(count[distinct[:k]])
            entropy, ranked = 0.0, 0.0
            for i in range(k):
                entropy -= values[i] / n * np.log(values[i] / n)
                ranked += (ever - k + i + 1) * values[i]
            found[0, unit, window] = entropy
            found[1, unit, window] = entropy + (k - 1) / (2 * n)
            found[2, unit, window] = _chao_shen(values, n)
            found[3, unit, window] = (2 * ranked / n - (ever + 1)) / ever
            kinds[unit, window] = k
            count[distinct[:k]] = 0
    return found, kinds


@released
def _counted(
    label: NDArray[np.int64], first: int, last: int, count: NDArray[np.int64], distinct: NDArray[np.int64]
) -> int:
    """Add the labels of the rows `first:last` to `count`, which holds none; list them in `distinct`: how many."""
    k = 0
    for row in range(first, last):
        if count[label[row]] == 0:
            distinct[k] = label[row]
            k += 1
        count[label[row]] += 1
    return k


@released
def _chao_shen(counts: NDArray[np.int64], n: int) -> float:
    """Entropy, nats, of counts (K,) above 0 that sum to n, corrected for what was not seen."""
    once, entropy = 0, 0.0
    for count in counts:
        once += count == 1
    coverage = 1 - min(once, n - 1) / n
    for count in counts:
        share = coverage * count / n
        if share > 0:
            entropy -= share * np.log(share) / (1 - (1 - share) ** n)
    return entropy


@released
def chao_shen(low: NDArray[np.int64], high: NDArray[np.int64], label: NDArray[np.int64], n_labels: int) -> Floats:
    """(U, W) Chao–Shen entropy of the rows `low:high` alone, nats; NaN without events."""
    found = np.full(low.shape, np.nan)
    count, distinct = np.zeros(n_labels, np.int64), np.zeros(n_labels, np.int64)
    for unit in range(len(low)):
        for window in range(low.shape[1]):
            first, last = low[unit, window], high[unit, window]
            k = _counted(label, first, last, count, distinct)
            if k:
                found[unit, window] = _chao_shen(count[distinct[:k]], last - first)
                for one in range(k):
                    count[distinct[one]] = 0
    return found
