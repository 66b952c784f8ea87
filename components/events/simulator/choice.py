"""What weighs in the choice of the next item: the one place where generator, oracle and observer agree.

Weights are returned unscaled by availability only; each row sums to 1. Never here: drawing, or scoring.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.events.simulator import rules

Floats = NDArray[np.float64]


def _scaled(*parts: Floats) -> Floats:
    """(n, parts) columns scaled to sum to 1 (the last one is never 0)."""
    weight = np.stack(np.broadcast_arrays(*parts), axis=1)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def at_start(loyalty: Floats, has_favourite: NDArray[np.bool_], pull: Floats) -> Floats:
    """(n, 3) chances of favourite, social event, exploration at a session's start."""
    return _scaled(loyalty * has_favourite, pull, 1.0 - loyalty)


def on_move(
    has_companion: NDArray[np.bool_], has_successor: NDArray[np.bool_], has_favourite: NDArray[np.bool_]
) -> Floats:
    """(n, 4) chances of companion, successor, favourite, exploration when a session goes on to another item."""
    return _scaled(
        rules.MOVE_COMPANION * has_companion.astype(np.float64),
        rules.MOVE_FOLLOW * has_successor.astype(np.float64),
        rules.MOVE_FAVOURITE * has_favourite.astype(np.float64),
        np.full(len(has_favourite), rules.MOVE_EXPLORE, np.float64),
    )


def role_weight(free: bool, slot: NDArray[np.integer], available: NDArray[np.bool_]) -> Floats:
    """(n, roles) weight of each favourite in a slot; 0 where it cannot be had."""
    return np.asarray(rules.ROLE_WEIGHT[:, int(free), :].T[slot] * available)


def interest_weight(appetite: Floats, category: NDArray[np.integer], open_now: NDArray[np.bool_]) -> Floats:
    """(n, interests) weight of each interest; appetite (n, C) of the categories in the slot."""
    return np.asarray(np.take_along_axis(appetite, category, axis=1) * rules.INTEREST_WEIGHT * open_now, np.float64)
