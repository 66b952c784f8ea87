"""A few queries that any sound predictor answers with probabilities: the last look before it may serve.

Never here: how good the answers are.
"""

from __future__ import annotations

import numpy as np

from components.errors import IntegrityError
from components.features.encoding import UNKNOWN
from components.features.store import Store
from components.predictor import Predictor, Queries, Scores

_HOUR_S = 3600
_SLACK = 1e-2  # float32 sums over a large catalogue


def smoke_queries(store: Store, users: int = 15) -> Queries:
    """One query of each of the first users an hour after their last event, and one of a user without history."""
    n = min(users, store.n_users)
    user = np.arange(n, dtype=np.int32)
    start, stop = store.offsets[:n], store.offsets[1 : n + 1]
    last = np.asarray(store["time_s"])[stop - 1] + _HOUR_S
    nowhere = np.full(n + 1, np.nan, np.float32)
    return Queries(
        store=store,
        user=np.append(user, 0).astype(np.int32),
        start=np.append(start, 0).astype(np.int64),
        stop=np.append(stop, 0).astype(np.int64),
        time_s=np.append(last, last.max(initial=0)).astype(np.int64),
        utc_offset_min=np.append(np.asarray(store["utc_offset_min"])[stop - 1], 0).astype(np.int16),
        latitude=nowhere,
        longitude=nowhere.copy(),
        time_given=True,
    )


def smoke(predictor: Predictor, store: Store, where: str) -> None:
    """Ask, and check that every part of every answer is a distribution.

    Raises
    ------
    IntegrityError
        An answer is missing, of the wrong shape, not finite or not normalised.
    """
    queries = smoke_queries(store)
    problem = _problem(predictor.score(queries), len(queries), store.encoding.n_items)
    if problem is not None:
        raise IntegrityError(
            "answers that are probabilities", found=f"{problem} from {where}", do="Do not promote it; train again."
        )


def _problem(scores: Scores, n: int, n_items: int) -> str | None:
    if scores.item.shape != (n, n_items):
        return f"items of shape {scores.item.shape} for {n} queries and {n_items} items"
    if np.isnan(scores.item).any() or np.isposinf(scores.item).any():
        return "a score that is not a number"
    if (scores.item[:, : UNKNOWN + 1] > np.log(_SLACK)).any():
        return "a probability of padding or of the unknown item"
    if not np.allclose(np.exp(scores.item.astype(np.float64)).sum(axis=1), 1.0, atol=_SLACK):
        return "item probabilities that do not sum to 1"
    for name, part in (("action", scores.action), ("place", scores.place)):
        if part is not None and not (len(part) == n and np.allclose(part.sum(axis=1), 1.0, atol=_SLACK)):
            return f"{name} probabilities that do not sum to 1"
    if scores.time is not None:
        weight, sigma = scores.time.weight, scores.time.sigma
        if not (np.allclose(weight.sum(axis=1), 1.0, atol=_SLACK) and (sigma > 0).all()):
            return "a distribution of time that is none"
        if not np.isfinite(scores.time.mean).all():
            return "a mean time that is not a number"
    return None
