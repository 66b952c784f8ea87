"""Does 30 % mean 30 %? What was said against what came true, for the first item and for the action.

Never here: mending a probability (the predictors do that, on the tuning window).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evaluation.judgement import Judgement
from components.evaluation.metrics import expected_calibration_error

_BINS = 10


@dataclass(frozen=True)
class Reliability:
    """Queries in bins of equal size by what was said, least first.

    Attributes
    ----------
    said, came, count : (bins,) mean probability, share that came true, queries
    error : expected calibration error, 0 … 1
    """

    said: NDArray[np.float64]
    came: NDArray[np.float64]
    count: NDArray[np.int64]
    error: float

    def record(self) -> dict[str, object]:
        """As JSON."""
        bins = [
            {"said": float(s), "came": float(c), "queries": int(n)}
            for s, c, n in zip(self.said, self.came, self.count, strict=True)
        ]
        return {"ece": None if np.isnan(self.error) else self.error, "bins": bins}


def reliability(probability: NDArray[np.floating], hit: NDArray) -> Reliability:
    """Reliability of one probability per query; queries with NaN are left out.

    Examples
    --------
    >>> found = reliability(np.full(20, 0.25), np.arange(20) < 5)
    >>> float(found.said.mean()), float(found.came.mean())
    (0.25, 0.25)
    """
    asked = ~np.isnan(probability)
    said, came = np.asarray(probability, np.float64)[asked], np.asarray(hit, np.float64)[asked]
    if not len(said):
        nothing = np.empty(0)
        return Reliability(nothing, nothing, np.empty(0, np.int64), float("nan"))
    parts = np.array_split(np.argsort(said, kind="stable"), min(_BINS, len(said)))
    return Reliability(
        np.array([said[p].mean() for p in parts]),
        np.array([came[p].mean() for p in parts]),
        np.array([len(p) for p in parts]),
        expected_calibration_error(said, came),
    )


def item_reliability(judgement: Judgement) -> Reliability:
    """Of the first item's probability, over the queries that have an item to find.

    With items filtered after scoring the probabilities are those before filtering, so this is of use where
    `seen` is kept.
    """
    best = judgement.metric("mrr")
    probability = np.where(np.isnan(best), np.nan, judgement.column("top_p"))
    first = judgement.lists[:, 0]
    index = np.repeat(np.arange(len(judgement)), np.diff(judgement.offsets))
    hit = np.bincount(index, weights=judgement.targets == first[index], minlength=len(judgement)) > 0
    return reliability(probability, hit)


def action_reliability(judgement: Judgement) -> Reliability | None:
    """Of the likeliest action's probability; None where the predictor names no actions."""
    if not judgement.has("action_p"):
        return None
    chance = judgement.matrix("action_p")
    return reliability(chance.max(axis=1), chance.argmax(axis=1) == judgement.table["action"].to_numpy())
