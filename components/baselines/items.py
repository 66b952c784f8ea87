"""What every baseline of items is: one way from non-negative weights to a distribution over the catalogue.

Weights of any scale become probabilities by smoothing with popularity; then the share of events that go back to an
item of the own history, counted on training, is given to those items, so that a method for logs of repeats and one
for logs of novelties need not be two. Never here: a similarity.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from components.baselines.base import Baseline
from components.features.encoding import UNKNOWN
from components.memory.ask import Ask
from components.memory.counter import checked
from components.memory.predictor import in_blocks, log_of
from components.params import Section
from components.predictor import Queries, Scores, Tracker, Window


class ItemOptions(Section):
    """Options of every baseline of items.

    Attributes
    ----------
    max_history : newest events of a history that are looked at
    prior : popularity smooths the answer as if by so many events
    repeats : learned: items of the own history get together the share that they have in training; free: what the
        similarity gives them
    """

    max_history: int = Field(ge=1)
    prior: float = Field(gt=0)
    repeats: Literal["learned", "free"]


O = TypeVar("O", bound=ItemOptions)  # noqa: E741


class ItemBaseline(Baseline[O]):
    """A baseline that ranks items by weights."""

    repeat = 0.5

    def fit(self, train: Window, tune: Window, tracker: Tracker) -> None:
        """Learn the events of `train`."""
        self.repeat = repeat_share(train)
        super().fit(train, tune, tracker)

    @abstractmethod
    def weigh(self, ask: Ask) -> NDArray[np.float32]:
        """(B, V) non-negative weights of any scale; a row of zeros says nothing."""

    def score(self, queries: Queries) -> Scores:
        """Items only."""
        return in_blocks(self._score, queries)

    def _score(self, queries: Queries) -> Scores:
        ask = Ask(queries, self.options.max_history)
        weight = self.weigh(ask)
        weight[:, : UNKNOWN + 1] = 0.0
        total = weight.sum(axis=1, dtype=np.float64)
        events = np.where(total > 0, np.bincount(ask.item_query, minlength=ask.size), 0.0)  # evidence
        prior = self.options.prior
        weight *= (events / ((events + prior) * np.where(total > 0, total, 1.0)))[:, None].astype(np.float32)
        weight += np.multiply.outer((prior / (events + prior)).astype(np.float32), self.popularity.astype(np.float32))
        if self.options.repeats == "learned":
            give_repeats(weight, ask, self.repeat)
        return Scores(log_of(weight))

    def state(self) -> dict[str, NDArray]:
        return {**super().state(), "repeat": np.array([self.repeat])}

    def restore(self, arrays: Mapping[str, NDArray], where: str) -> None:
        super().restore(arrays, where)
        self.repeat = float(checked(arrays["repeat"], (1,), where)[0])


def give_repeats(share: NDArray[np.float32], ask: Ask, repeat: float) -> None:
    """Rescale rows (B, V) in place so that items of the history have the probability `repeat` together.

    Where one side has nothing to rescale (no history, or all of the catalogue met) the row stays.
    """
    pair = np.unique(ask.item_query * share.shape[1] + ask.item_code)
    query, flat = pair // share.shape[1], share.reshape(-1)
    own = np.bincount(query, flat[pair].astype(np.float64), ask.size)
    other = share.sum(axis=1, dtype=np.float64) - own
    both = (own > 0) & (other > 1e-6)
    up = np.divide(repeat, own, out=np.ones(ask.size), where=both)
    down = np.divide(1 - repeat, other, out=np.ones(ask.size), where=both)
    kept = flat[pair] * up[query].astype(np.float32)
    share *= down[:, None].astype(np.float32)
    flat[pair] = kept


def repeat_share(train: Window) -> float:
    """Share of the training events, but each user's first, whose item the user had met before; never 0 or 1."""
    store, rows = train.store, np.sort(train.events)
    item = np.asarray(store["item"])[rows].astype(np.int64)
    user = store.user[rows].astype(np.int64)
    user, item = user[item > UNKNOWN], item[item > UNKNOWN]
    pairs = len(np.unique(user * store.encoding.n_items + item))
    asked = len(item) - len(np.unique(user))
    return (len(item) - pairs + 1.0) / (asked + 2.0)
