"""Where each user stands at each moment: new, active, lapsing, dormant, churned, returning.

A silence is judged by the user's own rhythm (`rhythm`), as it was known at the moment: once it is longer than the
first limit the user is lapsing, than the second dormant, than the third churned. Otherwise they are new or returning
for a while, and active from then on. Returning begins with an occasion that ends a silence beyond the second limit.

Never here: why, or what comes next (`transitions`, `churn`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evolution.lifecycle.occasions import Occasions
from components.evolution.lifecycle.rhythm import Rhythm

#: By code. Absent: no occasion before the moment.
STATES = ("absent", "new", "active", "lapsing", "dormant", "churned", "returning")
ABSENT, NEW, ACTIVE, LAPSING, DORMANT, CHURNED, RETURNING = range(len(STATES))


@dataclass(frozen=True)
class Limits:
    """Units of silence beyond which a user is lapsing, dormant, churned: as known right after each occasion.

    Attributes
    ----------
    after : (N, 3) float64 whole units, ascending along the last axis
    returns : (N,) whether the occasion ended a silence beyond the limit of dormancy that stood before it
    """

    after: NDArray[np.float64]
    returns: NDArray[np.bool_]


def limits_of(occasions: Occasions, rhythm: Rhythm) -> Limits:
    """Limits after each of N occasions, from it and the user's earlier ones alone."""
    gap, start = occasions.gap, occasions.offsets[:-1][occasions.user]
    logs = np.cumsum(np.log(np.maximum(gap, 1)))  # a first occasion adds log 1
    row = np.arange(len(gap))
    after = rhythm.limits(logs - logs[start], row - start)
    returns = np.zeros(len(gap), bool)
    later = row > start
    returns[later] = gap[later] > after[row[later] - 1, 1]
    return Limits(after, returns)


def states_at(occasions: Occasions, moments: NDArray[np.int64], rhythm: Rhythm, fresh: int) -> NDArray[np.int8]:
    """State of each user at each moment, from occasions before the moment alone.

    Parameters
    ----------
    occasions : Occasions
    moments : (M,) units; nothing of the unit itself is known
    rhythm : three quantiles, learned before the moments that are to be judged
    fresh : units that a user is new, or returning, at least; longer where the first limit was when that began

    Returns
    -------
    (U, M) int8 codes of STATES
    """
    limits = limits_of(occasions, rhythm)
    count = occasions.count_before(moments)
    last = np.maximum(occasions.offsets[:-1, None] + count - 1, 0)  # (U, M) row of the latest occasion, if any
    row = np.arange(len(occasions.unit))
    begun = np.maximum.accumulate(  # (N,) row of the latest first or returning occasion so far
        np.where(limits.returns | (row == occasions.offsets[:-1][occasions.user]), row, 0)
    )[last]
    silence = moments[None, :] - occasions.unit[last]  # the pause, were it to end now
    lapsing, dormant, churned = np.moveaxis(limits.after[last], -1, 0)
    recent = moments[None, :] - occasions.unit[begun] <= np.maximum(limits.after[begun, 0], fresh)
    state = np.where(recent, np.where(limits.returns[begun], RETURNING, NEW), ACTIVE)
    for limit, code in ((lapsing, LAPSING), (dormant, DORMANT), (churned, CHURNED)):
        state = np.where(silence > limit, code, state)
    return np.where(count > 0, state, ABSENT).astype(np.int8)
