"""Which region leads which: cross-correlation at lags, with a null that keeps each series' own autocorrelation.

A series is shifted in a circle against the other: both keep their own rhythm, and only what they have in common at a
lag is lost. Rhythms of the clock that all regions share must be taken out first (`without_profile`), else every region
"leads" every other. Never here: causes. A lead may come from a third region.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from components.errors import DataError
from components.evolution.significance import adjusted

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Leads:
    """All ordered pairs of R regions: does `leader` run ahead of `follower`?

    Attributes
    ----------
    lag : (R, R) the lag 1..L, in steps, at which the row leads the column most; 0 on the diagonal
    correlation : (R, R) at that lag
    p, q : (R, R) one-sided p of how far the largest correlation over the lags exceeds that over no lag and the
        opposite ones, and adjusted over pairs; NaN on the diagonal
    """

    lag: NDArray[np.int64]
    correlation: Floats
    p: Floats
    q: Floats


def without_profile(series: Floats, place: NDArray[np.integer]) -> Floats:
    """Series (T, R) less the mean of each region at each `place` (T, R) of its season, e.g. local hour of the week."""
    regions = series.shape[1]
    key = (place * regions + np.arange(regions)).ravel()
    mean = np.bincount(key, weights=series.ravel()) / np.maximum(np.bincount(key), 1)
    return np.asarray(series - mean[key].reshape(series.shape))


def without_common(series: Floats) -> Floats:
    """Series (T, R) less what all regions have in common, which leads nobody.

    Of fewer than four regions they stay as they are: the mean of so few is their own doing, and what one loses to it
    the others would seem to follow.
    """
    return series - series.mean(axis=1, keepdims=True) if series.shape[1] >= 4 else series


def leads(series: Floats, most: int) -> Leads:
    """Lagged cross-correlation of every pair of regions.

    Parameters
    ----------
    series : (T, R) one column for each region, without profile (`without_profile`); a linear trend is taken out here
    most : L, the longest lag that is asked of, steps

    Returns
    -------
    Leads

    Raises
    ------
    DataError
        T is less than 20 times the longest lag: too few shifts to compare with.

    Notes
    -----
    One Fourier transform gives the correlation at all T shifts. The statistic is the largest over lags 1..L less the
    largest over lags -L..0: what two regions do at the same time, or the other way round, is no lead. Its null is the
    same around every other shift whose lags do not overlap with those. The p-value is exact for two independent series
    of which one is stationary in a circle, whatever its autocorrelation; the seam where end meets start is the
    approximation.

    References
    ----------
    Andrzejak et al. (2003), Bivariate surrogate techniques; Lancaster et al. (2018), Surrogate data for hypothesis
    testing of physical systems, §3.7 (cyclic phase permutation, time-shifted surrogates).
    """
    steps, regions = series.shape
    if most < 1 or steps < 20 * most:
        raise DataError(
            f"at least {20 * max(most, 1)} steps for lags up to {most}",
            found=f"{steps}",
            do="Take shorter steps or a shorter longest lag.",
        )
    clock = np.arange(steps) - (steps - 1) / 2
    centred = series - series.mean(axis=0)
    centred -= np.outer(clock, clock @ centred / (clock @ clock))
    power = np.sqrt(np.sum(centred**2, axis=0))
    unit = np.divide(centred, power, out=np.zeros_like(centred), where=power > 0)
    wave = np.fft.rfft(unit, axis=0)
    lag, correlation = np.zeros((regions, regions), np.int64), np.zeros((regions, regions))
    p = np.full((regions, regions), np.nan)
    shifts = np.arange(3 * most, steps - 3 * most + 1)
    for leader in range(regions):
        # (T, R) leader(t) · follower(t + shift)
        ahead = np.fft.irfft(wave * np.conj(wave[:, [leader]]), steps, axis=0)
        asked = ahead[1 : most + 1]
        lag[leader], correlation[leader] = asked.argmax(axis=0) + 1, asked.max(axis=0)
        lead = correlation[leader] - np.maximum(ahead[0], ahead[-most:].max(axis=0))
        later = sliding_window_view(ahead, most, axis=0).max(axis=-1)[shifts + 1]
        null = later - sliding_window_view(ahead, most + 1, axis=0).max(axis=-1)[shifts - most]
        p[leader] = (1 + (null >= lead - 1e-12).sum(axis=0)) / (len(shifts) + 1)
    apart = ~np.eye(regions, dtype=bool) & (power > 0)[:, None] & (power > 0)
    p[~apart], lag[~apart] = np.nan, 0
    return Leads(lag, np.where(apart, correlation, np.nan), p, adjusted(p))
