"""Intervals that may be looked at after every user, and still be wrong with the stated chance over all looks together.

An ordinary 95 % interval that is looked at daily cries wolf sooner or later. These are asymptotic confidence sequences:
wider by about two thirds, and valid at every moment at once, so an experiment may be stopped whenever they say so.

References
----------
Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas (2024), Time-uniform central limit theory and asymptotic confidence
sequences, Annals of Statistics 52(6): the Gaussian mixture boundary, its tuning, and effects of randomised arms.
Lindon, Malek (2022), Anytime-valid inference for multinomial count data, NeurIPS (the sample ratio).

Never here: what is counted of a user (`experiments.outcomes`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln
from scipy.stats import chi2

Floats = NDArray[np.float64]
_LEAST_VARIED = 10  # users of an arm who are off 0, and who are off 1: with fewer, a share's variance says nothing
#: Evidence against the promised ratio of the arms at which people are warned: one false warning in a thousand.
_MISMATCH = 1_000.0
_CONCENTRATION = 1_000.0  # of the alternative around the promised ratio: small departures are what goes wrong


def half_width(variance: Floats, n: Floats, level: float, aim: int) -> Floats:
    """Half the width of the confidence sequence of a mean.

    Parameters
    ----------
    variance : of one observation (of a mean over n: n times its squared standard error)
    n : observations
    level : chance that the interval misses the truth at any of all moments
    aim : n at which the interval is tuned to be narrow; it is valid at every other

    Returns
    -------
    As broadcast.
    """
    deep = -2.0 * math.log(level)
    rho2 = (deep + math.log(deep + 1.0)) / aim
    spread = n * rho2 + 1.0
    width: Floats = np.sqrt(variance * spread / (n * n * rho2) * (deep + np.log(spread)))
    return width


@dataclass(frozen=True)
class Path:
    """An estimate after each user, with its interval; NaN where too little is known to say anything.

    Attributes
    ----------
    n : (N,) users so far, of all arms
    value, low, high : (N,)
    """

    n: NDArray[np.int64]
    value: Floats
    low: Floats
    high: Floats

    @property
    def last(self) -> tuple[float, float, float]:
        """Value, low and high as of now; NaN without users."""
        if not len(self.n):
            return math.nan, math.nan, math.nan
        return float(self.value[-1]), float(self.low[-1]), float(self.high[-1])


def mean_path(values: Floats, level: float, aim: int, least: int) -> Path:
    """The mean of independent observations, after each of them.

    Parameters
    ----------
    values : (N,) one for each user, in the order in which they became known
    level, aim : as in `half_width`
    least : observations before an interval is given
    """
    one = _Running.of(values, np.ones(len(values), bool))
    n = one.n
    width = np.where(one.speaks(least), half_width(one.variance(), n, level, aim), np.nan)
    return Path(n.astype(np.int64), one.mean, one.mean - width, one.mean + width)


def difference_path(values: Floats, treated: NDArray[np.bool_], level: float, aim: int, least: int) -> Path:
    """Mean of the treated less mean of the others, after each user.

    Parameters
    ----------
    values : (N,) one for each user, in the order in which they became known
    treated : (N,) assigned at random, whatever the values
    level, aim : as in `half_width`
    least : users of each arm before an interval is given
    """
    there, here = _Running.of(values, treated), _Running.of(values, ~treated)
    n = np.arange(1, len(values) + 1, dtype=np.float64)
    everybody = _Running.of(values, np.ones(len(values), bool))
    # An arm where nothing ever happens must not look certain, nor stay unjudged: it spreads at least as all users do.
    spread = [np.fmax(arm.variance(), everybody.variance()) / np.maximum(arm.n, 1.0) for arm in (there, here)]
    speaks = (there.n >= least) & (here.n >= least) & everybody.speaks(2 * least)
    width = np.where(speaks, half_width(n * (spread[0] + spread[1]), n, level, aim), np.nan)
    value = there.mean - here.mean
    return Path(n.astype(np.int64), value, value - width, value + width)


@dataclass(frozen=True)
class _Running:
    """Sums over an arm after each user of any arm; (N,) each."""

    n: Floats
    total: Floats
    squares: Floats
    varied: Floats

    @classmethod
    def of(cls, values: Floats, mine: NDArray[np.bool_]) -> _Running:
        own = np.where(mine, values, 0.0)
        off = (np.cumsum(mine & (values != end), dtype=np.float64) for end in (0.0, 1.0))
        return cls(np.cumsum(mine, dtype=np.float64), np.cumsum(own), np.cumsum(own * own), np.minimum(*off))

    @property
    def mean(self) -> Floats:
        return np.where(self.n > 0, self.total / np.maximum(self.n, 1.0), np.nan)

    def variance(self) -> Floats:
        """Of one observation, ddof 1; NaN where it cannot be told."""
        centre = self.total / np.maximum(self.n, 1.0)
        found = (self.squares - self.n * centre * centre) / np.maximum(self.n - 1.0, 1.0)
        return np.where(found > 0, found, np.nan)

    def speaks(self, least: int) -> NDArray[np.bool_]:
        return (self.n >= least) & (self.varied >= _LEAST_VARIED)


@dataclass(frozen=True)
class Ratio:
    """Whether the arms hold the shares of users that they were promised.

    Attributes
    ----------
    champion, challenger : users
    p_value : of the chi-square test, for one look
    evidence : Bayes factor against the promise, valid at every look: reaches e with chance 1/e at most if it is kept
    broken : whether something is wrong with assignment or logging: then no other figure may be trusted
    """

    champion: int
    challenger: int
    p_value: float
    evidence: float
    broken: bool


def sample_ratio(champion: int, challenger: int, share: float) -> Ratio:
    """Hold the users of both arms against the promised share of the challenger."""
    n = champion + challenger
    if n == 0:
        return Ratio(0, 0, 1.0, 1.0, False)
    expected = n * share
    distance = (challenger - expected) ** 2 / expected + (challenger - expected) ** 2 / (n - expected)
    a, b = _CONCENTRATION * share, _CONCENTRATION * (1 - share)
    log_factor = betaln(a + challenger, b + champion) - betaln(a, b)
    log_factor -= challenger * math.log(share) + champion * math.log1p(-share)
    evidence = math.exp(min(log_factor, 700.0))
    return Ratio(champion, challenger, float(chi2.sf(distance, 1)), evidence, evidence >= _MISMATCH)
