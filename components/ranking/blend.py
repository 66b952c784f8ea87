"""A mixture of fitted predictors: how much to trust each, learned on the blend window.

The parts answer as probabilities and are mixed as probabilities, so a part that does not know says so and costs
little. Weights go by length of history. Parts are never fitted here, and never changed by the fit of the weights.

Reference: EM for mixture weights, components/memory/mixture.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from components.errors import ConfigError, IntegrityError, TrainingError
from components.evaluation.protocol import Protocol
from components.features.store import Store
from components.files import read_json, write_json
from components.memory.mixture import Mixture, Observed
from components.memory.predictor import CounterPredictor, MemoryPredictor
from components.memory.replay import Questions
from components.params import BlendParams
from components.predictor import Capability, Going, Predictor, Queries, Scores, Tracker, Window, carries
from components.ranking.mixing import history_length, last_gap_s, mixed, mixed_time, probability_of
from components.ranking.parts import judges_asker, load_part
from components.ranking.rehearsal import rehearse

Floats = NDArray[np.float64]
HEADS: tuple[Capability, ...] = ("item", "action", "time", "place")
#: Queries of the blend window that weights are fitted on, evenly spread.
MAX_QUERIES = 20_000
#: A part with less weight than this everywhere is named in the report.
IDLE = 0.01
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class BlendPredictor:
    """Mixture of predictors, by history length.

    Parameters
    ----------
    parts : name → predictor; each must answer items
    params : buckets of history length, EM steps
    protocol : the rules under which it will be judged
    name : of the candidate model
    """

    def __init__(
        self, parts: Mapping[str, Predictor], params: BlendParams, protocol: Protocol, name: str = "blend"
    ) -> None:
        wrong = [part for part in parts if not _NAME.fullmatch(part)]
        if wrong or not parts:
            raise ConfigError("at least one part with a plain name", found=f"{wrong}", do="Mend training.blend.parts.")
        self.name, self.parts, self.params, self.protocol = name, dict(parts), params, protocol
        self.weights: dict[Capability, Mixture] = {}
        self._use_even()

    def _use_even(self) -> None:
        """Equal weights for everything that any of the parts can say."""
        self.weights = {head: Mixture.even(len(self._able(head))) for head in HEADS if self._able(head)}
        self.capabilities: frozenset[Capability] = frozenset(self.weights)

    def _able(self, head: Capability) -> list[str]:
        return [name for name, part in self.parts.items() if head in part.capabilities]

    def fit(self, train: Window, tune: Window, tracker: Tracker) -> None:
        """Fit every part on `train` and `tune`, then the weights on the blend window of the same store."""
        for part in self.parts.values():
            part.fit(train, tune, tracker)
        value = self.fit_weights(Window(train.store, "blend", tune.history))
        tracker.log({"blend_log_likelihood": value}, 0)

    def fit_weights(self, window: Window) -> float:
        """Weights of all heads from one window, lived through in time order from the parts as they were fitted.

        Parameters
        ----------
        window : later than everything that the parts were fitted on

        Returns
        -------
        float
            Mean log-likelihood of the items of the window under the mixture.

        Raises
        ------
        TrainingError
            The window holds nothing to predict, or a part's answers are not probabilities.
        """
        asker, given = judges_asker(self.protocol), self.protocol.target_time == "given"
        questions, hidden = asker(window, given).thinned(MAX_QUERIES), asker(window, False).thinned(MAX_QUERIES)
        if not len(questions):
            raise TrainingError("events to predict in the blend window", found="none", do="Lengthen windows.blend.")
        self._use_even()
        seen = self._live_through(window, questions, hidden)
        for head, one in seen.items():
            self.weights[head] = one.mixture(self.params.history_buckets, self.params.em_steps)
        return seen["item"].under(self.weights["item"])

    def _live_through(self, window: Window, questions: Questions, hidden: Questions) -> dict[Capability, Observed]:
        """Head → what its parts gave to what happened, where something did that can be predicted.

        When is always asked without the time of the answer.
        """
        store = window.store
        seen: dict[Capability, list[Observed]] = {head: [] for head in self.weights}
        for block, parts in rehearse(self.parts, window, questions):
            asked = questions[block]
            rows, queries = asked.row, asked.queries
            answers = self._ask(parts, asked)
            untimed = answers
            if queries.time_given and "time" in seen:
                untimed = {name: parts[name].score(hidden.queries[block]) for name in self._able("time")}
            gap_s, length = last_gap_s(queries, np.asarray(store["time_s"][rows])), history_length(queries)
            for head, blocks in seen.items():
                able = self._able(head)
                if head == "item":
                    told = asked.answers()
                    given = [np.exp(answers[name].item[told.query, told.item].astype(np.float64)) for name in able]
                    blocks.append(Observed(np.stack(given, axis=1), length[told.query], told.weight))
                    continue
                said = untimed if head == "time" else answers
                at = np.stack([probability_of(head, said[name], store, rows, gap_s) for name in able], axis=1)
                blocks.append(Observed.of(at, length, np.asarray(~np.isnan(at).any(axis=1))))
        return {head: Observed.joined(len(self._able(head)), blocks) for head, blocks in seen.items()}

    def _ask(self, parts: Mapping[str, Predictor], asked: Questions) -> Mapping[str, Scores]:
        """Answers of all parts to a block of what the weights are fitted on."""
        return {name: part.score(asked.queries) for name, part in parts.items()}

    def score(self, queries: Queries) -> Scores:
        """Answer B queries; see `components.predictor.Scores`."""
        return self._of(self.parts, queries)

    def carry(self, queries: Queries, carried: Any) -> tuple[Scores, Any]:
        """Answer one query, parts going on from what each made of the same user's last; see `Carries`."""
        before: Mapping[str, Any] = carried if isinstance(carried, Mapping) else {}
        going = {name: Going(one, before.get(name)) for name, one in self.parts.items() if carries(one)}
        scores = self._of({**self.parts, **going}, queries)  # type: ignore[dict-item]
        return scores, {name: one.carried for name, one in going.items()}

    def _of(self, parts: Mapping[str, Predictor], queries: Queries) -> Scores:
        """The scores, where these parts are asked."""
        answers = {name: part.score(queries) for name, part in parts.items()}
        weights = self.weights["item"].of(history_length(queries))
        item = mixed([np.exp(answers[name].item) for name in self._able("item")], weights)
        with np.errstate(divide="ignore"):
            return self._with_heads(np.log(item), answers, queries)

    def _with_heads(self, log_item: NDArray[np.float32], answers: Mapping[str, Scores], queries: Queries) -> Scores:
        """Scores with the given items, and all else mixed from the answers of the parts."""
        length = history_length(queries)

        def of(head: Capability) -> tuple[list[Any], Floats]:
            return [getattr(answers[name], head) for name in self._able(head)], self.weights[head].of(length)

        return Scores(
            log_item,
            mixed(*of("action")) if "action" in self.weights else None,
            mixed_time(*of("time")) if "time" in self.weights else None,
            mixed(*of("place")) if "place" in self.weights else None,
        )

    def explain(self, queries: Queries, items: NDArray[np.integer]) -> dict[str, Floats]:
        """Which part gave how much of the probability of some items (B, M); a part that explains itself is opened.

        Returns
        -------
        part, or part.counter → (B, M) float64
            Its share; all shares sum to 1.
        """
        weights = self.trust("item").of(history_length(queries))
        rows = np.arange(len(queries))[:, None]
        names = self._able("item")
        given = [weights[:, [k]] * np.exp(self.parts[n].score(queries).item[rows, items]) for k, n in enumerate(names)]
        total = np.maximum(np.sum(given, axis=0), 1e-300)
        out: dict[str, Floats] = {}
        for name, share in zip(names, given, strict=True):
            part = self.parts[name]
            if isinstance(part, MemoryPredictor):
                out |= {f"{name}.{of}": share / total * inner for of, inner in part.explain(queries, items).items()}
            else:
                out[name] = share / total
        return out

    def update(self, store: Store, rows: NDArray[np.int64]) -> None:
        """Tell every part what happened."""
        for part in self.parts.values():
            part.update(store, rows)

    def forget(self, store: Store, rows: NDArray[np.int64]) -> None:
        """Take events back from every part that counts them."""
        for part in self.parts.values():
            if isinstance(part, MemoryPredictor | CounterPredictor | BlendPredictor):
                part.forget(store, rows)

    def idle(self) -> list[str]:
        """Parts whose weight is below IDLE for every head and every length of history."""
        busy = {
            name
            for head in HEADS
            if head in self.weights
            for name, weight in zip(self._able(head), self.trust(head).weights.T, strict=True)
            if (weight >= IDLE).any()
        }
        return [name for name in self.parts if name not in busy]

    def trust(self, head: Capability) -> Mixture:
        """Weights of the parts that can say it."""
        return self.weights[head]

    def save(self, folder: Path) -> None:
        """Write `config.json`, and each part whole below `part_<name>/`."""
        for name, part in self.parts.items():
            part.save(folder / f"part_{name}")
        config = {
            "kind": "blend",
            "name": self.name,
            "parts": list(self.parts),
            "params": self.params.model_dump(),
            "protocol": self.protocol.record(),
            "weights": {head: mixture.record() for head, mixture in self.weights.items()},
        }
        write_json(folder / "config.json", config)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; parts are read by their own loaders, and weights are checked."""
        config = read_json(folder / "config.json")
        try:
            params, protocol = BlendParams.model_validate(config["params"]), Protocol(**config["protocol"])
            blend = cls(load_parts(folder, config), params, protocol, name_of(folder, config))
            blend._read_weights(config, str(folder))
        except (ValidationError, KeyError, TypeError, ValueError) as error:
            raise torn(folder, f"{type(error).__name__}: {error}") from error
        return blend

    def _read_weights(self, config: Mapping[str, Any], where: str) -> None:
        weights = dict(config["weights"])
        for head in self.weights:
            self.weights[head] = Mixture.read(weights.get(head, {}), len(self._able(head)), where)


def name_of(folder: Path, config: Mapping[str, Any]) -> str:
    """The name that a config gives itself; it becomes the name of files.

    Raises
    ------
    IntegrityError
        It is not a plain one.
    """
    name = config["name"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise torn(folder, f"the name {name!r:.80}")
    return name


def load_parts(folder: Path, config: Mapping[str, Any]) -> dict[str, Predictor]:
    """The parts that a config names, from below its folder.

    Raises
    ------
    IntegrityError
        There are none, or one's name would leave the folder.
    """
    names = [str(name) for name in config["parts"]]
    if not names or not all(_NAME.fullmatch(name) for name in names):
        raise torn(folder, "no parts, or one whose name is not plain")
    return {name: load_part(folder / f"part_{name}") for name in names}


def torn(folder: Path, found: str) -> IntegrityError:
    """What is said of a config that contradicts itself."""
    return IntegrityError(
        f"a blend's config in {folder}", found=found, do="Run the blend stage again, or bring the folder back from DVC."
    )


def describe(blend: BlendPredictor, log_likelihood: float) -> str:
    """The weights of a blend as text, and the parts that it does not need."""
    lines = [f"{blend.name}: mean log-probability of items {log_likelihood:.4f}"]
    for head in blend.weights:
        mixture = blend.trust(head)
        for edge, weights in zip(mixture.edges, mixture.weights, strict=True):
            shares = ", ".join(f"{name} {w:.2f}" for name, w in zip(blend._able(head), weights, strict=True))
            lines.append(f"  {head}, history from {edge}: {shares}")
    lines += [f"  {name} is hardly used (below {IDLE:.0%} everywhere): it could be left out." for name in blend.idle()]
    return "\n".join(lines)
