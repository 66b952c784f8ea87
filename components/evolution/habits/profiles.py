"""Profiles of the week: how a user's or segment's events lie over its 168 hours, smoothed.

Never here: whether a profile changed (`shifts`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.evolution.log import HOURS_OF_WEEK
from components.evolution.sequences import Sequences

Floats = NDArray[np.float64]


def profiles(found: Sequences, bandwidth_h: float, prior: float) -> Floats:
    """(U, 168) share of each local hour of the week, 0 = Monday 00:00; rows sum to 1.

    Parameters
    ----------
    found : Sequences of hours of the week as labels (`log.hour_of_week`, 168)
    bandwidth_h : standard deviation of the kernel, hours, at least 0; the week is a circle
    prior : events that everybody's profile counts for, above 0: what a unit with few events is drawn to

    References
    ----------
    Hall, Watson, Cabrera (1987), Kernel density estimation with spherical data (a wrapped normal kernel on the circle).

    Examples
    --------
    One event in the first hour, a bandwidth of none and a tiny prior give that hour nearly everything.
    """
    count = np.zeros((found.n_units, HOURS_OF_WEEK))
    np.add.at(count, (found.unit, found.label), 1)
    everybody = smoothed(count.sum(axis=0), bandwidth_h) + 1 / HOURS_OF_WEEK
    everybody /= everybody.sum()
    whole = smoothed(count, bandwidth_h) + prior * everybody
    return np.asarray(whole / whole.sum(axis=-1, keepdims=True))


def smoothed(count: Floats, bandwidth_h: float) -> Floats:
    """The same counts (..., 168) after a wrapped normal kernel, whose Fourier transform is exp(-½ (ω σ)²)."""
    omega = 2 * np.pi * np.arange(HOURS_OF_WEEK // 2 + 1) / HOURS_OF_WEEK
    wave = np.fft.rfft(count, axis=-1) * np.exp(-0.5 * (omega * bandwidth_h) ** 2)
    return np.maximum(np.fft.irfft(wave, HOURS_OF_WEEK, axis=-1), 0)
