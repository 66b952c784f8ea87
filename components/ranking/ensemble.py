"""Ensembles: fitted learners averaged with weights that are given, pooled, or stacked on the blend window.

`average` is a mixture with given weights (of one network under several seeds, say), where the blend learns its own;
`pool` multiplies instead of adding, with given weights; `stack` learns the weights of a pool. What is said of actions,
times and places is mixed: by the given weights, or by those that expectation-maximisation finds. Parts are never
changed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from components.errors import ConfigError
from components.evaluation.protocol import Protocol
from components.features.encoding import UNKNOWN
from components.files import read_json, write_json
from components.memory.mixture import Mixture, Observed
from components.memory.replay import Questions
from components.params import BlendParams, EnsembleParams
from components.predictor import Capability, Predictor, Queries, Scores, Window
from components.ranking.blend import HEADS, BlendPredictor, Floats, load_parts, name_of, torn
from components.ranking.mixing import history_length
from components.ranking.pool import FLOOR, Pool, fit_pool, pooled

_FIRST = UNKNOWN + 1
#: Log-probabilities that stacking holds at once; fewer queries are asked where the catalogue is large.
_CELLS = 1 << 26
_FEWEST = 50


class EnsemblePredictor(BlendPredictor):
    """Average, pool or stack of predictors.

    Parameters
    ----------
    parts : name → predictor; each must answer items
    ensemble : how their answers become one
    protocol : the rules under which it will be judged
    name : of the candidate model

    Raises
    ------
    ConfigError
        Weights are given of other parts, below 0, or all 0.
    """

    def __init__(
        self, parts: Mapping[str, Predictor], ensemble: EnsembleParams, protocol: Protocol, name: str = "ensemble"
    ) -> None:
        edges, steps = ensemble.history_buckets, ensemble.em_steps
        mixing = BlendParams(parts=list(parts), history_buckets=edges, em_steps=steps, candidate=ensemble.candidate)
        super().__init__(parts, mixing, protocol, name)
        self.ensemble = ensemble
        given = ensemble.weights if ensemble.weights is not None else dict.fromkeys(parts, 1.0)
        if set(given) != set(parts) or min(given.values()) < 0 or sum(given.values()) <= 0:
            raise ConfigError(
                f"a weight for each of {', '.join(parts)}, none below 0 and not all 0",
                found=f"{ensemble.weights} for `{name}`",
                do=f"Mend training.ensembles.{name}.weights; null trusts all alike.",
            )
        self._given = {part: weight / sum(given.values()) for part, weight in given.items()}
        self.pool: Pool | None = None
        if ensemble.method != "average":
            self.pool = Pool.given([self._given[part] for part in self._able("item")])
        self._fix()
        self._kept: list[tuple[NDArray[np.float32], Floats, NDArray[np.int64]]] = []
        self._take = np.zeros(0, bool)

    def _fix(self) -> None:
        """The given weights for every head whose parts have any."""
        for head in HEADS:
            given = np.array([self._given[part] for part in self._able(head)])
            if given.sum() > 0:
                self.weights[head] = Mixture(np.zeros(1, np.int64), given[None] / given.sum())

    def fit_weights(self, window: Window) -> float:
        """What is learned of one window: nothing of items but for a stack; see `BlendPredictor.fit_weights`.

        A window that holds nothing leaves all as it was given, but for a stack, which has nothing else.

        Returns
        -------
        float
            Mean log-likelihood of the items of the window; of a mixture of the parts, where items are pooled; NaN
            where the window holds nothing.
        """
        if not self.ensemble.learned and not len(window.targets):
            return float("nan")
        self._kept = []
        value = super().fit_weights(window)
        if self.ensemble.method == "average":
            self._fix()
        if self.ensemble.method == "stack":
            log_p, own, length = (np.concatenate(part) for part in zip(*self._kept, strict=True))
            self.pool = fit_pool(log_p, own, length, self.ensemble.history_buckets, self.ensemble.pull)
        self._kept = []
        return value

    def _live_through(self, window: Window, questions: Questions, hidden: Questions) -> dict[Capability, Observed]:
        n, size = len(questions), window.store.encoding.n_items * len(self.parts)
        most = min(self.ensemble.max_queries, max(_FEWEST, _CELLS // size)) if self.ensemble.method == "stack" else 0
        self._take = np.zeros(n, bool)
        if most:
            self._take[np.linspace(0, n - 1, min(n, most)).astype(np.int64)] = True
        return super()._live_through(window, questions, hidden)

    def _ask(self, parts: Mapping[str, Predictor], asked: Questions) -> Mapping[str, Scores]:
        answers = super()._ask(parts, asked)
        take, self._take = self._take[: len(asked)], self._take[len(asked) :]
        if self.ensemble.method == "stack":
            told = asked.answers()
            rows = np.intersect1d(np.flatnonzero(take), told.query)
            log_p = np.stack([answers[part].item[rows, _FIRST:] for part in self._able("item")], axis=1)
            log_p = np.maximum(log_p, FLOOR).astype(np.float32, copy=False)
            kept = np.isin(told.query, rows)
            at, item, weight = np.searchsorted(rows, told.query[kept]), told.item[kept], told.weight[kept]
            own = np.zeros(log_p.shape[:2])
            np.add.at(own, at, log_p[at, :, item - _FIRST] * weight[:, None])
            self._kept.append((log_p, own, history_length(asked.queries)[rows]))
        return answers

    def trust(self, head: Capability) -> Mixture:
        """Weights of the parts that can say it."""
        return self.pool if head == "item" and self.pool is not None else self.weights[head]

    def _of(self, parts: Mapping[str, Predictor], queries: Queries) -> Scores:
        if self.pool is None:
            return super()._of(parts, queries)
        answers = {name: part.score(queries) for name, part in parts.items()}
        weights = self.pool.of(history_length(queries))
        said = pooled([answers[name].item[:, _FIRST:] for name in self._able("item")], weights)
        item = np.full((len(queries), said.shape[1] + _FIRST), -np.inf, np.float32)
        item[:, _FIRST:] = said
        return self._with_heads(item, answers, queries)

    def save(self, folder: Path) -> None:
        """Write `config.json`, and each part whole below `part_<name>/`."""
        super().save(folder)
        config = read_json(folder / "config.json")
        learned = max(int(getattr(part, "learned_until_s", 0)) for part in self.parts.values())
        more = {"kind": "ensemble", "ensemble": self.ensemble.model_dump(), "learned_until_s": learned}
        write_json(folder / "config.json", {**config, **more, "pool": self.pool.record() if self.pool else None})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; parts are read by their own loaders, and weights are checked."""
        config = read_json(folder / "config.json")
        try:
            params, protocol = EnsembleParams.model_validate(config["ensemble"]), Protocol(**config["protocol"])
            found = cls(load_parts(folder, config), params, protocol, name_of(folder, config))
            found._read_weights(config, str(folder))
            if params.method != "average":
                found.pool = Pool.read(dict(config["pool"]), len(found._able("item")), str(folder))
        except (ValidationError, ConfigError, KeyError, TypeError, ValueError) as error:
            raise torn(folder, f"{type(error).__name__}: {error}") from error
        return found
