"""New items in an answer and in its reasons: they stand among the champion's by their probability.

With no new item on offer the champion's answer is handed on untouched. Filters hold for new items too: of what is not
known of them (category, price) nothing can be promised, so they are left out where it is asked for.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from components.explanation.sentences import per_cent
from components.features.place import haversine_km
from components.params import PolicyParams, RuleParams
from components.serving.explain import Explained, Part, PastEvent, PastItem
from components.serving.fresh import Offered, new_item
from components.serving.histories import History
from components.serving.question import Answer, Question, RankedItem

_HOUR_S = 3_600


def visible(history: History, question: Question) -> History:
    """The events that had happened when the question is asked; all of a log that has only an order."""
    if history.store.encoding.settings["time_kind"] == "ordinal":
        return history
    stop = int(np.searchsorted(history.time_us, int(question.time.timestamp() * 1e6), side="right"))
    return history if stop == len(history) else history.until(stop)


def blended(
    found: Answer, offered: Offered, history: History, question: Question, policy: PolicyParams | None
) -> Answer:
    """The champion's answer with the new items that are likely enough.

    Parameters
    ----------
    found : the champion's, with as many items as were asked for
    offered : new items
    history : visible events of the user
    question, policy : as the champion was asked

    Returns
    -------
    Answer
        The champion's items keep their order; a new item stands before the first that is less likely.
    """
    if offered.share <= 0:
        return found
    rule = None if policy is None or found.segment is None else policy.rules[found.segment]  # type: ignore[index]
    allowed = _allowed(offered, history, question, rule)
    probability = offered.share * offered.probability
    order = [at for at in np.argsort(-probability, kind="stable")[: 4 * question.k].tolist() if allowed[at]]
    if len(order) < question.k:
        order = [at for at in np.argsort(-probability, kind="stable").tolist() if allowed[at]]
    ours = [replace(one, probability=one.probability * (1.0 - offered.share)) for one in found.items]
    theirs = [RankedItem(offered.names[at], float(probability[at]), "", None) for at in order[: question.k]]
    return replace(found, items=_merged(ours, theirs)[: question.k])


def _merged(ours: list[RankedItem], theirs: list[RankedItem]) -> list[RankedItem]:
    out: list[RankedItem] = []
    rest = iter([*theirs, None])
    ahead = next(rest)
    for one in ours:
        while ahead is not None and ahead.probability > one.probability:
            out.append(ahead)
            ahead = next(rest)
        out.append(one)
    if ahead is not None:
        out += [ahead, *(one for one in rest if one is not None)]
    return out


def _allowed(offered: Offered, history: History, question: Question, rule: RuleParams | None) -> NDArray[np.bool_]:
    """(F,) whether a new item passes the question's filters and the rule's."""
    allowed = np.ones(len(offered.names), bool)
    limits = (question.max_price, None if rule is None else rule.max_price)
    if question.categories is not None or any(one is not None for one in limits):
        return np.zeros(len(offered.names), bool)
    radius_km, here = question.radius_km, (question.latitude, question.longitude)
    if radius_km is None and rule is not None:
        radius_km = rule.radius_km
    if radius_km is not None and here[0] is not None and here[1] is not None:
        to = [np.full(len(allowed), one) for one in here]
        allowed &= haversine_km(to[0], to[1], offered.place[:, 0], offered.place[:, 1]) <= radius_km  # NaN: no place
    if not question.seen or (rule is not None and rule.drop_seen):
        allowed &= offered.own <= 0
    elif rule is not None and rule.skip_recent_h > 0:
        since_us = int((question.time.timestamp() - rule.skip_recent_h * _HOUR_S) * 1e6)
        late = {new_item(history, row) for row in np.flatnonzero(history.time_us > since_us).tolist()}
        allowed &= np.array([name not in late for name in offered.names])
    return allowed


def explained(name: str, offered: Offered, everybody: Offered, history: History) -> Explained:
    """Why a new item has its probability.

    Parameters
    ----------
    name : one of `offered.names`
    offered, everybody : for this user, and for one of whom nothing is known
    history : visible events of the user
    """
    at, there = offered.names.index(name), everybody.names.index(name)
    probability = offered.share * float(offered.probability[at])
    without = everybody.share * float(everybody.probability[there])
    rows = [row for row in range(len(history)) if new_item(history, row) == name]
    worth = float(np.log(max(probability, 1e-12) / max(without, 1e-12)))
    told = [f"It is new since the model was trained: {_times(int(offered.count[at]), 'event')} so far by everybody."]
    if rows:
        told.append(f"You chose it {_times(len(rows), 'time')} yourself.")
    told.append(f"New items are {per_cent(offered.share)} of what is expected of you next.")
    items = [PastItem(name, "", len(rows), _moment(history, rows[-1]), worth, worth, without)] if rows else []
    return Explained(
        item_id=name,
        title="",
        probability=probability,
        without_history=without,
        sentences=told,
        events=[_event(history, row, name, worth / len(rows)) for row in reversed(rows)],
        items=items,
        parts=[Part("new items", None, 1.0, 1.0)],
    )


def _event(history: History, row: int, name: str, worth: float) -> PastEvent:
    action = history.plain(row).get("action")
    return PastEvent(name, "", action, _moment(history, row), worth, worth, {})


def _moment(history: History, row: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(int(history.time_us[row]) / 1e6, dt.UTC)


def _times(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' if n != 1 else ''}"
