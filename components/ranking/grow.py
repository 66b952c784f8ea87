"""Grows the ranker's trees with LightGBM: LambdaRank over the candidates of each query, stopped on later queries.

They begin where the mixture ends (`forest.begun`): what it knows already needs no tree.

The same rows give the same text, on any number of threads. Never here: what the columns mean, and walking the trees.

Reference: Burges, "From RankNet to LambdaRank to LambdaMART" (MSR-TR-2010-82); research/spatiotemporal.md §2.6.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.errors import TrainingError
from components.params import TreeParams
from components.ranking.forest import begun
from components.ranking.lessons import Lessons


def grow(learn: Lessons, stop: Lessons, names: Sequence[str], params: TreeParams, seed: int) -> tuple[str, list[float]]:
    """Trees as LightGBM's text, and how well each number of them ranked the later queries (NDCG).

    Parameters
    ----------
    learn : rows to learn from
    stop : rows of later queries: as many trees are kept as rank these best
    names : of the F columns
    params, seed : of the growth

    Raises
    ------
    TrainingError
        No query has an answer among its candidates.
    """
    learn, stop = learn.answered(), stop.answered()
    if not len(learn.sizes) or not len(stop.sizes):
        raise TrainingError(
            "queries of the blend window whose answers are candidates",
            found=f"{len(learn.sizes)} to learn from and {len(stop.sizes)} to stop on",
            do="Lengthen windows.blend, or leave the ranker out.",
        )
    import lightgbm  # half a second, and only where trees are grown

    settings = {
        "objective": "lambdarank",
        "lambdarank_truncation_level": params.truncation,
        "metric": "ndcg",
        "eval_at": [params.truncation],
        "num_leaves": params.leaves,
        "learning_rate": params.learning_rate,
        "min_data_in_leaf": params.min_leaf,
        "lambda_l2": params.l2,
        "feature_fraction": params.columns,
        "max_bin": params.bins,
        "use_missing": False,
        "feature_pre_filter": False,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
        "verbose": -1,
    }
    first, after = ({"group": one.sizes, "init_score": begun(one.own), "params": settings} for one in (learn, stop))
    data = lightgbm.Dataset(learn.table, learn.right, feature_name=list(names), **first)
    later = lightgbm.Dataset(stop.table, stop.right, reference=data, **after)
    curve: dict[str, dict[str, list[float]]] = {}
    trees = lightgbm.train(
        settings,
        data,
        num_boost_round=params.rounds,
        valid_sets=[later],
        valid_names=["stop"],
        callbacks=[lightgbm.record_evaluation(curve)],
    )
    ndcg = curve["stop"][f"ndcg@{params.truncation}"]
    return str(trees.model_to_string(num_iteration=int(np.argmax(ndcg)) + 1)), ndcg
