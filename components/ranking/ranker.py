"""The ranker: memory, networks and whatever else was fitted, ranked together by what is learned on the blend window.

Every voice (a counter of the memory, another part) proposes candidates; a gate mixes the voices; trees order the
candidates by what history and voices say of each; what is no candidate follows, by the mixture. With the method
`gate` the mixture is the answer. Actions, times and places are mixed as in a blend. Parts are never changed here.

Reference: research/spatiotemporal.md §2.6 (LambdaRank over counters) and §3.5 (with a network's scores).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from components.errors import IntegrityError, TrainingError
from components.evaluation.protocol import Protocol
from components.features.encoding import UNKNOWN
from components.files import read_json, write_json, write_text
from components.memory.ask import Floats
from components.memory.mixture import log_likelihood
from components.memory.predictor import in_blocks, log_of
from components.memory.replay import Questions
from components.params import BlendParams, RankerParams
from components.predictor import Predictor, Queries, Scores, Window
from components.ranking.adds import Ablation
from components.ranking.blend import BlendPredictor, load_parts, name_of, torn
from components.ranking.evidence import gather, voices
from components.ranking.features import names, of_query
from components.ranking.forest import Forest, begun
from components.ranking.gate import Gate, fit_gate
from components.ranking.grow import grow
from components.ranking.kernel import QUERY
from components.ranking.lessons import lessons_of
from components.ranking.look import Looker
from components.ranking.parts import questions_of
from components.ranking.spread import Spread, fit_spread

Table = NDArray[np.float32]
TREES, ADDS = "ranker.txt", "adds.json"
_FORMAT = 2  # trees add to the mixture


class RankerPredictor(BlendPredictor):
    """Trees (or a gate) over the voices of its parts.

    Parameters
    ----------
    parts : name → predictor; each must answer items
    ranker : candidates, trees, and what they learn from
    protocol : the rules under which it will be judged
    max_history : newest events of a history that are looked at
    seed : of the growth of trees
    name : of the candidate model
    """

    def __init__(
        self,
        parts: Mapping[str, Predictor],
        ranker: RankerParams,
        protocol: Protocol,
        max_history: int,
        seed: int,
        name: str = "ranker",
    ) -> None:
        edges, steps = ranker.history_buckets, ranker.em_steps
        mixing = BlendParams(parts=list(parts), history_buckets=edges, em_steps=steps, candidate=ranker.candidate)
        super().__init__(parts, mixing, protocol, name)
        self.ranker, self.max_history, self.seed = ranker, max_history, seed
        self.spread = Spread.plain()
        self._looker: Looker | None = None
        self._forest: Forest | None = None
        self.adds: dict[str, Any] | None = None  # what each learner adds, where params ask for it
        self.learned_until_s = 0  # of what the trees were told the answers of
        self._text = ""
        self._heard: list[tuple[Floats, Table, Floats]] = []

    @property
    def looker(self) -> Looker:
        """What looks at queries, with the fitted gate.

        Raises
        ------
        TrainingError
            Nothing was fitted or loaded yet.
        """
        if self._looker is None:
            raise TrainingError("a fitted ranker", found="one without a gate", do="Call `fit_weights` or `load`.")
        return self._looker

    def fit_weights(self, window: Window) -> float:
        """The gate and the mixtures of all heads, then the trees, from one window.

        Parameters
        ----------
        window : later than everything that the parts were fitted on

        Returns
        -------
        float
            Mean log-likelihood of the items of the window under the gate.

        Raises
        ------
        TrainingError
            The window holds nothing to predict, a part's answers are not probabilities, or no answer is a candidate.
        """
        self._heard = []
        super().fit_weights(window)
        likelihood, described, weight = (np.concatenate(part) for part in zip(*self._heard, strict=True))
        self._heard = []
        gate = fit_gate(likelihood, described, self.ranker.em_steps, weight)
        self._use(gate)
        if self.ranker.method == "trees":
            self._fit_trees(window)
        return log_likelihood(likelihood, gate.of(described), weight)

    def _use(self, gate: Gate) -> None:
        self._looker = Looker(gate, self.ranker.candidates, self.max_history)

    def _ask(self, parts: Mapping[str, Predictor], asked: Questions) -> Mapping[str, Scores]:
        evidence, told = gather(parts, asked.queries, self.max_history), asked.answers()
        described = of_query(evidence.ask)[told.query]
        self._heard.append((evidence.at(told.item, told.query), described, told.weight))
        return evidence.scores

    def _fit_trees(self, window: Window) -> None:
        """Grow trees on the older queries; stop and calibrate them on the newer ones."""
        windows = [window]
        if self.ranker.since == "tune" and window.name != "tune":
            windows = [replace(window, name="tune"), window]
        asked = [(one, self._questions(one)) for one in windows]
        older, newer = lessons_of(self.parts, asked, self.looker, self.ranker, self.seed)
        self.learned_until_s = int(np.asarray(window.store["time_s"])[older.row].max(initial=0))
        self._text, _ = grow(older, newer, names(voices(self.parts)), self.ranker.trees, self.seed)
        self._forest = Forest.read(self._text, TREES)
        scores = begun(newer.own) + self._forest.predict(newer.table)
        self.spread = fit_spread(newer, scores)
        self.adds = None
        if self.ranker.ablation:
            said = voices(self.parts)
            compared = Ablation(older, newer, said, self.looker.gate, self.ranker, self.seed)
            self.adds = compared.record(window.store, scores)

    def _questions(self, window: Window) -> Questions:
        """What the trees learn from: the targets of a window, or all of its events that have an item."""
        rows = window.targets
        if self.ranker.asks == "all":
            events = window.events
            rows = events[np.asarray(window.store["item"])[events] >= UNKNOWN]
        return questions_of(window, self.protocol, rows)

    def score(self, queries: Queries) -> Scores:
        """Answer B queries; see `components.predictor.Scores`."""
        return in_blocks(partial(self._of, self.parts), queries)

    def _of(self, parts: Mapping[str, Predictor], queries: Queries) -> Scores:
        if self._forest is None:
            evidence, item = self.looker.weigh(parts, queries, items_only=False)
            item /= item.sum(axis=1, dtype=np.float64)[:, None].astype(np.float32)
        else:
            looked = self.looker.look(parts, queries)
            evidence = looked.evidence
            scores = begun(looked.own) + self._forest.predict(looked.table)
            item = self.spread.of(scores, looked.mixture, looked.candidates)
        return self._with_heads(log_of(item), evidence.scores, queries)

    def save(self, folder: Path) -> None:
        """Write `config.json`, each part below `part_<name>/`, and with trees `ranker.txt` and `adds.json`."""
        for name, part in self.parts.items():
            part.save(folder / f"part_{name}")
        if self._text:
            write_text(folder / TREES, self._text)
        if self.adds is not None:
            write_json(folder / ADDS, self.adds)
        config = {
            "kind": "ranker",
            "format": _FORMAT,
            "name": self.name,
            "parts": list(self.parts),
            "ranker": self.ranker.model_dump(),
            "max_history": self.max_history,
            "seed": self.seed,
            "learned_until_s": self.learned_until_s,
            "protocol": self.protocol.record(),
            "weights": {head: mixture.record() for head, mixture in self.weights.items()},
            "gate": self.looker.gate.record(),
            "spread": self.spread.record(),
        }
        write_json(folder / "config.json", config)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; trees, gate and weights are checked before anything is asked of them.

        Raises
        ------
        IntegrityError
            A file is missing, damaged, or contradicts another.
        """
        config = read_json(folder / "config.json")
        if config.get("format") != _FORMAT:
            raise torn(folder, f"format {config.get('format')!r:.20}, not {_FORMAT}")
        try:
            params, protocol = RankerParams.model_validate(config["ranker"]), Protocol(**config["protocol"])
            parts, length = load_parts(folder, config), int(config["max_history"])
            found = cls(parts, params, protocol, length, int(config["seed"]), name_of(folder, config))
            found._read_weights(config, str(folder))
            found.learned_until_s = int(config["learned_until_s"])
            found.spread = Spread.read(config["spread"], str(folder))
            found._use(Gate.read(config["gate"], len(voices(parts)), len(QUERY), str(folder)))
        except (ValidationError, KeyError, TypeError, ValueError) as error:
            raise torn(folder, f"{type(error).__name__}: {error}") from error
        if params.method == "trees":
            found._read_trees(folder / TREES)
            found.adds = read_json(folder / ADDS) if (folder / ADDS).is_file() else None
        return found

    def _read_trees(self, path: Path) -> None:
        try:
            self._text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise torn(path.parent, f"no trees: {error}") from error
        self._forest = Forest.read(self._text, str(path))
        if list(self._forest.names) != names(voices(self.parts)):
            raise IntegrityError(
                f"trees over the columns of these parts in {path}",
                found="other columns",
                do="Run the blend stage again.",
            )
