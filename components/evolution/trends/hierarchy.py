"""Forecasts that add up: of all, of each action, of each segment, at once.

Either sums of the segments' forecasts (bottom-up), or every level forecast by itself and reconciled by the least
change that makes them add up (MinT). Never here: forecasts.

Reference: Wickramasuriya, Athanasopoulos, Hyndman (2019), Optimal forecast reconciliation for hierarchical and grouped
time series through trace minimization; the shrunk covariance: Schäfer, Strimmer (2005).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl

from components.errors import DataError
from components.evolution.trends.panel import Floats, Panel

Weighting = Literal["structure", "variance", "shrunk"]


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Attributes
    ----------
    panel : (A, T) every level's series, the coarsest first; keys hold "*" where a dimension is summed over
    sums : (A, N) 0 or 1: which of the N segments each series sums; its last N rows are the identity
    """

    panel: Panel
    sums: Floats

    @property
    def bottom(self) -> int:
        """N segments."""
        return int(self.sums.shape[1])


def hierarchy(segments: Panel, levels: Sequence[Sequence[str]]) -> Hierarchy:
    """Sums of segments at every level, and the segments themselves.

    Parameters
    ----------
    segments : N series
    levels : dimensions that each level keeps, e.g. [(), ("action",), ("region",)]; () is the total

    Raises
    ------
    DataError
        A level keeps a dimension that the segments do not have.
    """
    names = segments.keys.columns
    unknown = sorted({one for level in levels for one in level} - set(names))
    if unknown:
        raise DataError(f"dimensions among {names}", found=", ".join(unknown), do="Correct the levels.")
    rows, keys = [], []
    for level in levels:
        kept = segments.keys.select(pl.col(one) if one in level else pl.lit("*").alias(one) for one in names)
        distinct = kept.unique(maintain_order=True).sort(names)
        place = {key: at for at, key in enumerate(distinct.iter_rows())}
        row = np.zeros((distinct.height, segments.n))
        row[[place[key] for key in kept.iter_rows()], np.arange(segments.n)] = 1.0
        rows.append(row)
        keys.append(distinct)
    sums = np.concatenate([*rows, np.eye(segments.n)])
    values = sums @ np.nan_to_num(segments.values)
    begun = sums @ (~np.isnan(segments.values)).astype(np.float64)
    values[begun == 0] = np.nan
    return Hierarchy(replace(segments, values=values, keys=pl.concat([*keys, segments.keys.select(names)])), sums)


def bottom_up(tree: Hierarchy, bottom: Floats) -> Floats:
    """(A, H) sums of the segments' points (N, H)."""
    return np.asarray(tree.sums @ bottom)


def reconcile(tree: Hierarchy, base: Floats, weighting: Weighting, residual: Floats | None = None) -> Floats:
    """MinT: the points nearest to the base forecasts of all levels that add up.

    Parameters
    ----------
    base : (A, H) a forecast of every series by itself
    weighting : what distance means: by the number of segments summed (structure), by the error variance of each series
        (variance), or by the shrunk covariance of the errors (shrunk)
    residual : (E, A) errors of the base forecasts in a backtest; needed but for structure

    Returns
    -------
    (A, H), S (SᵀW⁻¹S)⁻¹ SᵀW⁻¹ base, which is `least_change`; unbiased where the base is; may fall below 0.

    Raises
    ------
    DataError
        Errors are needed and fewer than two, or the shapes do not match.
    """
    sums = tree.sums
    if base.shape[0] != len(sums):
        raise DataError(f"points of all {len(sums)} series", found=f"of {base.shape[0]}", do="Forecast every level.")
    if weighting == "structure":
        covariance = sums.sum(1)
    else:
        if residual is None or len(residual) < 2 or residual.shape[1] != len(sums):
            raise DataError(
                f"at least 2 errors of each of {len(sums)} series",
                found="none" if residual is None else f"an array of shape {residual.shape}",
                do="Backtest every level, or weight by structure.",
            )
        covariance = _covariance(residual, weighting)
    upper = len(sums) - tree.bottom
    return least_change(base, np.concatenate([np.eye(upper), -sums[:upper]], axis=1), covariance)


def least_change(base: Floats, constraint: Floats, covariance: Floats) -> Floats:
    """MinT as a projection: the points nearest to `base` that meet every constraint.

    Parameters
    ----------
    base : (A, H)
    constraint : (C, A) sums that must be 0, e.g. parts less their total
    covariance : (A, A) of the errors of base, or (A,) where they are taken to be unrelated: the surer are changed less

    Returns
    -------
    (A, H), base − WCᵀ (CWCᵀ)⁻¹ C base
    """
    spread = constraint * covariance if covariance.ndim == 1 else constraint @ covariance
    gap = np.linalg.lstsq(spread @ constraint.T, constraint @ base, rcond=None)[0]
    return np.asarray(base - spread.T @ gap)


def _covariance(residual: Floats, weighting: Weighting) -> Floats:
    """(A, A) second moments of the errors (base forecasts are taken to be unbiased), off the diagonal shrunk to 0."""
    count = len(residual)
    moment = residual.T @ residual / count
    variance = np.diag(moment).copy()
    variance = np.maximum(variance, 1e-8 * max(float(variance.max()), 1e-12))  # a series without errors is no anchor
    if weighting == "variance":
        return np.diag(variance)
    unit = residual / np.sqrt(variance)
    correlation = unit.T @ unit / count
    spread = ((unit**2).T @ unit**2 / count - correlation**2) / max(count - 1, 1)
    off = ~np.eye(len(variance), dtype=bool)
    size = float((correlation[off] ** 2).sum())
    shrink = min(1.0, max(1e-3, float(spread[off].sum()) / size)) if size > 0 else 1.0
    shrunk = np.where(off, (1 - shrink) * correlation, 1.0)
    return shrunk * np.sqrt(np.outer(variance, variance))


def adds_up(tree: Hierarchy, points: Floats, tolerance: float = 1e-6) -> bool:
    """Whether points (A, H) of all levels are the sums of their segments, up to a share of the largest."""
    size = max(1.0, float(np.abs(points).max()))
    return bool(np.abs(points - tree.sums @ points[-tree.bottom :]).max() <= tolerance * size)
