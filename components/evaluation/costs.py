"""What it costs to show other lists than those of the ranking: accuracy lost, diversity and calibration gained.

Computed from the columns that a judgement has of both lists, query by query, so that every figure of a query has a
paired interval. Coverage is a figure of the whole: its interval is a jackknife over groups of users, since a bootstrap
draws fewer users than there are and so covers less than they do.

Reference: Shao, Wu (1989), A general theory for jackknife variance estimation, Annals of Statistics 17.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from components.evaluation import metrics
from components.evaluation.judgement import TOP, Judgement
from components.evaluation.metrics import item_metric
from components.evaluation.significance import Bootstrap, Estimate

Record = dict[str, Any]
Floats = NDArray[np.float64]
_GROUPS = 50  # of users, left out one after the other
#: Figures where less is better.
LESS_IS_BETTER = ("off_taste",)


def rules_cost(
    judgement: Judgement, category: NDArray[np.integer], bootstrap: Bootstrap, segments: Sequence[str]
) -> Record | None:
    """Before and after the rules.

    Parameters
    ----------
    judgement : with the columns of `ranking.rules.judged`; None is returned for one without
    category : (V,) category of each item code
    bootstrap : over the judgement's queries
    segments : names of the segment codes

    Returns
    -------
    dict
        `k`; `figures`: name → `before`, `after`, `difference` (each value, low, high); `segments`: name, queries,
        users, share of the lists that changed, and difference of NDCG for each segment that was met
    """
    if not judgement.has("ruled"):
        return None
    before, after = (judgement.matrix(name).astype(np.int32) for name in ("plain", "ruled"))
    primary = f"ndcg@{TOP}"
    pairs: dict[str, tuple[Floats, Floats]] = {}
    for name in (primary, f"hr@{TOP}", "mrr"):
        ranks = (_ranks(judgement, lists) for lists in (before, after))
        pairs[name if "@" in name else f"{name}@{TOP}"] = tuple(  # type: ignore[assignment]
            item_metric(name, one, judgement.offsets) for one in ranks
        )
    if len(np.unique(category[2:])) > 1:
        pairs["diversity"] = tuple(metrics.intra_list_diversity(lists, category) for lists in (before, after))  # type: ignore[assignment]
        pairs["off_taste"] = judgement.column("off_taste"), judgement.column("ruled_off_taste")
    figures = {name: _paired(old, new, bootstrap) for name, (old, new) in pairs.items()}
    figures["coverage"] = _coverage(before, after, judgement, bootstrap)
    changed = (before != after).any(axis=1)
    code = judgement.table["segment"].to_numpy()
    loss = _change(*pairs[primary])
    return {
        "k": TOP,
        "figures": figures,
        "segments": [
            {
                "name": name,
                "queries": int((code == one).sum()),
                "users": len(np.unique(judgement.user[code == one])),
                "changed": float(changed[code == one].mean()),
                "difference": bootstrap.mean(np.where(code == one, loss, np.nan)).record(),
            }
            for one, name in enumerate(segments)
            if (code == one).any()
        ],
    }


def _ranks(judgement: Judgement, lists: NDArray[np.int32]) -> Floats:
    """(T,) place of each answer in its list, infinite where it is not there, NaN where it is not counted."""
    query = np.repeat(np.arange(len(judgement)), np.diff(judgement.offsets))
    hit = (lists[query] == judgement.targets[:, None]) & (judgement.targets[:, None] > 0)  # (T, TOP)
    rank = np.where(hit.any(axis=1), hit.argmax(axis=1) + 1.0, np.inf)
    return np.where(np.isnan(judgement.ranks), np.nan, rank)


def _paired(before: Floats, after: Floats, bootstrap: Bootstrap) -> Record:
    return {
        "before": bootstrap.mean(before).record(),
        "after": bootstrap.mean(after).record(),
        "difference": bootstrap.mean(_change(before, after)).record(),
    }


def _change(before: Floats, after: Floats) -> Floats:
    """(Q,) what changed, without what rounding leaves of equal lists."""
    return np.round(after - before, 12)


def _coverage(
    before: NDArray[np.int32], after: NDArray[np.int32], judgement: Judgement, bootstrap: Bootstrap
) -> Record:
    """Share of the catalogue that anybody is shown, with normal intervals by the jackknife."""
    users, group = np.unique(judgement.user, return_inverse=True)
    groups = min(_GROUPS, len(users))
    group = np.random.default_rng(bootstrap.seed).permutation(len(users))[group] % groups
    rest = [_without_each(lists, group, groups, judgement.n_items) for lists in (before, after)]
    whole = [metrics.coverage(lists, judgement.n_items) for lists in (before, after)]
    return {
        "before": _jackknife(whole[0], rest[0], bootstrap.confidence).record(),
        "after": _jackknife(whole[1], rest[1], bootstrap.confidence).record(),
        "difference": _jackknife(whole[1] - whole[0], rest[1] - rest[0], bootstrap.confidence).record(),
    }


def _without_each(lists: NDArray[np.int32], group: NDArray[np.integer], groups: int, n_items: int) -> Floats:
    """(G,) coverage without each group of users."""
    size = int(lists.max(initial=0)) + 1
    key = group[:, None].astype(np.int64) * size + lists
    shown = np.bincount(key[lists > 0], minlength=groups * size).reshape(groups, size)
    return np.asarray(((shown.sum(axis=0) - shown) > 0).sum(axis=1) / n_items)


def _jackknife(value: float, rest: Floats, confidence: float) -> Estimate:
    groups = len(rest)
    if groups < 2:
        return Estimate(value, float("nan"), float("nan"))
    error = float(np.sqrt((groups - 1) / groups * np.sum((rest - rest.mean()) ** 2)))
    reach = float(ndtri(0.5 + confidence / 2)) * error
    return Estimate(value, value - reach, value + reach)
