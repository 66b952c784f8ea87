"""One row of figures for a forecast of many series, beside seasonal naive.

Squared errors are of series divided by their scale, since the largest series would otherwise be all that counts. Never
here: forecasts, or which is better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from components.evolution.significance import Estimate
from components.evolution.trends.accuracy import (
    crps,
    inside,
    mase,
    mean_over_series,
    mse,
    r2,
    skill,
    smape,
    wape,
)
from components.evolution.trends.panel import Floats


@dataclass(frozen=True)
class Scores:
    """Means over N series; intervals are of 95 %, series drawn anew.

    Attributes
    ----------
    series : N
    mase : scaled absolute error, 0 and up
    against_naive : MASE less that of seasonal naive, paired; below 0: better
    mse, rmse : of scaled errors
    r2 : share of the variance within series that is explained, at most 1
    wape : absolute errors over all that happened
    smape : per cent, 0..200
    crps : scaled, 0 and up; None without quantiles
    coverage : share of what happened inside the outermost quantiles; each series counts once
    width : of that interval, scaled
    """

    series: int
    mase: Estimate
    against_naive: Estimate
    mse: float
    rmse: float
    r2: float
    wape: float
    smape: float
    crps: Estimate | None
    coverage: Estimate | None
    width: float | None


def score(
    actual: Floats,
    point: Floats,
    baseline: Floats,
    scale: Floats,
    quantiles: Floats | None = None,
    levels: Floats | None = None,
) -> Scores:
    """Figures of one forecast.

    Parameters
    ----------
    actual, point, baseline : (N, H); the baseline is seasonal naive
    scale : (N,) of MASE (`accuracy.scale_of`); series of NaN count in WAPE, sMAPE and coverage alone
    quantiles : (N, H, Q), and levels (Q,) evenly spaced
    """
    own = mase(actual, point, scale)
    squared = float(np.nanmean(mse(actual, point) / scale**2))
    found = crps_of = width = None
    if quantiles is not None and levels is not None:
        crps_of = mean_over_series(crps(actual, quantiles, levels) / scale)
        found = mean_over_series(inside(actual, quantiles[:, :, 0], quantiles[:, :, -1]).mean(1))
        width = float(np.nanmean((quantiles[:, :, -1] - quantiles[:, :, 0]).mean(1) / scale))
    return Scores(
        series=len(actual),
        mase=mean_over_series(own),
        against_naive=skill(own, mase(actual, baseline, scale)),
        mse=squared,
        rmse=float(np.sqrt(squared)),
        r2=r2(actual, point, scale),
        wape=wape(actual, point),
        smape=float(smape(actual, point).mean()),
        crps=crps_of,
        coverage=found,
        width=width,
    )
