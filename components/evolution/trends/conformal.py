"""Intervals that hold what they promise: quantiles of past errors at each horizon, put around a point forecast.

Split conformal prediction on the residuals of a backtest. Errors of series of all sizes are comparable after each is
divided by how hard its series was to forecast; then those of one horizon are pooled over origins and series. Coverage
is a promise on average over series, not for each of them, and holds as far as tomorrow's errors are like those of the
backtest. Never here: points.

References: Vovk, Gammerman, Shafer (2005), Algorithmic learning in a random world; Lei et al. (2018),
Distribution-free predictive inference for regression (scaled residuals); Romano et al. (2019) (signed tails).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from components.errors import DataError
from components.evolution.trends.panel import Floats

#: Weight of what all series say of a series' difficulty, in origins.
_PRIOR = 1.0


@dataclass(frozen=True)
class Conformal:
    """Attributes
    ----------
    levels : (Q,) ascending
    offset : (H, Q) quantiles of scaled errors
    scale : (N,) of each series, in counts
    """

    levels: Floats
    offset: Floats
    scale: Floats

    def quantiles(self, point: Floats, floor: Floats | None = None) -> Floats:
        """(N, H, Q) around points (N, H), ascending over Q; not below `floor` (N,), such as 0 for counts."""
        found = point[:, :, None] + self.scale[:, None, None] * self.offset
        return found if floor is None else np.maximum(found, floor[:, None, None])


def difficulty(residual: Floats, scale: Floats) -> Floats:
    """(N,) expected absolute error of each series: its own in the backtest, drawn towards what its scale makes likely.

    Parameters
    ----------
    residual : (K, N, H), K may be 0
    scale : (N,) such as `accuracy.scale_of`; NaN: only the errors are known
    """
    size = np.abs(residual).mean(2).sum(0) if len(residual) else np.zeros(residual.shape[1])  # (N,)
    usual = scale
    if len(residual):
        ratio = np.nanmedian(np.abs(residual).mean((0, 2)) / scale) if np.isfinite(scale).any() else np.nan
        usual = scale * ratio
    usual = np.where(np.isfinite(usual), usual, size / max(len(residual), 1))
    found = (size + _PRIOR * usual) / (len(residual) + _PRIOR)
    positive = found[found > 0]
    least = 1e-3 * float(np.median(positive)) if len(positive) else 1.0
    return np.maximum(found, least)


def calibrate(residual: Floats, scale: Floats, levels: Floats) -> Conformal:
    """Quantiles of errors at each horizon.

    Each origin's errors are divided by a difficulty that the other origins tell, since an error divided by itself
    looks smaller than the next one will.

    Parameters
    ----------
    residual : (K, N, H) what happened less what was said, at origins that the method had not seen
    scale : (N,) error scale of each series, NaN where unknown
    levels : (Q,) inside 0..1, ascending

    Raises
    ------
    DataError
        There are too few errors for the outermost level: 1 / (K N + 1) is above it.
    """
    count, n, horizon = residual.shape
    tail = float(min(levels.min(), 1 - levels.max()))
    if tail * (count * n + 1) < 1 - 1e-9:
        raise DataError(
            f"at least {int(np.ceil(1 / tail - 1 - 1e-6))} errors at each horizon for the level {tail:.3g}",
            found=f"{count * n} (origins × series)",
            do="Add origins to the backtest, or ask narrower levels.",
        )
    others = [np.delete(residual, k, axis=0) for k in range(count)]
    scaled = np.stack([residual[k] / difficulty(others[k], scale)[:, None] for k in range(count)])
    ordered = np.sort(scaled.reshape(count * n, horizon), axis=0)
    # Beyond the middle each level takes the order statistic that covers it: ⌈(n+1)q⌉ above, ⌊(n+1)q⌋ below.
    rank = (count * n + 1) * levels
    place = np.where(levels > 0.5, np.ceil(rank - 1e-9), np.floor(rank + 1e-9)).astype(np.int64) - 1
    place = np.clip(place, 0, count * n - 1)
    # With one origin no other tells the difficulty, and the scale alone must serve on both sides.
    return Conformal(levels, ordered[place].T, difficulty(residual if count > 1 else residual[:0], scale))
