"""What the judge writes down of the lists that the policy would show, beside those of the ranking itself.

Handed to `evaluation.judge.judge`, which knows nothing of rules: it keeps these columns with its own. Figures are made
of them by `evaluation.costs`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evaluation.judge import Columns, Pairs
from components.evaluation.judgement import TOP
from components.features.encoding import UNKNOWN
from components.params import PolicyParams
from components.predictor import Queries, Scores
from components.ranking.rules.calibrated import divergence, taste_of
from components.ranking.rules.policy import is_plain, shape
from components.ranking.rules.pool import pool_of


@dataclass(frozen=True)
class Ruled:
    """The policy's lists of a block of questions, as columns.

    Attributes
    ----------
    policy : `policy` of the params
    """

    policy: PolicyParams

    @classmethod
    def of(cls, policy: PolicyParams) -> Ruled | None:
        """None where no rule changes anything."""
        return None if all(is_plain(rule) for rule in policy.rules.values()) else cls(policy)

    def __call__(self, queries: Queries, scores: Scores, seen: Pairs | None) -> Columns:
        """Lists and how far each is from the user's taste.

        Parameters
        ----------
        queries, scores : a block of B
        seen : (query, item) pairs that are not ranked; None where all are

        Returns
        -------
        dict
            `plain` and `ruled` (B, TOP) item codes of the ranking and of the policy, `segment` (B,), `off_taste` and
            `ruled_off_taste` (B,): divergence of the two from the categories of the whole visible history, nats; NaN =
            not known
        """
        category = np.asarray(queries.store.encoding.catalogue.category)
        allowed: NDArray[np.bool_] = np.ones(scores.item.shape, bool)
        allowed[:, : UNKNOWN + 1] = False
        if seen is not None:
            allowed[seen] = False
        shaped = shape(self.policy, queries, scores.item, allowed, TOP, queries.time_s)
        plain = pool_of(scores.item, allowed, category, TOP).code
        taste = taste_of(queries, None)
        return {
            "plain": plain.astype(np.int32),
            "ruled": shaped.lists.astype(np.int32),
            "segment": shaped.segment,
            "off_taste": divergence(plain, taste, category).astype(np.float32),
            "ruled_off_taste": divergence(shaped.lists, taste, category).astype(np.float32),
        }
