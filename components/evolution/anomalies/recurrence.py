"""How likely it is that two pieces of history are one person's: by what comes back, and by shares that stay.

What somebody likes comes back, unless they lose interest; what is not theirs comes back by its popularity alone. How
often either happens is counted in the log itself: in users as they are, and in histories spliced from two users. Never
here: where a history is cut, and who is strange (`turns`).

References: Efron, Tibshirani (1996), Using specially designed exponential families for density estimation (ratios of
densities by data of both kinds); Minka (2000), Estimating a Dirichlet distribution, on the marginal likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from components.compiled import released

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Bins: times that a label would come back at its own pace; that it would at everybody's; days on which it was seen.
_OWN = np.array([0.3, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
_ANYBODY = np.array([0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0])
_SEEN = np.array([1.5, 2.5, 4.5, 8.5, 16.5])
_BINS = (2, len(_OWN) + 1, len(_ANYBODY) + 1, len(_SEEN) + 1, 2)
_CONCENTRATIONS = (1.0, 3.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0)


@dataclass(frozen=True, eq=False)
class Aspect:
    """Days on which users did something of a kind, by user and day: a label counts once a day.

    Attributes
    ----------
    label : (n,) 0..K-1
    share : (K,) of all rows, above 0
    offsets : (U+1,) rows of each user
    """

    label: Ints
    share: Floats
    offsets: Ints


@dataclass(frozen=True, eq=False)
class Pieces:
    """P pairs of pieces of history: rows `first:first_end` of an aspect before, `second:second_end` after."""

    first: Ints
    first_end: Ints
    second: Ints
    second_end: Ints


def comes_back(aspect: Aspect, own: Pieces, weight: Floats, spliced: Pieces) -> Floats:
    """(P,) log-likelihood ratio of each pair in `own`: two people's to one person's, by which labels are in both.

    Parameters
    ----------
    aspect : of many labels, of which a person has few
    own : pairs of one user
    weight : (P,) of each pair in what is usual, e.g. 1 / cuts of the user; 0: it is not looked at for that
    spliced : pairs of two users
    """
    size, counted = len(aspect.share), []
    for pieces, heavy in ((own, weight), (spliced, np.ones(len(spliced.first)))):
        table = np.zeros(_BINS)
        _back(aspect.label, aspect.share, *_rows(pieces), size, _OWN, _ANYBODY, _SEEN, table, heavy, True)
        counted.append((table + 0.5) / (table + 0.5).sum(-1, keepdims=True))
    ratio = np.log(counted[1] / counted[0])
    return _back(aspect.label, aspect.share, *_rows(own), size, _OWN, _ANYBODY, _SEEN, ratio, weight, False)


def stays(aspect: Aspect, own: Pieces) -> Floats:
    """(P,) log-likelihood ratio of two people's to one person's, of shares of a few labels.

    A person's shares are drawn from a Dirichlet distribution around everybody's, as wide as users differ.
    """
    count = np.diff(aspect.offsets)
    size = len(aspect.share)
    user = np.repeat(np.arange(len(count)), count)
    pair, times = np.unique(user * size + aspect.label, return_counts=True)

    def likelihood(width: float) -> float:
        prior = width * aspect.share[pair % size]
        whole = gammaln(width + count) - gammaln(width)
        return float((gammaln(prior + times) - gammaln(prior)).sum() - whole.sum())

    width = max(_CONCENTRATIONS, key=likelihood)
    return _stays(aspect.label, aspect.share, *_rows(own), width)


def _rows(pieces: Pieces) -> tuple[Ints, Ints, Ints, Ints]:
    return pieces.first, pieces.first_end, pieces.second, pieces.second_end


@released
def _back(
    label: Ints, share: Floats, first: Ints, first_end: Ints, second: Ints, second_end: Ints, size: int,
    own: Floats, anybody: Floats, seen: Floats, table: Floats, weight: Floats, counting: bool,
) -> Floats:  # fmt: skip
    """Count into `table` what comes back, or sum its values: each label of either piece, once."""
    total = np.zeros(len(first))
    before, after = np.zeros(size), np.zeros(size)
    for one in range(len(first)):
        low, high = first_end[one] - first[one], second_end[one] - second[one]
        if low <= 0 or high <= 0 or (counting and weight[one] == 0):
            continue
        for row in range(first[one], first_end[one]):
            before[label[row]] += 1
        for row in range(second[one], second_end[one]):
            after[label[row]] += 1
        for side in range(2):
            mine, other = (before, after) if side == 0 else (after, before)
            here, there = (low, high) if side == 0 else (high, low)
            begin, end = (first[one], first_end[one]) if side == 0 else (second[one], second_end[one])
            for row in range(begin, end):
                which = label[row]
                times = mine[which]
                if times <= 0:
                    continue
                mine[which] = -times  # looked at
                pace = np.searchsorted(own, times * there / here)
                common = np.searchsorted(anybody, share[which] * there)
                days = np.searchsorted(seen, times)
                back = 1 if other[which] != 0 else 0
                if counting:
                    table[side, pace, common, days, back] += weight[one]
                else:
                    total[one] += table[side, pace, common, days, back]
        for row in range(first[one], first_end[one]):
            before[label[row]] = 0
        for row in range(second[one], second_end[one]):
            after[label[row]] = 0
    return total


@released
def _stays(
    label: Ints, share: Floats, first: Ints, first_end: Ints, second: Ints, second_end: Ints, width: float
) -> Floats:
    """Log marginal likelihood of the later piece by itself, less that given the earlier one."""
    found = np.zeros(len(first))
    before, after = np.zeros(len(share)), np.zeros(len(share))
    for one in range(len(first)):
        low, high = first_end[one] - first[one], second_end[one] - second[one]
        if low <= 0 or high <= 0:
            continue
        for row in range(first[one], first_end[one]):
            before[label[row]] += 1
        for row in range(second[one], second_end[one]):
            after[label[row]] += 1
        total = lgamma(width + low + high) - lgamma(width + low) - lgamma(width + high) + lgamma(width)
        for row in range(second[one], second_end[one]):
            which = label[row]
            if after[which] > 0:
                prior = width * share[which]
                total += lgamma(prior + after[which]) - lgamma(prior)
                total -= lgamma(prior + before[which] + after[which]) - lgamma(prior + before[which])
                after[which] = 0
        for row in range(first[one], first_end[one]):
            before[label[row]] = 0
        found[one] = total
    return found
