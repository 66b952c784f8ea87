"""The largest gap between groups: who is served best, who worst, and whether that is more than chance.

The two groups are picked because they are furthest apart, so the interval is widened for all pairs that could have been
picked (Bonferroni): a gap whose interval does not hold 0 is one. Groups of few questions are left out. Nothing here
decides what a gap may be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from components.evaluation.significance import Bootstrap
from components.evaluation.slices import Masks

Record = dict[str, Any]
#: Below this many users a group's mean says nothing.
MIN_USERS = 20


def largest_gaps(
    values: NDArray[np.float64], dimensions: Mapping[str, Masks], bootstrap: Bootstrap, min_queries: int
) -> list[Record]:
    """The two groups that are furthest apart, for each dimension.

    Parameters
    ----------
    values : (Q,) a metric, higher is better; NaN is not counted
    dimensions : dimension → group → (Q,) bool
    bootstrap : over the same queries
    min_queries : groups with fewer counted queries are left out

    Returns
    -------
    list of dict
        `dimension`, `groups` (compared), `best`, `worst` (names), `best_value`, `worst_value`, `value`, `low`, `high`
        (of the gap; the bounds are None where nothing can be said); largest gap first. Dimensions with fewer than two
        groups are left out.
    """
    found = []
    for dimension, masks in dimensions.items():
        large = {
            name: column
            for name, mask in masks.items()
            if _counts(column := np.where(mask, values, np.nan), bootstrap, min_queries)
        }
        if len(large) > 1:
            found.append({"dimension": dimension, "groups": len(large), **_gap(large, bootstrap)})
    return sorted(found, key=lambda one: (-one["value"], one["dimension"]))


def _counts(column: NDArray[np.float64], bootstrap: Bootstrap, min_queries: int) -> bool:
    counted = ~np.isnan(column)
    return int(counted.sum()) >= min_queries and len(np.unique(bootstrap.user[counted])) >= MIN_USERS


def _gap(columns: Mapping[str, NDArray[np.float64]], bootstrap: Bootstrap) -> Record:
    names = list(columns)
    mean = np.array([np.nanmean(column) for column in columns.values()])
    best, worst = int(mean.argmax()), int(mean.argmin())
    pairs = len(names) * (len(names) - 1) / 2
    drawn = bootstrap.samples(np.stack([columns[names[best]], columns[names[worst]]], axis=1))
    error = float(np.nanstd(drawn[:, 0] - drawn[:, 1]))
    reach = float(ndtri(1 - (1 - bootstrap.confidence) / 2 / pairs)) * error
    value = float(mean[best] - mean[worst])
    sure = error > 0
    return {
        "best": names[best],
        "worst": names[worst],
        "best_value": float(mean[best]),
        "worst_value": float(mean[worst]),
        "value": value,
        "low": value - reach if sure else None,
        "high": value + reach if sure else None,
    }
