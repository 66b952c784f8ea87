"""Predict, then tell: a log goes through the live path in the order of time, and every event is predicted before it is
sent. Two systems answer the same questions: one whose state follows (live), and one that stays as it was when its model
was packed (frozen). What knowing the last second is worth is the difference.

Beside them stands the live one without new items (`known_items`): what these are worth. Ranks are among the whole
catalogue and the new items: 1 + greater + ½ ties; an item that a system could not know is a miss.
Never here: where the log comes from, or how a model was trained.

Reference: Dawid (1984), Statistical theory: the prequential approach; Gama, Sebastião, Rodrigues (2013), On evaluating
stream learning algorithms.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import DataError
from components.evaluation.metrics.ranked import item_metric
from components.evaluation.ranks import rank_dense
from components.evaluation.significance import Bootstrap, paired_difference
from components.features.encoding import UNKNOWN
from components.predictor import Scores
from components.serving.blended import visible
from components.serving.champion import Champion
from components.serving.fresh import Offered
from components.serving.live import Live
from components.serving.question import Question, plain

#: Metrics of the report, in their order.
METRICS = ("hr@1", "hr@5", "hr@10", "mrr", "ndcg@10")
_COLUMNS = ("item_id", "action", "source_seq", "utc_offset_min", "latitude", "longitude", "duration_s", "value",
            "device", "session_id", "text", "event_id")  # fmt: skip
Event = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """How one system answered one question: rank of the item, and whether the likeliest action was right (NaN: not
    said)."""

    rank: float
    action: float


@dataclass
class Tally:
    """What two systems answered, question by question; rank is infinite where an item could not be known.

    `known` says whether training had the item; None: it cannot be told.
    """

    user: list[str] = field(default_factory=list)
    known: list[bool | None] = field(default_factory=list)
    answers: dict[str, list[Found]] = field(default_factory=dict)

    def add(self, user: str, known: bool | None, found: Mapping[str, Found]) -> None:
        """One question."""
        self.user.append(user)
        self.known.append(known)
        for name, one in found.items():
            self.answers.setdefault(name, []).append(one)

    def report(self, draws: int, confidence: float, seed: int) -> dict[str, Any]:
        """Metrics of each system with intervals by user, and how far live is ahead of the others on the same questions.

        Raises
        ------
        DataError
            Nothing was asked.
        """
        if not self.user:
            raise DataError("events to predict", found="none with an item in the span", do="Choose another span.")
        bootstrap = Bootstrap(np.unique(np.array(self.user), return_inverse=True)[1], draws, confidence, seed)
        values = {name: _values(found) for name, found in self.answers.items()}
        record: dict[str, Any] = {
            "questions": len(self.user),
            "users": len(set(self.user)),
            "new_items": None if None in self.known else 1.0 - float(np.mean(self.known)),  # type: ignore[arg-type]
            "systems": {
                name: {metric: bootstrap.mean(column).record() for metric, column in columns.items()}
                for name, columns in values.items()
            },
        }
        record["gain"] = {
            name: {
                metric: paired_difference(values["live"][metric], column, bootstrap).record()
                for metric, column in columns.items()
            }
            for name, columns in values.items()
            if name != "live"
        }
        return record


def _values(found: Sequence[Found]) -> dict[str, NDArray[np.float64]]:
    """Metric → (Q,)."""
    ranks, offsets = np.array([one.rank for one in found]), np.arange(len(found) + 1)
    values = {name: item_metric(name, ranks, offsets) for name in METRICS}
    action = np.array([one.action for one in found])
    return values if np.isnan(action).all() else values | {"action": action}


def question_of(champion: Champion, event: Event) -> Question:
    """What is asked just before an event: who, and when; where it will be is not told."""
    user, offset_min = str(event["user_id"]), event.get("utc_offset_min")
    return plain(user, event["timestamp"], 1, seen=champion.seen_kept, utc_offset_min=offset_min)


def asked_live(live: Live, event: Event) -> dict[str, Found]:
    """How the live system answers, from its state before the event: with new items, and without (`known_items`)."""
    champion = live.champion
    question = question_of(champion, event)
    followed = live.of(champion)
    history = visible(followed.history(str(event["user_id"])), question)
    queries, _ = champion.queries(question, history.store)
    offered = followed.fresh.offered(history, question.time.timestamp())
    seen = set() if question.seen else {name for row in range(len(history)) if (name := history.item_id(row))}
    scores = champion.predictor.score(queries)
    plain = _found(champion, scores, event, None, seen)
    whole = _found(champion, scores, event, offered, seen) if offered.share > 0 else plain
    return {"live": whole, "known_items": plain}


def asked_frozen(champion: Champion, event: Event) -> Found:
    """How a model answers from what its artifact holds."""
    question = question_of(champion, event)
    queries, _ = champion.queries(question)
    names = champion.encoding.vocabularies["item"].ids
    items = np.asarray(queries.store["item"][queries.start[0] : queries.stop[0]])
    seen = {str(names[code]) for code in np.unique(items).tolist() if code > UNKNOWN} if not question.seen else set()
    return _found(champion, champion.predictor.score(queries), event, None, seen)


def _found(champion: Champion, scores: Scores, event: Event, offered: Offered | None, seen: set[str]) -> Found:
    code_of, item = champion.encoding.vocabularies["item"].code_of, event["item_id"]
    action = np.nan
    actions = champion.encoding.vocabularies["action"].code_of
    if scores.action is not None and len(actions) > 1:
        right = actions.get(str(event["action"]), UNKNOWN)
        action = float(int(np.argmax(scores.action[0])) == right)
    block, names = scores.item, tuple[str, ...]()
    if offered is not None and offered.share > 0:
        names = offered.names
        with np.errstate(divide="ignore"):
            new = np.log(offered.share * offered.probability)
        block = np.concatenate([block + np.log1p(-offered.share), new[None]], axis=1).astype(np.float32)
    place = {name: scores.item.shape[1] + at for at, name in enumerate(names)}
    target = code_of.get(item, place.get(item, UNKNOWN))
    if target == UNKNOWN:
        return Found(np.inf, action)
    left_out = [code for name in seen if (code := code_of.get(name, place.get(name))) is not None]
    pairs = np.zeros(len(left_out), np.int64), np.array(left_out, np.int64)
    return Found(float(rank_dense(block, np.array([target]), pairs if left_out else None)[0]), action)


def events_of(frame: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Events of a frame under the contract's names, in the order of time, as a client would send them."""
    order = [name for name in ("timestamp", "source_seq", "event_key") if name in frame.columns]
    columns = ["user_id", "timestamp", *(name for name in _COLUMNS if name in frame.columns)]
    for row in frame.sort(order, maintain_order=True).select(columns).iter_rows(named=True):
        yield {name: value for name, value in row.items() if value is not None}


def replay(
    events: Iterator[Event],
    live: Live,
    frozen: Champion | None,
    *,
    wait: Callable[[dt.datetime], None] = lambda _: None,
    told: Callable[[int], None] = lambda _: None,
) -> Tally:
    """Ask about each event, then send it.

    Parameters
    ----------
    events : in the order of time
    live : takes them
    frozen : the same model, loaded apart from that of `live`; None: it is not asked
    wait : called with the time of each event before it is asked about: paces the replay
    told : called with how many events were sent

    Raises
    ------
    DataError
        An event is refused: the log keeps other rules than the workspace.
    """
    tally = Tally()
    for sent, event in enumerate(events):
        wait(event["timestamp"])
        if event.get("item_id") is not None:
            found = asked_live(live, event)
            if frozen is not None:
                found["frozen"] = asked_frozen(frozen, event)
            known = event["item_id"] in live.champion.encoding.vocabularies["item"].code_of
            tally.add(str(event["user_id"]), known, found)
        taken = live.take("event", [event])
        if taken.refused:
            raise DataError(
                "events that keep the rules of the workspace",
                found=f"event {sent + 1} breaks {taken.refused[0].rule}",
                do="Check `events` in params.yaml, or the source.",
            )
        told(sent + 1)
    return tally
