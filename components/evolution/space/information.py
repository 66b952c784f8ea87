"""How much one side of behaviour tells of another: mutual information of when, where and what.

Counts of few events overstate it, so the plug-in figure stands beside two that do not: by Miller and Madow's
correction, and by what shuffled events have. Never here: what the codes stand for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evolution.sequences import in_new_order
from components.evolution.shuffles import bounds_of
from components.evolution.significance import p_value

Codes = NDArray[np.integer]


@dataclass(frozen=True)
class Information:
    """Mutual information I(x; y), or I(x; y | given), bits.

    Attributes
    ----------
    plain : from the shares as they are
    miller_madow : with (codes that occur - 1) / 2N nats added to each entropy; enough where N is far above the number
        of pairs that could occur
    excess : plain less the mean of the shuffled
    share : excess / min(H(x), H(y)) of the plain entropies, conditional where asked so; NaN where one of them is 0
    p : one-sided, by permutation
    """

    plain: float
    miller_madow: float
    excess: float
    share: float
    p: float


def mutual_information(
    x: Codes, y: Codes, given: Codes, permutations: int, seed: int, *, block: Codes | None = None
) -> Information:
    """I(x; y | given) of N events with a permutation null.

    Parameters
    ----------
    x, y : (N,) codes of at least 0, e.g. hour, cell, category
    given : (N,) codes of at least 0; zeros = unconditional. With users: what hour tells of place beyond who it is
    permutations, seed : y is shuffled within equal `given`
    block : (N,) codes, e.g. of a user's like events of one day; the y of a block change places together and stay in
        their order, so that a visit of several events is one piece of evidence. With whole days for blocks, what holds
        within every day alike, as home before work, would be no evidence. None: each event by itself

    References
    ----------
    Miller (1955), Note on the bias of information estimates; Roulston (1999), Estimating the errors on measured
    entropy and mutual information.

    Examples
    --------
    >>> x = np.repeat([0, 1], 50)
    >>> found = mutual_information(x, x, np.zeros(100, int), 99, 0)
    >>> round(found.plain, 3), found.p
    (1.0, 0.01)
    """
    if len(x) == 0:
        return Information(np.nan, np.nan, np.nan, np.nan, np.nan)
    (x, n_x), (y, n_y), (given, n_given) = _dense(x), _dense(y), _dense(given)
    left, right = given * n_x + x, given * n_y + y
    h_given, k_given = _entropy(given, n_given)
    h_left, k_left = _entropy(left, n_given * n_x)
    h_right, k_right = _entropy(right, n_given * n_y)
    h_both, k_both = _entropy(left * n_y + y, n_given * n_x * n_y)
    plain = h_left + h_right - h_both - h_given
    correction = (k_left + k_right - k_both - k_given) / (2 * len(x))
    rng = np.random.default_rng(seed)
    part = np.arange(len(x)) if block is None else block
    order = np.lexsort((part, given))
    given, part, left, moved = given[order], part[order], left[order], y[order]
    starts = bounds_of(given * (int(part.max()) + 1) + part)
    owners = bounds_of(given[starts[:-1]])
    null = np.empty(permutations)
    for one in range(permutations):
        mixed = in_new_order(moved, starts, owners, rng)
        null[one] = h_left + h_right - h_given - _entropy(left * n_y + mixed, n_given * n_x * n_y)[0]
    excess, least = plain - null.mean(), min(h_left, h_right) - h_given
    bits = 1 / np.log(2)
    return Information(
        plain=float(plain * bits),
        miller_madow=float((plain + correction) * bits),
        excess=float(excess * bits),
        share=float(excess / least) if least > 1e-12 else np.nan,
        p=float(p_value(plain, null, "greater")),
    )


def _dense(codes: Codes) -> tuple[NDArray[np.int64], int]:
    names, dense = np.unique(codes, return_inverse=True)
    return dense.astype(np.int64), len(names)


def _entropy(codes: NDArray[np.int64], n: int) -> tuple[float, int]:
    """Plug-in entropy of codes below n, nats, and how many of them occur."""
    if n <= 4 * len(codes):
        count = np.bincount(codes, minlength=n)
        count = count[count > 0]
    else:
        count = np.unique(codes, return_counts=True)[1]
    share = count / len(codes)
    return float(-np.sum(share * np.log(share))), len(count)
