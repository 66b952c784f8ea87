"""How regular people are: entropy over the hours of the week, and the strength of daily and weekly rhythm.

Never here: what is done at those hours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evolution.interests.diversity import diversity
from components.evolution.log import HOURS_OF_WEEK
from components.evolution.sequences import Sequences, Windows
from components.features.time import DAY_S, HOUR_S

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rhythm:
    """Strength of one period of U units; NaN without events.

    Attributes
    ----------
    strength : (U,) |mean of e^(2πi t / period)|, 0 = events at any phase alike, 1 = all at one
    phase_h : (U,) hours after the period's begin (midnight; Monday) around which events lie
    p : (U,) of no rhythm
    """

    strength: Floats
    phase_h: Floats
    p: Floats


def rhythm(found: Sequences, period_s: int) -> Rhythm:
    """Vector strength of a period, with a test that takes each period (day, week) as one piece of evidence.

    Parameters
    ----------
    found : Sequences
    period_s : 86 400 or 604 800, s

    Notes
    -----
    Rayleigh's test takes events for independent, and those of one evening are not. Here the null turns every day (week)
    by an angle of its own: with Z_b the sum of the phases in day b, |Σ Z_b|² / Σ |Z_b|² is then exponential with mean
    1, as Rayleigh's statistic is for single events.

    References
    ----------
    Rayleigh (1880), On the resultant of a large number of vibrations; Mardia, Jupp (2000), Directional Statistics,
    §6.3; Goldberg, Brown (1969) for the vector strength.
    """
    monday = found.local_s + 3 * DAY_S  # 1970-01-01 was a Thursday: weeks begin on Monday
    angle = 2 * np.pi * (monday % period_s) / period_s
    z = np.exp(1j * angle)
    unit = found.unit
    fresh = np.ones(len(unit), bool)
    fresh[1:] = (unit[1:] != unit[:-1]) | (monday[1:] // period_s != monday[:-1] // period_s)
    number = np.cumsum(fresh) - 1
    n_blocks = int(fresh.sum())
    block = np.bincount(number, z.real, n_blocks) + 1j * np.bincount(number, z.imag, n_blocks)
    owner = unit[fresh]
    total = np.bincount(owner, block.real, found.n_units) + 1j * np.bincount(owner, block.imag, found.n_units)
    power = np.bincount(owner, np.abs(block) ** 2, found.n_units)
    count = np.diff(found.offsets)
    there = count > 0
    strength = np.divide(np.abs(total), count, out=np.full(found.n_units, np.nan), where=there)
    ratio = np.divide(np.abs(total) ** 2, power, out=np.zeros(found.n_units), where=power > 1e-12)
    p = np.where(there, np.exp(-ratio), np.nan)
    phase = np.where(there, np.angle(total) % (2 * np.pi) / (2 * np.pi) * period_s / HOUR_S, np.nan)
    return Rhythm(strength, phase, p)


def regularity(found: Sequences) -> Floats:
    """(U,) 1 - H / log 168 of the hours of the week, with the Chao–Shen entropy; 1 = always the same hour.

    Parameters
    ----------
    found : Sequences of hours of the week as labels

    Returns
    -------
    (U,) 0..1; NaN without events. A unit with few events has a wide error: compare those of many.
    """
    whole = Windows(np.zeros(1, np.int64), 0, found.offsets[:-1, None], found.offsets[1:, None])
    return np.asarray(np.clip(1 - diversity(found, whole).chao_shen[:, 0] / np.log(HOURS_OF_WEEK), 0, 1))
