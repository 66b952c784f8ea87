"""Whether a finding could be chance: permutation p-values, false discoveries, intervals by user.

Nothing here knows what is tested. A p-value is never smaller than 1 / (permutations + 1), the observed arrangement
being one of those that the null allows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Tail = Literal["both", "greater", "less"]
_SLACK = 1e-12  # sums in another order differ in their last bits; such nulls count as equal to what was observed
_DRAWN = 4_000_000  # draws held at once
_UPPER = 0.5  # p-values above are those of chance


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval; low and high are NaN where nothing can be said."""

    value: float
    low: float
    high: float


def p_value(observed: NDArray | float, null: NDArray, tail: Tail) -> Floats:
    """Permutation p-values.

    Parameters
    ----------
    observed : (...) statistics
    null : (P, ...) the same under P random arrangements
    tail : "greater", "less", or "both" = twice the smaller of the two, at most 1

    Returns
    -------
    (...) in [1 / (P + 1), 1]; NaN where the observed is NaN. Ties count against a finding.

    References
    ----------
    Phipson, Smyth (2010), Permutation p-values should never be zero.

    Examples
    --------
    >>> float(p_value(np.array(3.0), np.array([0.0, 1.0, 2.0]), "greater"))
    0.25
    """
    return p_values(observed, [null], tail)


def p_values(observed: NDArray | float, null: Iterable[NDArray], tail: Tail) -> Floats:
    """The same as `p_value`, of a null that comes in parts (P, ...), so that the whole need not be held."""
    observed = np.asarray(observed, np.float64)
    slack = _SLACK * (1 + np.abs(observed))
    above, below, n = np.ones(observed.shape), np.ones(observed.shape), 1
    for part in null:
        above += (part >= observed - slack).sum(axis=0)
        below += (part <= observed + slack).sum(axis=0)
        n += len(part)
    both = np.minimum(1.0, 2 * np.minimum(above, below) / n)
    return np.where(np.isnan(observed), np.nan, {"greater": above / n, "less": below / n, "both": both}[tail])


def adjusted(p: Floats, many: bool = False) -> Floats:
    """p-values adjusted so that `adjusted(p) <= q` holds the share of false discoveries at q; NaN stays NaN.

    Parameters
    ----------
    p : (...) p-values
    many : nothing may be true of few only: how many is read off the p-values above a half, of which chance alone has
        half; so more is found where most have something to find, and no more where nobody has

    References
    ----------
    Benjamini, Hochberg (1995), Controlling the false discovery rate; Storey, Taylor, Siegmund (2004), Strong control,
    conservative point estimation and simultaneous conservative consistency of false discovery rates.
    """
    flat = np.asarray(p, np.float64)
    found = np.full(flat.shape, np.nan)
    there = ~np.isnan(flat)
    if there.any():
        nothing = min(1.0, (1 + (flat[there] > _UPPER).sum()) / ((1 - _UPPER) * there.sum())) if many else 1.0
        found[there] = nothing * stats.false_discovery_control(flat[there], method="bh")
    return found


def mean_by_user(total: NDArray, count: NDArray, draws: int, confidence: float, seed: int) -> Estimate:
    """A mean over events, Σ total / Σ count, with its interval from drawing users anew.

    Parameters
    ----------
    total, count : (U,) sum and number of events (or weight) of each user
    draws : resamples
    confidence : coverage of the percentile interval, e.g. 0.95
    seed : of the draws

    Returns
    -------
    Estimate
        NaN where there is no event, and without interval where fewer than two users have one.

    References
    ----------
    Cameron, Gelbach, Miller (2008), Bootstrap-based improvements for inference with clustered errors.
    """
    known = count > 0
    total, count = np.asarray(total, np.float64)[known], np.asarray(count, np.float64)[known]
    n = len(total)
    if n == 0:
        return Estimate(np.nan, np.nan, np.nan)
    value = float(total.sum() / count.sum())
    if n < 2:
        return Estimate(value, np.nan, np.nan)
    rng = np.random.default_rng(seed)
    means = []
    for done in range(0, draws, max(1, _DRAWN // n)):
        weight = rng.multinomial(n, np.full(n, 1 / n), size=min(max(1, _DRAWN // n), draws - done))
        means.append((weight @ total) / (weight @ count))
    low, high = np.percentile(np.concatenate(means), [50 * (1 - confidence), 50 * (1 + confidence)])
    return Estimate(value, float(low), float(high))


def wilson(share: Floats, n: NDArray, confidence: float) -> tuple[Floats, Floats]:
    """Wilson's interval (1927) of a share of n; NaN where n is 0.

    Examples
    --------
    >>> low, high = wilson(np.array([0.5]), np.array([100.0]), 0.95)
    >>> round(float(low[0]), 4), round(float(high[0]), 4)
    (0.4038, 0.5962)
    """
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    share, n = np.broadcast_arrays(share, n)
    safe = np.where(n > 0, n, 1)
    middle = (share + z**2 / (2 * safe)) / (1 + z**2 / safe)
    reach = z / (1 + z**2 / safe) * np.sqrt(share * (1 - share) / safe + z**2 / (4 * safe**2))
    low, high = np.clip(middle - reach, 0, 1), np.clip(middle + reach, 0, 1)
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)
