"""What made a peak: the excess over what was usual, shared out over segments so that the shares add up.

It says where the excess lies, and which dimension tells it best; that something happened there does not say why. Never
here: which peaks are unusual (`unusual`).

Reference: Bhagwan et al. (2014), Adtributor: revenue debugging in advertising systems (explanatory power and surprise).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from components.errors import DataError
from components.evolution.trends.panel import Floats, Panel


@dataclass(frozen=True)
class Share:
    """One value of one dimension.

    Attributes
    ----------
    dimension, value : such as action, "buy"
    actual, expected : counts over the span
    excess : actual − expected
    share : of the whole excess; of one dimension they sum to 1, and may be below 0
    surprise : its part of the Jensen–Shannon divergence between what was expected and what came, 0..ln 2
    """

    dimension: str
    value: str
    actual: float
    expected: float
    excess: float
    share: float
    surprise: float


@dataclass(frozen=True)
class Causes:
    """Attributes
    ----------
    excess : of all segments, in counts
    dimensions : name → surprise of its values together, the most telling first: where it is 0 all values rose alike
    shares : of every dimension, largest excess in the direction of the peak first
    segments : likewise of the whole segments, dimension "segment"
    """

    excess: float
    dimensions: dict[str, float]
    shares: dict[str, list[Share]]
    segments: list[Share]


def causes(panel: Panel, usual: Floats, first: int, last: int) -> Causes:
    """Share the excess of a span out.

    Parameters
    ----------
    panel : N segments
    usual : (N, T) expected counts of each segment; NaN counts as 0, as of a segment that had not begun
    first, last : steps, both included

    Raises
    ------
    DataError
        The span is not inside the panel, or nothing exceeds there: then nothing can be shared.
    """
    if not 0 <= first <= last < panel.steps:
        raise DataError(f"a span inside 0..{panel.steps - 1}", found=f"{first}..{last}", do="Correct the steps.")
    actual = np.nansum(panel.values[:, first : last + 1], axis=1)
    wanted = np.maximum(np.nan_to_num(usual[:, first : last + 1]).sum(1), 0.0)
    excess = float((actual - wanted).sum())
    if excess == 0:
        raise DataError("an excess", found="counts as expected", do="Ask for a span that is unusual.")
    table = panel.keys.with_columns(pl.Series("actual", actual), pl.Series("expected", wanted))
    shares = {}
    for name in panel.keys.columns:
        sums = table.group_by(name).agg(pl.col("actual").sum(), pl.col("expected").sum()).sort(name)
        shares[name] = _shares(name, [str(one) for one in sums[name]], *_arrays(sums), excess)
    names = [" · ".join(str(one) for one in key) for key in panel.keys.iter_rows()]
    telling = {name: sum(one.surprise for one in found) for name, found in shares.items()}
    order = sorted(telling, key=lambda name: -telling[name])
    return Causes(
        excess,
        {name: telling[name] for name in order},
        {name: shares[name] for name in order},
        _shares("segment", names, *_arrays(table), excess),
    )


def _arrays(table: pl.DataFrame) -> tuple[Floats, Floats]:
    return table["actual"].to_numpy(), table["expected"].to_numpy()


def _shares(dimension: str, names: list[str], actual: Floats, wanted: Floats, excess: float) -> list[Share]:
    p, q = (part / part.sum() if part.sum() > 0 else np.full(len(part), 1 / len(part)) for part in (wanted, actual))
    middle = (p + q) / 2

    def half(part: Floats) -> Floats:
        there = part > 0
        return np.where(there, 0.5 * part * np.log(np.where(there, part, 1.0) / np.where(there, middle, 1.0)), 0.0)

    surprise = half(p) + half(q)
    found = [
        Share(dimension, name, float(a), float(e), float(a - e), float((a - e) / excess), max(float(s), 0.0))
        for name, a, e, s in zip(names, actual, wanted, surprise, strict=True)
    ]
    return sorted(found, key=lambda one: (-one.share, one.value))
