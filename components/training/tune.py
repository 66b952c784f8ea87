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
    item : (T,) int64 code of each answer, ≥ 2 where it can be ranked
    offsets : (Q+1,) int64; query q is answered by item[offsets[q]:offsets[q+1]], of a basket several
    action : (Q,) code of each answer's action
    seen : (pairs,) query and (pairs,) item code that are not ranked
    unseen_is_miss : whether an answer that training never saw counts, as a miss
    primary : name of the metric
    """

    queries: Queries
    item: NDArray[np.int64]
    offsets: NDArray[np.int64]
    action: NDArray[np.integer]
    seen: tuple[NDArray[np.int64], NDArray[np.int64]]
    unseen_is_miss: bool
    primary: str

    def __len__(self) -> int:
        return len(self.queries)

    @classmethod
    def of(cls, window: Window, protocol: Protocol, primary: str, max_queries: int, seed: int) -> Judge:
        """Queries of a window under a protocol."""
        rows = sample_users(window.store, window.targets, max_queries, seed)
        queries, targets = make_queries(window, protocol, rows)
        order = np.argsort(queries.stop - queries.start, kind="stable")
        queries = queries[order]
        nothing = np.empty(0, np.int64)
        pairs = seen_pairs(queries) if protocol.seen == "filtered" else (nothing, nothing)
        size = np.diff(targets.offsets)[order]
        offsets = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        item = targets.item[np.arange(offsets[-1]) + np.repeat(targets.offsets[:-1][order] - offsets[:-1], size)]
        item = item.astype(np.int64)
        if protocol.unseen == "dropped":
            item = np.where(item < window.store.encoding.n_trained, item, UNKNOWN)
        return cls(queries, item, offsets, targets.action[order], pairs, protocol.unseen == "miss", primary)

    def score(self, model: SequenceModel, precision: Precision) -> float:
        """Mean of the primary metric; NaN when there is nothing to ask."""
        values = item_metric(self.primary, self.ranks(model, precision), self.offsets)
        return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")

    def ranks(self, model: SequenceModel, precision: Precision) -> NDArray[np.float64]:
        """(T,) rank of each answer among all items; infinite = missed, NaN = not counted."""
        ranks = np.where((self.item == 1) & self.unseen_is_miss, np.inf, np.nan)
        query = np.repeat(np.arange(len(self)), np.diff(self.offsets))
        model.eval()
        for part in blocks(self.queries, model):
            low, high = self.offsets[part.start], self.offsets[part.stop]
            known = low + np.flatnonzero(self.item[low:high] >= RESERVED)
            if len(known):
                scores = answers(model, self.queries[part], precision).item  # (B, V-2)
                ranks[known] = self._ranks(scores, part, query[known] - part.start, self.item[known] - RESERVED)
        return ranks

    def _ranks(
        self, scores: torch.Tensor, part: slice, query: NDArray[np.int64], item: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """(n,) 1 + greater + half of the ties; infinite where the answer itself is not ranked."""
        row, column = (torch.from_numpy(one).to(scores.device) for one in (query, item))
        own = scores[row, column]  # (n,)
        low, high = np.searchsorted(self.seen[0], [part.start, part.stop])
        seen = torch.from_numpy(self.seen[0][low:high] - part.start).to(scores.device)
        code = torch.from_numpy(self.seen[1][low:high] - RESERVED).to(scores.device)
        scores[seen, code] = -torch.inf
        lost = torch.isinf(scores[row, column])
        found = []
        for some in torch.split(torch.arange(len(row), device=row.device), len(scores)):  # no more at once than scores
            block, mine = scores[row[some]], own[some, None]
            above = (~(block <= mine)).sum(1)  # NaN counts as greater
            found.append(1.0 + above + 0.5 * ((block == mine).sum(1) - 1))
        ranks: NDArray[np.float64] = torch.where(lost, torch.inf, torch.cat(found)).double().cpu().numpy()
        return ranks


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
