"""How predictable a user's sequence of places or items is: entropies and the bound of Fano's inequality.

The bound holds for the sequence of symbols alone. A predictor that knows the hour, distances or other people can
exceed it, and the estimate of the entropy rate is biased for short sequences. Never here: a predictor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.compiled import released
from components.evolution.sequences import Sequences

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Predictability:
    """Of U units, those with too few events NaN.

    Attributes
    ----------
    events, symbols : (U,) length of the sequence that was used, distinct symbols in it
    random : (U,) log₂ of the symbols, bits: all are alike
    uncorrelated : (U,) entropy of their shares, bits: order is left out
    real : (U,) entropy rate by Lempel–Ziv, bits an event
    most : (U,) Π_max, the largest share of right guesses that `real` allows
    most_uncorrelated : (U,) the same for `uncorrelated`
    """

    events: NDArray[np.int64]
    symbols: NDArray[np.int64]
    random: Floats
    uncorrelated: Floats
    real: Floats
    most: Floats
    most_uncorrelated: Floats


def predictability(found: Sequences, least_events: int, most_events: int) -> Predictability:
    """Entropies and bounds of every unit's sequence of labels.

    Parameters
    ----------
    found : Sequences
    least_events : shorter sequences are not estimated; 50 and more in the literature
    most_events : of longer ones the newest are used, as the time grows with the square

    References
    ----------
    Song, Qu, Blumm, Barabási (2010), Limits of predictability in human mobility; Kontoyiannis et al. (1998),
    Nonparametric entropy estimation for stationary processes and random fields.
    """
    begin = np.maximum(found.offsets[:-1], found.offsets[1:] - most_events)
    used = found.offsets[1:] - begin >= least_events
    low, high = begin[used], found.offsets[1:][used]
    whole = np.full((5, found.n_units), np.nan)
    symbols, shares = _shares(low, high, found.label, found.n_labels)
    with_order = entropy_rates(low, high, found.label)
    whole[:, used] = [
        np.log2(symbols),
        shares,
        with_order,
        fano_bound(with_order, symbols),
        fano_bound(shares, symbols),
    ]
    n_symbols = np.zeros(found.n_units, np.int64)
    n_symbols[used] = symbols
    return Predictability(np.where(used, found.offsets[1:] - begin, 0), n_symbols, *whole)


@released
def _shares(
    low: NDArray[np.int64], high: NDArray[np.int64], label: NDArray[np.int64], n_labels: int
) -> tuple[NDArray[np.int64], Floats]:
    """Distinct labels and plug-in entropy (bits) of each slice."""
    symbols, entropy = np.zeros(len(low), np.int64), np.zeros(len(low))
    count = np.zeros(n_labels, np.int64)
    for one in range(len(low)):
        for row in range(low[one], high[one]):
            count[label[row]] += 1
        n = high[one] - low[one]
        for row in range(low[one], high[one]):
            if count[label[row]]:
                share = count[label[row]] / n
                symbols[one] += 1
                entropy[one] -= share * np.log2(share)
                count[label[row]] = 0
    return symbols, entropy


@released
def entropy_rates(low: NDArray[np.int64], high: NDArray[np.int64], label: NDArray[np.int64]) -> Floats:
    """Lempel–Ziv entropy rate of each slice `low:high` of labels, bits a symbol.

    n log₂ n / Σ Λᵢ, where Λᵢ is the length of the shortest string from i on that does not occur wholly before i; one
    that reaches the end counts with what is left and one more.
    """
    rates = np.zeros(len(low))
    for one in range(len(low)):
        n = high[one] - low[one]
        total = 0
        same = np.zeros(n + 1, np.int64)  # same[j]: how far the strings from i and from j agree
        for i in range(n - 1, -1, -1):
            longest = 0
            for j in range(i):  # ascending, so that same[j + 1] is still that of i + 1
                same[j] = same[j + 1] + 1 if label[low[one] + i] == label[low[one] + j] else 0
                longest = max(longest, min(same[j], i - j))
            total += longest + 1
        rates[one] = n * np.log2(n) / total if n > 1 else 0.0
    return rates


def fano_bound(entropy: Floats, symbols: NDArray[np.integer]) -> Floats:
    """Largest chance Π of a right guess: H₂(Π) + (1 - Π) log₂(N - 1) = S, by bisection.

    Parameters
    ----------
    entropy : (U,) S, bits, at least 0
    symbols : (U,) N, at least 1

    Returns
    -------
    (U,) in [1 / N, 1]; 1 / N where S is at least log₂ N, 1 where N is 1.

    References
    ----------
    Fano (1961), Transmission of Information; Song et al. (2010), equation 4.

    Examples
    --------
    >>> fano_bound(np.array([0.0, 1.0]), np.array([5, 2])).round(6)
    array([1. , 0.5])
    """
    others = np.log2(np.maximum(np.asarray(symbols, np.float64) - 1, 1))
    low, high = 1 / np.asarray(symbols, np.float64), np.ones(len(entropy))
    for _ in range(60):
        middle = (low + high) / 2
        rest = 1 - middle
        binary = -middle * np.log2(middle) - rest * np.log2(rest, out=np.zeros_like(rest), where=rest > 0)
        above = binary + rest * others > entropy
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(np.asarray(symbols) == 1, 1.0, low)
