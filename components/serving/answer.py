"""From a question to an answer: the history is packed by the functions that made the training store, the champion
scores it, and filters and the policy's rules pick from its ranking. Nothing here loads, swaps or logs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.features.encoding import UNKNOWN, Encoding
from components.features.place import haversine_km
from components.features.store import Store
from components.params import PolicyParams
from components.predictor import Queries, Scores
from components.ranking.best import best
from components.ranking.rules.policy import applied, shape
from components.ranking.rules.segment import SEGMENTS
from components.serving.champion import Champion
from components.serving.next_time import next_time
from components.serving.question import Answer, Question, RankedItem

_PLACES = 5
_ALL = np.zeros(0, np.bool_)


def answer(
    champion: Champion, question: Question, policy: PolicyParams | None = None, known: Store | None = None
) -> Answer:
    """Predict what the user does next.

    Parameters
    ----------
    champion : that answers
    question : what is asked
    policy : rules that shape the list; None: it is the ranking itself
    known : the user's history as it is now, where it is followed live; None: what the artifact holds

    Raises
    ------
    DataError
        An inline event breaks the contract; the message names it.
    """
    queries, reason = champion.queries(question, known)
    scores = champion.carried.score(queries, question.user_id if question.history is None else None)
    encoding = champion.encoding
    history = queries.store["item"][queries.start[0] : queries.stop[0]]
    allowed = _allowed(encoding, question, np.asarray(history))
    codes, segment, rules = _listed(queries, scores.item, allowed, question, policy)
    return Answer(
        items=_named(encoding, scores.item[0], codes),
        actions=_actions(encoding, scores),
        next_event=None if scores.time is None else next_time(scores.time, _silence_s(queries, question)),
        places=_places(encoding, scores),
        history_events=int(queries.stop[0] - queries.start[0]),
        reason=reason,
        segment=segment,
        rules=rules,
    )


def _allowed(encoding: Encoding, question: Question, history: NDArray[np.int32]) -> NDArray[np.bool_]:
    """(V,) whether an item passes the filters."""
    items = encoding.catalogue
    allowed = np.ones(encoding.n_items, bool)
    allowed[: UNKNOWN + 1] = False
    if not question.seen:
        allowed[history] = False
    if question.categories is not None:
        code_of = encoding.vocabularies["category"].code_of
        allowed &= np.isin(items.category, [code_of[name] for name in question.categories if name in code_of])
    if question.max_price is not None:
        allowed &= items.up_to(question.max_price)
    if question.radius_km is not None and question.latitude is not None and question.longitude is not None:
        latitude, longitude = (np.full(encoding.n_items, degree) for degree in (question.latitude, question.longitude))
        away = haversine_km(latitude, longitude, items.latitude.astype(float), items.longitude.astype(float))
        allowed &= away <= question.radius_km
    return allowed


def _listed(
    queries: Queries,
    log_p: NDArray[np.float32],
    allowed: NDArray[np.bool_],
    question: Question,
    policy: PolicyParams | None,
) -> tuple[NDArray[np.int64], str | None, list[str]]:
    """Codes that are shown, best first; the user's segment and the rules that were applied, where there is a policy."""
    if policy is None:
        return best(log_p[0], allowed, question.k), None, []
    now_s = np.array([int(question.time.timestamp())], np.int64)
    shaped = shape(policy, queries, log_p, allowed, question.k, now_s)
    segment = SEGMENTS[int(shaped.segment[0])]
    codes = shaped.lists[0]
    return codes[codes > 0], segment, applied(policy.rules[segment])


def _named(encoding: Encoding, log_probability: NDArray[np.float32], codes: NDArray[np.int64]) -> list[RankedItem]:
    names, categories = encoding.vocabularies["item"].ids, encoding.vocabularies["category"].ids
    title, category = (column[codes].tolist() for column in (encoding.catalogue.title, encoding.catalogue.category))
    chance = np.exp(log_probability[codes]).tolist()
    return [
        RankedItem(str(name), p, str(words or ""), str(categories[kind]) if kind > UNKNOWN else None)
        for name, p, words, kind in zip(names[codes].tolist(), chance, title, category, strict=True)
    ]


def _actions(encoding: Encoding, scores: Scores) -> dict[str, float] | None:
    if scores.action is None:
        return None
    names = encoding.vocabularies["action"].ids
    return {str(names[code]): float(scores.action[0, code]) for code in range(UNKNOWN + 1, len(names))}


def _silence_s(queries: Queries, question: Question) -> float:
    """Seconds from the last visible event to the request; 0 where nothing is visible."""
    if queries.stop[0] <= queries.start[0]:
        return 0.0
    return max(question.time.timestamp() - float(queries.store["time_s"][queries.stop[0] - 1]), 0.0)


def _places(encoding: Encoding, scores: Scores) -> list[tuple[str, float]] | None:
    if scores.place is None:
        return None
    names = encoding.vocabularies[encoding.cells[-1]].ids
    row = scores.place[0].copy()
    row[: UNKNOWN + 1] = 0.0
    return [(str(names[code]), float(row[code])) for code in best(row, _ALL, _PLACES) if row[code] > 0]
