"""Vectors made alike: centred, turned to few directions, of length 1.

Language models put all their vectors into a narrow cone, so that any two texts look alike; what is common to all tells
nothing and is taken out. Means and directions are those of the items of training; others are only turned along.
Sources: Mu and Viswanath, All-but-the-top (2018); principal component analysis. Never learns from an event.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_NOTHING = 1e-6  # shorter than this after centring: the same as everybody's


def shaped(values: Floats, known: NDArray[np.bool_], trained: NDArray[np.bool_], dimensions: int | None) -> Floats:
    """Rows of length 1 in at most `dimensions` directions; 0 where nothing is known.

    Parameters
    ----------
    values : (V, m) finite
    known : (V,) rows that hold something
    trained : (V,) rows that statistics may be taken from
    dimensions : principal directions that are kept; None: all, unturned

    Returns
    -------
    (V, n) float32

    Examples
    --------
    >>> one = np.array([[1, 0], [3, 0], [0, 0]], np.float32)
    >>> shaped(one, np.array([True, True, False]), np.array([True, True, True]), 1).ravel().tolist()
    [-1.0, 1.0, 0.0]
    """
    rows = np.flatnonzero(known & trained)
    if not len(rows):
        rows = np.flatnonzero(known)
    if not len(rows):
        return np.zeros((len(values), dimensions or values.shape[1]), np.float32)
    centred = values.astype(np.float64) - values[rows].astype(np.float64).mean(0)
    if dimensions is not None and dimensions < values.shape[1]:
        centred = centred @ _directions(centred[rows], dimensions)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    sound = known[:, None] & (length > _NOTHING)
    return np.where(sound, centred / np.maximum(length, _NOTHING), 0.0).astype(np.float32)


def _directions(rows: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """(m, count) principal directions of centred rows (n, m); the largest entry of each is positive."""
    _, vectors = np.linalg.eigh(rows.T @ rows)
    chosen = vectors[:, ::-1][:, :count]
    largest = chosen[np.abs(chosen).argmax(0), np.arange(count)]
    return np.asarray(chosen * np.where(largest < 0, -1.0, 1.0))
