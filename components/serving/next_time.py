"""When the next event comes, as the few numbers of an answer, from a log-normal mixture: one compiled call.

The same numbers as `TimeDistribution` gives (quantiles to a part in 10⁹), without the cost of a hundred small arrays.
Never here: whose mixture it is.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from components.compiled import compiled
from components.predictor import TimeDistribution
from components.serving.question import NextTime

Floats = NDArray[np.float64]
_QUANTILES = {"p10": 0.1, "p50": 0.5, "p90": 0.9}
_WITHIN_S = {"1h": 3_600.0, "1d": 86_400.0, "7d": 604_800.0}
_NO_RETURN_S = {"30d": 2_592_000.0, "90d": 7_776_000.0}
_P, _H, _N = (np.array(list(one.values())) for one in (_QUANTILES, _WITHIN_S, _NO_RETURN_S))
_TINY = 1e-30  # a weight whose logarithm is finite


def next_time(time: TimeDistribution, silence_s: float) -> NextTime:
    """What is said of the first query's next event.

    Parameters
    ----------
    time : (1, C) mixture
    silence_s : seconds from the last visible event to the request
    """
    weight, mean, sigma = (np.ascontiguousarray(one[0], np.float64) for one in (time.weight, time.mean, time.sigma))
    quantile, within, from_now, gone = _numbers(weight, mean, sigma, _P, _H, _N, silence_s)
    return NextTime(
        quantiles_s=dict(zip(_QUANTILES, quantile.tolist(), strict=True)),
        within=dict(zip(_WITHIN_S, within.tolist(), strict=True)),
        from_now=dict(zip(_WITHIN_S, from_now.tolist(), strict=True)),
        no_return=dict(zip(_NO_RETURN_S, gone.tolist(), strict=True)),
    )


@compiled
def _numbers(
    weight: Floats, mean: Floats, sigma: Floats, p: Floats, horizon_s: Floats, gone_s: Floats, silence_s: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """Quantiles (p,), chances within (h,) of the last event and of now, chances of nothing for (n,)."""
    quantile, within = np.empty(len(p)), np.empty(len(horizon_s))
    from_now, gone = np.empty(len(horizon_s)), np.empty(len(gone_s))
    for i in range(len(p)):
        quantile[i] = max(math.expm1(_quantile(weight, mean, sigma, p[i])), 0.0)
    silent = _log_survival(weight, mean, sigma, math.log1p(silence_s))
    for i in range(len(horizon_s)):
        within[i] = _below(weight, mean, sigma, math.log1p(horizon_s[i]))
        later = _log_survival(weight, mean, sigma, math.log1p(silence_s + horizon_s[i]))
        from_now[i] = -math.expm1(later - silent)
    for i in range(len(gone_s)):
        gone[i] = 1.0 - _below(weight, mean, sigma, math.log1p(gone_s[i]))
    return quantile, within, from_now, gone


@compiled
def _below(weight: Floats, mean: Floats, sigma: Floats, x: float) -> float:
    """Probability below x, in log-seconds."""
    total = 0.0
    for c in range(len(weight)):
        total += weight[c] * 0.5 * math.erfc((mean[c] - x) / (sigma[c] * math.sqrt(2.0)))
    return total


@compiled
def _quantile(weight: Floats, mean: Floats, sigma: Floats, p: float) -> float:
    """x below which p of the mixture lies: Newton's steps, kept in a bracket that shrinks."""
    low, high = float(np.min(mean - 40.0 * sigma)), float(np.max(mean + 40.0 * sigma))
    x = 0.0
    for c in range(len(weight)):
        x += weight[c] * mean[c]
    for _ in range(200):
        below, density = 0.0, 0.0
        for c in range(len(weight)):
            z = (x - mean[c]) / sigma[c]
            below += weight[c] * 0.5 * math.erfc(-z / math.sqrt(2.0))
            density += weight[c] * math.exp(-0.5 * z * z) / (sigma[c] * math.sqrt(2.0 * math.pi))
        if below < p:
            low = x
        else:
            high = x
        step = x + (p - below) / density if density > 0.0 else np.inf
        near = 1e-11 * (1.0 + abs(x))
        if abs(step - x) < near:  # rounding may put it outside the bracket
            return x
        following = step if low < step < high else 0.5 * (low + high)
        if abs(following - x) < near:
            return following
        x = following
    return x


@compiled
def _log_survival(weight: Floats, mean: Floats, sigma: Floats, x: float) -> float:
    """log of the probability above x; exact where hardly anything is."""
    most, total = -np.inf, 0.0
    for c in range(len(weight)):
        part = math.log(max(weight[c], _TINY)) + _log_upper((x - mean[c]) / sigma[c])
        if part > most:
            total = total * math.exp(most - part) + 1.0
            most = part
        else:
            total += math.exp(part - most)
    return most + math.log(total)


@compiled
def _log_upper(z: float) -> float:
    """log of the normal probability above z (Abramowitz and Stegun 26.2.12 in the far tail)."""
    if z < 20.0:
        return math.log(0.5 * math.erfc(z / math.sqrt(2.0)))
    square = 1.0 / (z * z)
    tail = square * (-1.0 + square * (3.0 + square * (-15.0 + 105.0 * square)))
    return -0.5 * z * z - math.log(z) - 0.5 * math.log(2.0 * math.pi) + math.log1p(tail)
