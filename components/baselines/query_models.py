"""Next action and next time from a query's features: boosted trees, a random forest, a linear support vector machine.

The pause to the next event is a class between edges of params; each class is a log-normal of the training pauses in
it, so the answer is a whole distribution, and P(within an edge) is a sum of classes. Items are asked of nobody here:
the answer is live popularity, which every judgement needs to stand on. Never here: how a class is learned.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from components.baselines.asked import queries_at, table_of, width_of
from components.baselines.base import Baseline
from components.baselines.classifiers import Classifier, Lines, Rows, Trees, fit_boosted, fit_forest, fit_svm
from components.errors import ConfigError, IntegrityError
from components.features.encoding import UNKNOWN
from components.memory.ask import Ask, Floats, Ints
from components.memory.counter import checked
from components.memory.predictor import in_blocks, log_of
from components.params import Section
from components.predictor import Capability, Queries, Scores, TimeDistribution, Window

_LEAST_SIGMA = 0.05
#: Rows and answers of one head.
Sample = tuple[Rows, Ints]


class QueryOptions(Section):
    """Options of every baseline of actions and times.

    Attributes
    ----------
    max_history : newest events of a history that are looked at
    max_rows : training events that are learned from, evenly spread
    gap_edges_h : edges of the classes of the pause to the next event, hours, rising
    floor : share of the answer that is the training share of each class
    """

    max_history: int = Field(ge=1)
    max_rows: int = Field(ge=1)
    gap_edges_h: list[float] = Field(min_length=1)
    floor: float = Field(gt=0, lt=1)


Q = TypeVar("Q", bound=QueryOptions)


class QueryBaseline(Baseline[Q]):
    """A baseline with a classifier for actions and one for pauses."""

    classifier: ClassVar[type[Trees] | type[Lines]]

    @abstractmethod
    def learn_classes(self, train: Sample, tune: Sample, classes: int) -> Classifier:
        """A classifier of `classes` classes; `train` has at least two of them."""

    def begin(self, train: Window, tune: Window) -> None:
        edges = np.array(self.options.gap_edges_h, np.float64) * 3600.0
        if not (np.diff(edges, prepend=0.0) > 0).all():
            raise ConfigError(
                f"rising hours above 0 at training.baselines.{self.name}.options.gap_edges_h",
                found=f"{self.options.gap_edges_h}",
                do="Mend them.",
            )
        self.n_actions = len(train.store.encoding.vocabularies["action"])
        self.models: dict[str, Classifier] = {}
        self.shares: dict[str, Floats] = {}
        self._learn_head("action", train, tune, self.n_actions, edges)
        if self.timed:
            self._learn_head("time", train, tune, len(edges) + 1, edges)
            self.mean, self.sigma = components_of(_gaps(train, self._rows(train)), edges)
        self._know_capabilities()

    def _rows(self, window: Window) -> Ints:
        """(n,) at most `max_rows` events of a window, evenly spread, oldest first."""
        rows = window.events
        if len(rows) > self.options.max_rows:
            rows = rows[np.linspace(0, len(rows) - 1, self.options.max_rows).astype(np.int64)]
        return rows

    def _learn_head(self, head: str, train: Window, tune: Window, classes: int, edges: Floats) -> None:
        (rows, label), held = self._sample(head, train, edges), self._sample(head, tune, edges)
        count = np.bincount(label, minlength=classes)
        if np.count_nonzero(count) > 1:  # else there is nothing to tell apart
            self.models[head] = self.learn_classes((rows, label), held, classes)
            self.shares[head] = count / count.sum()

    def _sample(self, head: str, window: Window, edges: Floats) -> Sample:
        rows = self._rows(window)
        if head == "time":
            gap_s = _gaps(window, rows)
            rows, gap_s = rows[gap_s >= 0], gap_s[gap_s >= 0]
            return self._table(window, rows, False), np.searchsorted(edges, gap_s).astype(np.int64)
        action = np.asarray(window.store["action"])[rows].astype(np.int64)
        rows, action = rows[action > UNKNOWN], action[action > UNKNOWN]
        return self._table(window, rows, self.rules.time_given), action

    def _table(self, window: Window, rows: Ints, given: bool) -> Rows:
        parts = [
            table_of(Ask(queries_at(window.store, part, given), self.options.max_history), self.n_actions, given)
            for part in np.array_split(rows, max(1, len(rows) // 4096))
        ]
        return np.concatenate(parts)

    def _know_capabilities(self) -> None:
        able: list[Capability] = ["item"]
        able += ["action"] if "action" in self.models else []
        able += ["time"] if "time" in self.models else []
        self.capabilities = frozenset(able)

    def score(self, queries: Queries) -> Scores:
        """Actions and times; items by popularity."""
        return in_blocks(self._score, queries)

    def _score(self, queries: Queries) -> Scores:
        ask = Ask(queries, self.options.max_history)
        item = log_of(np.repeat(self.popularity.astype(np.float32)[None], ask.size, axis=0))
        action = time = None
        if "action" in self.models:
            given = self.rules.time_given and queries.time_given
            action = self._classes("action", table_of(ask, self.n_actions, given))
        if "time" in self.models:
            weight = self._classes("time", table_of(ask, self.n_actions, False))
            mean, sigma = (np.broadcast_to(x.astype(np.float32), weight.shape) for x in (self.mean, self.sigma))
            time = TimeDistribution(weight, mean, sigma)
        return Scores(item, action, time)

    def _classes(self, head: str, rows: Rows) -> NDArray[np.float32]:
        floor = self.options.floor
        found = (1 - floor) * self.models[head].predict(rows) + floor * self.shares[head]
        return np.asarray(found / found.sum(axis=1, keepdims=True), np.float32)

    def state(self) -> dict[str, NDArray]:
        arrays = {**super().state(), "n_actions": np.array([self.n_actions])}
        for head, model in self.models.items():
            arrays |= {f"{head}.{name}": array for name, array in model.state().items()}
            arrays[f"{head}.share"] = self.shares[head]
        if "time" in self.models:
            arrays |= {"mean": self.mean, "sigma": self.sigma}
        return arrays | {"heads": np.array([head in self.models for head in ("action", "time")], np.int64)}

    def restore(self, arrays: Mapping[str, NDArray], where: str) -> None:
        super().restore(arrays, where)
        self.n_actions = int(checked(arrays["n_actions"], (1,), where)[0])
        has = checked(arrays["heads"], (2,), where) > 0
        sizes = {"action": self.n_actions, "time": len(self.options.gap_edges_h) + 1}
        heads = [head for head, there in zip(sizes, has, strict=True) if there]
        self.models = {head: self.classifier.read(arrays, head, where) for head in heads}
        self.shares = {head: checked(arrays[f"{head}.share"], (sizes[head],), where) for head in heads}
        for head, model in self.models.items():
            if not model.fits(width_of(self.n_actions), sizes[head]):
                raise IntegrityError(f"a classifier of `{head}` in {where}", found="another shape", do="Train again.")
        if "time" in self.models:
            self.mean = checked(arrays["mean"], (sizes["time"],), where)
            self.sigma = np.maximum(checked(arrays["sigma"], (sizes["time"],), where), _LEAST_SIGMA)
        self._know_capabilities()


def _gaps(window: Window, rows: Ints) -> Ints:
    return np.asarray(window.store["gap_s"])[rows].astype(np.int64)


def components_of(gap_s: Ints, edges: Floats) -> tuple[Floats, Floats]:
    """Means and deviations (C,) of log(gap_s + 1) between the edges (C - 1,); the middle where there is no pause."""
    gap_s = gap_s[gap_s >= 0]
    log_gap, label = np.log1p(gap_s.astype(np.float64)), np.searchsorted(edges, gap_s)
    bound = np.log1p(np.concatenate([[0.0], edges, [10 * edges[-1]]]))
    count = np.bincount(label, minlength=len(edges) + 1)
    some = np.maximum(count, 1)
    mean = np.where(count > 0, np.bincount(label, log_gap, len(count)) / some, (bound[1:] + bound[:-1]) / 2)
    square = np.bincount(label, (log_gap - mean[label]) ** 2, len(count)) / some
    sigma = np.where(count > 0, np.sqrt(square), (bound[1:] - bound[:-1]) / 4)
    return mean, np.maximum(sigma, _LEAST_SIGMA)


class BoostedOptions(QueryOptions):
    """rounds, leaves (of a tree), learning_rate, min_leaf (rows of a leaf), l2: as in histogram boosting."""

    rounds: int = Field(ge=1)
    leaves: int = Field(ge=2)
    learning_rate: float = Field(gt=0)
    min_leaf: int = Field(ge=1)
    l2: float = Field(ge=0)


class Boosted(QueryBaseline[BoostedOptions]):
    """Gradient-boosted trees."""

    kind = "trees"
    options_type = BoostedOptions
    classifier = Trees

    def learn_classes(self, train: Sample, tune: Sample, classes: int) -> Classifier:
        return fit_boosted(*train, classes, self.options.model_dump(), self.rules.seed)


class ForestOptions(QueryOptions):
    """trees: how many; depth: at most; min_leaf: rows of a leaf."""

    trees: int = Field(ge=1)
    depth: int = Field(ge=1)
    min_leaf: int = Field(ge=1)


class Forest(QueryBaseline[ForestOptions]):
    """A random forest."""

    kind = "forest"
    options_type = ForestOptions
    classifier = Trees

    def learn_classes(self, train: Sample, tune: Sample, classes: int) -> Classifier:
        return fit_forest(*train, classes, self.options.model_dump(), self.rules.seed)


class SvmOptions(QueryOptions):
    """cost: of an error, against the width of the margin."""

    cost: float = Field(gt=0)


class Svm(QueryBaseline[SvmOptions]):
    """A linear support vector machine, calibrated on the tune window."""

    kind = "svm"
    options_type = SvmOptions
    classifier = Lines

    def learn_classes(self, train: Sample, tune: Sample, classes: int) -> Classifier:
        return fit_svm(*train, classes, self.options.model_dump(), self.rules.seed, tune)
