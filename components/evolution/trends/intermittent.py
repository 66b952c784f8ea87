"""Forecasts of series that are mostly 0: how often something happens, times how much of it.

References: Croston (1972), Forecasting and stock control for intermittent demands; Syntetos, Boylan (2005) (SBA: its
bias removed; the classes); Teunter, Syntetos, Babai (2011) (TSB: the chance decays while nothing happens).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.evolution.trends.each import each
from components.evolution.trends.panel import Floats, Panel

#: Syntetos, Boylan, Croston (2005): demand is intermittent above this mean interval between events, in steps.
INTERVAL = 1.32


def sparse(panel: Panel) -> NDArray[np.bool_]:
    """(N,) whether the mean interval between steps with any event is over 1.32: below 76 % of steps have any."""
    busy = np.nansum(panel.values > 0, 1)
    return np.asarray(panel.length > INTERVAL * busy)


def croston(panel: Panel, horizon: int) -> Floats:
    """(N, H) by Croston's method: flat, biased upwards."""
    from statsforecast.models import CrostonClassic

    return each(panel, horizon, CrostonClassic)


def sba(panel: Panel, horizon: int) -> Floats:
    """(N, H) by the Syntetos–Boylan approximation: Croston's method without its bias."""
    from statsforecast.models import CrostonSBA

    return each(panel, horizon, CrostonSBA)


def tsb(panel: Panel, horizon: int, alpha_chance: float = 0.1, alpha_size: float = 0.1) -> Floats:
    """(N, H) by Teunter, Syntetos and Babai: falls towards 0 when nothing happens any more.

    Parameters
    ----------
    alpha_chance, alpha_size : smoothing in 0..1 of how likely an event is, and of how large
    """
    from statsforecast.models import TSB

    return each(panel, horizon, lambda: TSB(alpha_d=alpha_chance, alpha_p=alpha_size))
