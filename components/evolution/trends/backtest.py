"""Rolling origins: what each method would have said before, asked with nothing but what was known then.

Origins lie a horizon apart, so that no two forecasts share a step, or closer where the log is short; the newest lies a
horizon before the end of the panel.
Never here: choosing (`selection`); what is chosen on one origin is judged on later ones.

Reference: Tashman (2000), Out-of-sample tests of forecasting accuracy.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from components.errors import DataError
from components.evolution.trends.accuracy import mase, scale_of
from components.evolution.trends.methods import Method, completed
from components.evolution.trends.panel import Floats, Panel


@dataclass(frozen=True)
class Backtest:
    """Answers of M methods at K origins, oldest first.

    Attributes
    ----------
    steps_back : (K,) where each origin lies before the end of the panel
    actual : (K, N, H) what followed
    scale : (K, N) seasonal naive error of what came before (`accuracy.scale_of`)
    point : method → (K, N, H)
    filled : method → share of answers in 0..1 that seasonal naive gave
    cpu_s : method → seconds of CPU, all origins together
    """

    steps_back: tuple[int, ...]
    actual: Floats
    scale: Floats
    point: Mapping[str, Floats]
    filled: Mapping[str, float]
    cpu_s: Mapping[str, float]

    def mase(self, name: str) -> Floats:
        """(K, N) scaled errors of a method; NaN where a series was constant."""
        return np.stack(
            [mase(y, f, s) for y, f, s in zip(self.actual, self.point[name], self.scale, strict=True)]
        )  # fmt: skip

    def residual(self, name: str) -> Floats:
        """(K, N, H) what happened less what was said."""
        return np.asarray(self.actual - self.point[name])

    def at(self, first: int, last: int) -> Backtest:
        """Origins first … last − 1."""
        part = slice(first, last)
        return replace(
            self,
            steps_back=self.steps_back[part],
            actual=self.actual[part],
            scale=self.scale[part],
            point={name: point[part] for name, point in self.point.items()},
        )

    def with_point(self, name: str, point: Floats) -> Backtest:
        """The same with one more method (K, N, H), such as an ensemble."""
        return replace(self, point={**self.point, name: point}, filled={**self.filled, name: 0.0})


def origins(horizon: int, count: int, skip: int = 0, apart: int | None = None) -> tuple[int, ...]:
    """Steps back of `count` origins, oldest first, `skip` newer ones left out; a horizon apart, or `apart` steps.

    Examples
    --------
    >>> origins(7, 3)
    (21, 14, 7)
    >>> origins(7, 1, skip=3)
    (28,)
    >>> origins(7, 3, apart=2)
    (11, 9, 7)
    """
    return tuple(horizon + (apart or horizon) * one for one in range(count + skip - 1, skip - 1, -1))


def backtest(panel: Panel, methods: Mapping[str, Method], horizon: int, steps_back: tuple[int, ...]) -> Backtest:
    """Ask every method at every origin.

    Parameters
    ----------
    panel : all that is known; nothing at or after an origin reaches a method
    methods : name → method; a trained network must not have seen what follows the oldest origin
    horizon : H steps
    steps_back : (K,) descending, each at least H

    Raises
    ------
    DataError
        A series had not begun at the oldest origin, or an origin leaves no whole horizon.
    """
    if not steps_back or list(steps_back) != sorted(set(steps_back), reverse=True):
        raise DataError("origins from the oldest to the newest", found=f"{steps_back}", do="Use `origins`.")
    before = [panel.until(back) for back in steps_back]
    actual = np.stack([panel.after(back, horizon) for back in steps_back])
    point, filled, cpu_s = {}, {}, dict.fromkeys(methods, 0.0)
    for name in methods:
        point[name], filled[name] = np.empty(actual.shape), 0.0
    for k, known in enumerate(before):  # panels outermost, so that one decomposition serves every method
        for name, method in methods.items():
            begin = time.process_time()
            said = completed(known, method(known, horizon))
            cpu_s[name] += time.process_time() - begin
            point[name][k] = said.point
            filled[name] += float(said.filled.mean()) / len(before)
    scale = np.stack([scale_of(known) for known in before])
    return Backtest(tuple(steps_back), actual, scale, point, filled, cpu_s)
