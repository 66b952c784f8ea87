"""How good a model is while it trains: full ranking of the tune window's targets, under the judge's own protocol.

The same queries, ranks and metric as `components.evaluation`, computed where the model is. Never samples negatives
and never looks at a later window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from components.evaluation.judge import seen_pairs
from components.evaluation.metrics import item_metric
from components.evaluation.protocol import Protocol, make_queries, sample_users
from components.features.encoding import UNKNOWN
from components.models.heads import RESERVED
from components.models.sequence import Answers, SequenceModel
from components.predictor import Queries, Window
from components.training.device import Precision
from components.training.gather import on_device, query_request, query_slices, tokens_of

_SCORES = {"cpu": 1 << 23, "cuda": 1 << 26}  # item scores held at once
_TOKENS = {"cpu": 1 << 14, "cuda": 1 << 17}


@dataclass(frozen=True)
class Judge:
    """What is asked of a model between epochs.

    Attributes
    ----------
    queries : Q of them, by length of history
    item : (Q,) int64 code of each answer, ≥ 2 where it can be ranked
    action : (Q,) code of each answer's action
    seen : (pairs,) query and (pairs,) item code that are not ranked
    unseen_is_miss : whether an answer that training never saw counts, as a miss
    primary : name of the metric
    """

    queries: Queries
    item: NDArray[np.int64]
    action: NDArray[np.integer]
    seen: tuple[NDArray[np.int64], NDArray[np.int64]]
    unseen_is_miss: bool
    primary: str

    def __len__(self) -> int:
        return len(self.queries)

    @classmethod
    def of(cls, window: Window, protocol: Protocol, primary: str, max_queries: int, seed: int) -> Judge:
        """Queries of a window under a protocol; of a basket of answers the first is asked."""
        rows = sample_users(window.store, window.targets, max_queries, seed)
        queries, targets = make_queries(window, protocol, rows)
        order = np.argsort(queries.stop - queries.start, kind="stable")
        queries = queries[order]
        nothing = np.empty(0, np.int64)
        pairs = seen_pairs(queries) if protocol.seen == "filtered" else (nothing, nothing)
        item = targets.item[targets.offsets[:-1]][order].astype(np.int64)
        if protocol.unseen == "dropped":
            item = np.where(item < window.store.encoding.n_trained, item, UNKNOWN)
        return cls(queries, item, targets.action[order], pairs, protocol.unseen == "miss", primary)

    def score(self, model: SequenceModel, precision: Precision) -> float:
        """Mean of the primary metric; NaN when there is nothing to ask."""
        return mean_metric(self.primary, self.ranks(model, precision))

    def ranks(self, model: SequenceModel, precision: Precision) -> NDArray[np.float64]:
        """(Q,) rank of each answer among all items; infinite = missed, NaN = not counted."""
        ranks = np.where((self.item == 1) & self.unseen_is_miss, np.inf, np.nan)
        model.eval()
        for part in blocks(self.queries, model):
            known = np.flatnonzero(self.item[part] >= RESERVED)
            if len(known):
                scores = answers(model, self.queries[part], precision).item  # (B, V-2)
                ranks[part][known] = self._ranks(scores, part)[known]
        return ranks

    def _ranks(self, scores: torch.Tensor, part: slice) -> NDArray[np.float64]:
        """(B,) 1 + greater + half of the ties; infinite where the answer itself is not ranked."""
        at = torch.from_numpy(np.maximum(self.item[part] - RESERVED, 0)).to(scores.device)[:, None]
        own = scores.gather(1, at)  # (B, 1)
        low, high = np.searchsorted(self.seen[0], [part.start, part.stop])
        row = torch.from_numpy(self.seen[0][low:high] - part.start).to(scores.device)
        code = torch.from_numpy(self.seen[1][low:high] - RESERVED).to(scores.device)
        scores[row, code] = -torch.inf
        lost = torch.isinf(scores.gather(1, at)[:, 0])
        above = (~(scores <= own)).sum(1)  # NaN counts as greater
        ties = (scores == own).sum(1) - 1
        ranks: NDArray[np.float64] = torch.where(lost, torch.inf, 1.0 + above + 0.5 * ties).double().cpu().numpy()
        return ranks


def mean_metric(name: str, ranks: NDArray[np.float64]) -> float:
    """Mean over queries of a metric of one answer each; NaN when there is nothing to count."""
    values = item_metric(name, ranks, np.arange(len(ranks) + 1))
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def blocks(queries: Queries, model: SequenceModel) -> list[slice]:
    """Slices of queries (sorted by length) of which scores and tokens fit in memory."""
    config, device = model.config, next(model.parameters()).device.type
    length = query_slices(queries, config.max_history).length
    wide = max(1, _SCORES[device] // max(config.items, 1))
    found, start = [], 0
    while start < len(queries):
        ahead = np.maximum.accumulate(length[start : start + wide])
        cost = np.arange(1, len(ahead) + 1) * ahead
        size = max(1, int(np.searchsorted(cost, _TOKENS[device], side="right")))
        found.append(slice(start, start + size))
        start += size
    return found


@torch.no_grad()
def answers(model: SequenceModel, queries: Queries, precision: Precision) -> Answers:
    """Answers to one block of queries, on the model's device and in float32; call it with the model in eval mode."""
    slices = query_slices(queries, model.config.max_history)
    tokens = on_device(tokens_of(queries.store, slices, model.config), precision.device)
    request = query_request(queries, model.config)
    last = torch.from_numpy(slices.length - 1).to(precision.device)
    return model.answer(model.read(tokens), last, None if request is None else on_device(request, precision.device))
