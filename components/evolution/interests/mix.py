"""What each segment is interested in now: shares of categories in the newest window, beside all before it.

Never here: whether a mix changed (`drift`), or whose it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from components.evolution.log import Log
from components.features.time import DAY_S

Record = dict[str, Any]
Floats = NDArray[np.float64]
_MOST = 12  # categories of a segment


def mixes(
    log: Log,
    label: NDArray[np.integer],
    labels: NDArray[np.object_],
    segment: NDArray[np.integer],
    names: Sequence[str],
    window_days: int,
    least_users: int,
    confidence: float,
) -> list[Record]:
    """Largest categories of every segment of enough users in the newest window.

    Parameters
    ----------
    log : Log
    label : (N,) code of what each event is of, e.g. its category; -1 = not told
    labels : (K,) names of those
    segment : (U,) segment of each user, 0..S-1
    names : (S,) of the segments
    window_days : length of the window, up to the last event
    least_users : of a segment, and of a category in it; `before` is null where fewer had it
    confidence : of the intervals

    Returns
    -------
    list of segment, users (of the window), category, share with low and high, before
        Shares of the events; intervals by the delta method over users, whose events are alike.

    References
    ----------
    Korn, Graubard (1998), Confidence intervals for proportions with small expected number of positive counts, on ratios
    of cluster totals.
    """
    known = label >= 0
    if not known.any():
        return []
    new = log.local_s >= log.local_s.max() - window_days * DAY_S
    now, before = (_counts(log, label, len(labels), known & rows) for rows in (new, ~new))
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    found: list[Record] = []
    for one, name in enumerate(names):
        mine = sparse.csr_array(now[segment == one])
        total = np.asarray(mine.sum(axis=1)).ravel()
        if int((total > 0).sum()) < least_users:
            continue
        share, error, users = _shares(mine, total)
        earlier = sparse.csr_array(before[segment == one])
        past, _, had = _shares(earlier, np.asarray(earlier.sum(axis=1)).ravel())
        shown = np.flatnonzero(users >= least_users)
        found += [
            {
                "segment": name,
                "users": int((total > 0).sum()),
                "category": str(labels[place]),
                "share": {
                    "value": float(share[place]),
                    "low": float(max(share[place] - z * error[place], 0.0)),
                    "high": float(min(share[place] + z * error[place], 1.0)),
                },
                "before": float(past[place]) if had[place] >= least_users else None,
            }
            for place in shown[np.argsort(-share[shown], kind="stable")][:_MOST]
        ]
    return found


def _counts(log: Log, label: NDArray[np.integer], n: int, rows: NDArray[np.bool_]) -> sparse.csr_array:
    """(U, K) events of each user in each category."""
    return sparse.csr_array((np.ones(int(rows.sum())), (log.user[rows], label[rows])), shape=(log.n_users, n))


def _shares(counts: sparse.csr_array, total: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """(K,) share of the events, its standard error over users, and users with any."""
    whole = max(float(total.sum()), 1.0)
    share = np.asarray(counts.sum(axis=0)).ravel() / whole
    squared = np.asarray(counts.multiply(counts).sum(axis=0)).ravel()
    crossed = np.asarray(total @ counts).ravel()
    spread = squared - 2 * share * crossed + share**2 * float(total @ total)
    return share, np.sqrt(np.maximum(spread, 0.0)) / whole, np.bincount(counts.indices, minlength=counts.shape[1])
