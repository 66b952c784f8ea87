"""Whether the interests of a user or segment widen or narrow: the slope of their breadth over windows, tested.

The null is that a user's labels come in no order: they change places, the times stay, so window sizes, their overlap
and the bias of small windows are the same in it. Never here: which interests come or go (`drift`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evolution.interests.diversity import chao_shen
from components.evolution.sequences import Sequences, Windows
from components.evolution.significance import adjusted, p_values

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Widening:
    """Slopes of U units; NaN where fewer than three windows have enough events.

    Attributes
    ----------
    windows : (U,) windows with enough events
    slope : (U,) change of the Chao–Shen entropy, nats a window; above 0: widening
    p, q : (U,) two-sided by permutation, and adjusted over the units
    """

    windows: NDArray[np.int64]
    slope: Floats
    p: Floats
    q: Floats


def widening(
    found: Sequences, windows: Windows, least_events: int, by_day: bool, permutations: int, seed: int
) -> Widening:
    """Slope of breadth over windows with its test.

    Parameters
    ----------
    found : Sequences
    windows : Windows
    least_events : a window with fewer events is left out
    by_day : shuffle whole local days rather than events (`Sequences.shuffled`)
    permutations, seed : of the null
    """
    enough = windows.high - windows.low >= least_events
    told = enough.sum(axis=1) >= 3

    def slopes(label: NDArray[np.int64]) -> Floats:
        values = chao_shen(windows.low, windows.high, label, found.n_labels)
        return np.where(told, slope(np.where(enough, values, np.nan)), np.nan)

    rng = np.random.default_rng(seed)
    observed = slopes(found.label)
    p = p_values(observed, (slopes(found.shuffled(by_day, rng))[None] for _ in range(permutations)), "both")
    return Widening(enough.sum(axis=1), observed, p, adjusted(p))


def slope(values: Floats) -> Floats:
    """(U,) least-squares slope of values (U, W) on the number of the window, NaN left out; 0 for fewer than two."""
    there = ~np.isnan(values)
    x = np.where(there, np.arange(values.shape[1], dtype=np.float64), 0)
    y = np.where(there, values, 0)
    n = np.maximum(there.sum(axis=1), 1)
    x = np.where(there, x - (x.sum(axis=1) / n)[:, None], 0)
    power = np.sum(x**2, axis=1)
    return np.divide(np.sum(x * y, axis=1), power, out=np.zeros(len(values)), where=power > 0)
