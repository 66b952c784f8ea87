"""How far each model is from the baselines, and whether the first of several is ahead of all of them.

Two questions, two intervals. `difference` is of a model and the best baseline, query by query: what a table shows
beside each model. `ahead` is asked of a model that was picked because it is first among M on the very questions that
judge it: its interval is widened for all M that could have been picked (Bonferroni), and it must hold against every
baseline. Nothing here decides what is promoted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from components.evaluation.significance import Bootstrap, paired_difference

Record = dict[str, Any]
Floats = NDArray[np.float64]
_DUST = 1e-12  # of sums in another order, where nothing was drawn differently


def differences(names: Sequence[str], kinds: Sequence[str], values: Floats, bootstrap: Bootstrap) -> list[Record]:
    """What is said of each row's distance to the baselines.

    Parameters
    ----------
    names, kinds : of R rows; kinds are "model", "baseline" or others
    values : (Q, R) the primary metric; NaN where a question does not count
    bootstrap : of the same questions

    Returns
    -------
    list of dict
        For each row `difference` (`value`, `low`, `high`, `to`: the best baseline), where it is not that baseline
        itself; and for a model `ahead`: `sure` ("yes", "no", "unsure"), `among` (models that could have been picked),
        `low`, `high` (of the difference to the best baseline, widened for these; None where nothing can be said).
        Empty where there is no baseline.
    """
    baselines = [i for i, kind in enumerate(kinds) if kind == "baseline"]
    if not baselines:
        return [{} for _ in names]
    mean = np.nan_to_num(np.array([np.nanmean(column) if not np.isnan(column).all() else 0.0 for column in values.T]))
    best = max(baselines, key=lambda i: mean[i])
    drawn = bootstrap.samples(values)  # (draws, R)
    among = sum(kind == "model" for kind in kinds)
    found: list[Record] = []
    for i, kind in enumerate(kinds):
        row: Record = {}
        if i != best:
            row["difference"] = paired_difference(values[:, i], values[:, best], bootstrap).record() | {
                "to": names[best]
            }
        if kind == "model":
            row["ahead"] = _ahead(mean[i] - mean, drawn[:, [i]] - drawn, best, baselines, among, bootstrap.confidence)
        found.append(row)
    return found


def _ahead(value: Floats, drawn: Floats, best: int, baselines: list[int], among: int, confidence: float) -> Record:
    """Of one model: `value` (R,) and `drawn` (draws, R) are its differences to every row."""
    error, some = np.zeros(len(value)), ~np.isnan(drawn).all(axis=0)
    error[some] = np.nanstd(drawn[:, some], axis=0)
    error[error < _DUST] = 0.0
    reach = float(ndtri(1 - (1 - confidence) / 2 / among)) * error
    low, high = value - reach, value + reach
    known = bool((error[baselines] > 0).all())
    sure = "unsure"
    if known and (low[baselines] > 0).all():
        sure = "yes"
    elif known and high[best] < 0:
        sure = "no"
    bounds = (float(low[best]), float(high[best])) if error[best] > 0 else (None, None)
    return {"sure": sure, "among": among, "low": bounds[0], "high": bounds[1]}
