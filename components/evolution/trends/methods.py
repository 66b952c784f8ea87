"""Every forecaster by name: one typed function from a panel to the steps ahead.

Explicit orders are written out: `ar(1,24,168)` (lags), `ma(2)`, `arma(2,1)`, `arima(1,1,1)`, and `mstl:` before a name
forecasts the series without its cycles. Networks are not here, as they are trained once and asked often (`lstm_fit`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from components.errors import ConfigError
from components.evolution.trends.arima import ar, arima, auto_arima
from components.evolution.trends.intermittent import croston, sba, sparse, tsb
from components.evolution.trends.mstl import mstl
from components.evolution.trends.panel import Floats, Panel
from components.evolution.trends.simple import naive, seasonal_mean, seasonal_naive
from components.evolution.trends.smoothing import ces, damped, dynamic_theta, ets, theta

#: (panel, horizon H) → (N, H) points; rows of NaN where a method has no answer.
Method = Callable[[Panel, int], Floats]

METHODS: Mapping[str, Method] = {
    "naive": naive,
    "seasonal_naive": seasonal_naive,
    "seasonal_mean": partial(seasonal_mean, cycles=4),
    "auto_arima": auto_arima,
    "ets": ets,
    "damped": damped,
    "theta": theta,
    "dynamic_theta": dynamic_theta,
    "ces": ces,
    "croston": croston,
    "sba": sba,
    "tsb": tsb,
}
_ORDERED = re.compile(r"(ar|ma|arma|arima)\((\d+(?:,\d+)*)\)")


@dataclass(frozen=True)
class Points:
    """What a method said.

    Attributes
    ----------
    point : (N, H), finite
    filled : (N,) whether the method had no answer and seasonal naive gave it
    """

    point: Floats
    filled: NDArray[np.bool_]


def method_of(name: str) -> Method:
    """The method of a name.

    Raises
    ------
    ConfigError
        There is none.

    Examples
    --------
    >>> from components.evolution.trends.panel import panel_of
    >>> method_of("naive")(panel_of([[1.0, 2.0]], (1,), ["a"]), 2).tolist()
    [[2.0, 2.0]]
    """
    if name.startswith("mstl:"):
        return partial(mstl, method=method_of(name.removeprefix("mstl:")))
    if name in METHODS:
        return METHODS[name]
    match = _ORDERED.fullmatch(name.replace(" ", ""))
    if match:
        kind, order = match[1], tuple(int(one) for one in match[2].split(","))
        if kind == "ar" and min(order) > 0:
            return partial(ar, lags=order)
        orders = {("ma", 1): (0, 0, *order), ("arma", 2): (order[0], 0, order[-1]), ("arima", 3): order}
        found = orders.get((kind, len(order)))
        if found is not None:
            return partial(arima, order=(found[0], found[1], found[2]))
    raise ConfigError(
        f"a method among {', '.join(METHODS)}, ar(lags), ma(q), arma(p,q), arima(p,d,q), or one of them after `mstl:`",
        found=f"{name!r}",
        do="Correct the name.",
    )


def usual_candidates(panel: Panel) -> tuple[str, ...]:
    """Names that are worth asking of counts at the panel's seasons: cheap ones, each good at something.

    Autoregressions reach back over the cycles that the shortest series holds twice; intermittent methods stand where
    any series is mostly 0.
    """
    cycles = [one for one in panel.seasons if 1 < one <= int(panel.length.min()) // 2]
    around = [lag for cycle in cycles for lag in (cycle - 1, cycle, cycle + 1)]
    lags = ",".join(str(lag) for lag in sorted({1, 2, *(lag for lag in around if lag > 1)}))
    names = ["seasonal_naive", "ar(1)", f"ar({lags})", "damped", "ces"]
    if cycles:
        names += ["seasonal_mean", "mstl:damped", "mstl:theta"]
    if sparse(panel).any():
        names += ["sba", "tsb"]
    return tuple(dict.fromkeys(names))


def forecast(name: str, panel: Panel, horizon: int) -> Points:
    """Points of a method; seasonal naive where it has none; not below 0 where the series never were.

    Parameters
    ----------
    horizon : H, at least 1

    Raises
    ------
    ConfigError
        There is no such method.
    """
    return completed(panel, method_of(name)(panel, horizon))


def completed(panel: Panel, point: Floats) -> Points:
    """Points (N, H) with NaN rows filled by seasonal naive and counts not below 0."""
    filled = np.asarray(~np.isfinite(point).all(1))
    whole = np.where(filled[:, None], seasonal_naive(panel, point.shape[1]), point)
    counts = np.nanmin(panel.values, 1) >= 0
    return Points(np.where(counts[:, None], np.maximum(whole, 0.0), whole), filled)
