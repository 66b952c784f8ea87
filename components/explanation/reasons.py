"""The reasons of a prediction as numbers: events, items, counters and gradients, for each item that is explained.

One question at a time, on the slow path. What is said to people is made of this record alone (`sentences`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.explanation.counters import Said, parts_of, what_was_said
from components.explanation.occlusion import occlude
from components.predictor import Predictor, Queries


@dataclass(frozen=True)
class EventReason:
    """What one event of the history did to the item.

    Attributes
    ----------
    row : of the event in the question's store
    effect : nats of log-probability that the item loses without it; below 0: it speaks against the item
    alone : nats that it gains by this event alone, over no history at all
    gradient : network → nats that the event's vector carries (integrated gradients); empty where none was asked
    """

    row: int
    effect: float
    alone: float
    gradient: Mapping[str, float]

    @property
    def worth(self) -> float:
        """The mean of both: what events are ordered by."""
        return 0.5 * (self.effect + self.alone)


@dataclass(frozen=True)
class ItemReason:
    """What all events of one item of the history did together.

    Attributes
    ----------
    item : code
    rows : of its events in the question's store, oldest first
    effect, alone : nats, as above
    """

    item: int
    rows: tuple[int, ...]
    effect: float
    alone: float

    @property
    def worth(self) -> float:
        """The mean of both."""
        return 0.5 * (self.effect + self.alone)


@dataclass(frozen=True)
class Reasons:
    """Why one item has the probability that it has.

    Attributes
    ----------
    item : code
    log_probability, without_history : of the item as it is, and had the user no history
    events : by what they are worth, for or against; most first
    items : likewise
    said : what each part of the predictor gave, largest first
    events_seen : visible events; only the newest of them were left out one by one
    """

    item: int
    log_probability: float
    without_history: float
    events: Sequence[EventReason]
    items: Sequence[ItemReason]
    said: Sequence[Said]
    events_seen: int


def reasons(
    predictor: Predictor,
    query: Queries,
    items: NDArray[np.integer],
    max_events: int,
    gradient_steps: int | None = None,
) -> list[Reasons]:
    """Explain M items of one answer.

    Parameters
    ----------
    predictor : that answered
    query : the question (B = 1)
    items : (M,) item codes
    max_events : newest events that are left out one by one
    gradient_steps : points of the path of integrated gradients; None: no gradients

    Returns
    -------
    list of Reasons
        One for each item.
    """
    codes: NDArray[np.int64] = np.asarray(items, np.int64)
    start, stop = int(query.start[0]), int(query.stop[0])
    found = occlude(predictor, query, codes, max_events)
    said = what_was_said(predictor, query, codes)
    gradients = dict(_gradients(predictor, query, codes, gradient_steps)) if gradient_steps and stop > start else {}
    item = np.asarray(query.store["item"][start:stop])
    rows = {int(code): tuple((np.flatnonzero(item == code) + start).tolist()) for code in found.group}
    answers = []
    for m, code in enumerate(codes.tolist()):
        events = [
            EventReason(
                start + place,
                float(found.effect[n, m]),
                float(found.alone[n, m]),
                {name: float(at[place, m]) for name, at in gradients.items() if not np.isnan(at[place, m])},
            )
            for n, place in enumerate(found.event.tolist())
        ]
        groups = [
            ItemReason(one, rows[one], float(found.group_effect[g, m]), float(found.group_alone[g, m]))
            for g, one in enumerate(found.group.tolist())
        ]
        answers.append(
            Reasons(
                item=code,
                log_probability=float(found.whole[m]),
                without_history=float(found.nothing[m]),
                events=sorted(events, key=lambda one: (-abs(one.worth), -one.row)),
                items=sorted(groups, key=lambda one: (-abs(one.worth), -one.rows[-1])),
                said=said[m],
                events_seen=stop - start,
            )
        )
    return answers


def _gradients(
    predictor: Predictor, query: Queries, items: NDArray[np.int64], steps: int
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Network → (n, M) nats by place in the history; NaN for events that it does not read."""
    from components.explanation.gradients import integrated_gradients  # torch takes seconds
    from components.training.network import NetworkPredictor

    everyone = {predictor.name: predictor, **parts_of(predictor)}
    for name, part in everyone.items():
        if isinstance(part, NetworkPredictor):
            found = integrated_gradients(part, query, items, steps)
            whole = np.full((int(query.stop[0] - query.start[0]), len(items)), np.nan)
            whole[found.event] = found.effect
            yield name, whole
