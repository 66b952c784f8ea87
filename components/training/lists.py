"""How good the lists are that a decoder writes of the tune window: for the record beside its weights, never to choose.

What followed counts as far as that window goes. Never asks another window, nor reads its answers, and says
nothing of models that write no lists.
"""

from __future__ import annotations

import math
from dataclasses import replace

from components.evaluation.forecast import following, judge_lists
from components.evaluation.protocol import make_queries
from components.models.encoders.seq2seq import Seq2SeqEncoder
from components.predictor import Window
from components.training.forecast import forecast
from components.training.network import NetworkPredictor

_MOST = 5_000  # queries, the latest


def judged_lists(predictor: NetworkPredictor, tune: Window) -> dict[str, float | None] | None:
    """`judge_lists` of greedy lists as long as the model learned to write; None: it writes none.

    Parameters
    ----------
    predictor : fitted
    tune : whose queries are asked, the latest of them
    """
    encoder = predictor.model.encoder
    if not isinstance(encoder, Seq2SeqEncoder):
        return None
    queries, _ = make_queries(tune, predictor.protocol)
    # the same questions in the window's own store, which holds what followed whatever may be seen
    whole, _ = make_queries(tune, replace(predictor.protocol, history="online"))
    latest = slice(max(len(queries) - _MOST, 0), len(queries))
    queries, whole = queries[latest], whole[latest]
    predictor.model.eval()
    found = forecast(predictor.model, queries, predictor.precision, encoder.horizon, None, beams=1, distinct=False)
    told = judge_lists(found.items, following(whole, encoder.horizon, None, tune.name))
    return {name: value if math.isfinite(value) else None for name, value in told.items()}
