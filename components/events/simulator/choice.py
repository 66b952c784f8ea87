"""What weighs in the choice of the next item: the one place where generator, oracle and observer agree.

Arrays have one row per way to choose and one column per choice. Never here: drawing, or scoring.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.events.simulator import rules

Floats = NDArray[np.float64]


def _scaled(*parts: Floats) -> Floats:
    """(parts, n) scaled so that columns sum to 1 (the last part is never 0)."""
    weight = np.stack(parts)
    return np.asarray(weight / weight.sum(axis=0))


def at_start(loyalty: Floats, has_favourite: NDArray[np.bool_], pull: Floats) -> Floats:
    """(3, n) chances of favourite, social event, exploration at a session's start."""
    return _scaled(loyalty * has_favourite, pull, 1.0 - loyalty)


def on_move(
    has_companion: NDArray[np.bool_], has_successor: NDArray[np.bool_], has_favourite: NDArray[np.bool_]
) -> Floats:
    """(4, n) chances of companion, successor, favourite, exploration when a session goes on to another item."""
    return _scaled(
        rules.MOVE_COMPANION * has_companion.astype(np.float64),
        rules.MOVE_FOLLOW * has_successor.astype(np.float64),
        rules.MOVE_FAVOURITE * has_favourite.astype(np.float64),
        np.full(len(has_favourite), rules.MOVE_EXPLORE, np.float64),
    )


def role_weight(free: bool, slot: NDArray[np.integer], available: NDArray[np.bool_]) -> Floats:
    """(roles, n) weight of each favourite in a slot; 0 where it cannot be had."""
    return np.asarray(rules.ROLE_WEIGHT[:, int(free), :][:, slot] * available)


def interest_weight(
    appetite: Floats, slot: NDArray[np.integer], category: NDArray[np.integer], open_now: NDArray[np.bool_]
) -> Floats:
    """(K, n) weight of each interest in a slot, for their categories (K, n); appetite (SLOTS, C) is the day's."""
    wanted = appetite.ravel()[slot * appetite.shape[1] + category]
    return np.asarray(wanted * rules.INTEREST_WEIGHT[:, None] * open_now, np.float64)
