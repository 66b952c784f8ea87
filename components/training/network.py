"""A sequence model as a Predictor: fitted on windows, asked queries, saved as weights and JSON.

It reads the last `max_history` tokens of a visible history, whatever store holds them, as long as that store was made
with the encoding that the model was trained on. Its weights do not move between trainings. Never reads an answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from components.errors import ConfigError, IntegrityError
from components.evaluation.protocol import Protocol
from components.features.encoding import Encoding
from components.features.store import WINDOWS, Store
from components.files import sha256_file, write_json
from components.models.config import SequenceConfig, config_of
from components.models.encoders.language import LanguageEncoder
from components.models.sequence import SequenceModel
from components.models.weights import check_like, load_tensors, save_tensors
from components.params import NetworkParams, Params, TrainParams
from components.predictor import Capability, Queries, Scores, Tracker, Window
from components.training.batches import Corpus
from components.training.begin import (
    check_item_loss,
    check_tables,
    encoding_digests,
    filled,
    initial_model,
    overridden,
    shape_of,
)
from components.training.calibrate import calibrate, calibrated
from components.training.carried import Seen
from components.training.carrier import Carrier
from components.training.checkpoint import Checkpoints
from components.training.device import choose
from components.training.finish import finish
from components.training.likelihood import Likelihood
from components.training.loop import Chooser, Teacher, Trainer
from components.training.replay import Replay
from components.training.saved import FORMAT, read_saved
from components.training.scores import capabilities_of, scores_of
from components.training.transfer import Origin, carry, encoding_of, network_in
from components.training.tune import Judge, answers, blocks

#: The store of the training window, the model's shape and its loop → the teacher of its batches.
TeacherOf = Callable[[Store, SequenceConfig, TrainParams], Teacher]


class NetworkPredictor:
    """A sequence model that can be fitted and asked.

    Attributes
    ----------
    KIND : what `config.json` calls it

    Parameters
    ----------
    name : of the candidate model
    network : its shape
    loop : how it is trained
    protocol, primary : how the tune window is judged for early stopping, and by which metric
    seed : of weights, order and dropout
    checkpoints : folder to save to and resume from; None: nowhere
    """

    KIND: ClassVar[str] = "network"

    def __init__(
        self,
        name: str,
        network: NetworkParams,
        loop: TrainParams,
        protocol: Protocol,
        primary: str,
        seed: int,
        checkpoints: Path | None = None,
    ) -> None:
        self.name, self.network, self.loop, self.seed = name, network, loop, seed
        self.protocol, self.primary, self.checkpoints = protocol, primary, checkpoints
        self.curves: list[dict[str, float]] = []
        self.temperatures: dict[str, float] = {}  # of item and action; 1 where none stands
        self.teachers: TeacherOf | None = None  # whose answers are learned as well
        self.begun: SequenceModel | None = None  # weights that training goes on from; None: fresh ones
        self.precision = choose(loop.device, loop.precision)
        self.start_from: Path | None = None  # a trained network whose weights it begins with
        self.origin: Origin | None = None  # the same, where it is at hand
        self.replay: Replay | None = None  # what is learned, where it is not all
        self.began_with: dict[str, Any] | None = None  # digest of the origin, and what was taken of each tensor
        self.capabilities: frozenset[Capability] = capabilities_of(network.heads)
        self._model: SequenceModel | None = None
        self._encoding: dict[str, str] = {}
        self._checked: Encoding | None = None
        self._carrier: Carrier | None = None  # made at the first question that is carried

    @classmethod
    def of(cls, name: str, params: Params, seed_offset: int = 0) -> Self:
        """The network that `params.training.models` describes under `name`, unfitted.

        Raises
        ------
        ConfigError
            There is no such network, or one of its overrides is not a knob of the loop.
        """
        entry = params.training.models.get(name)
        if entry is None or entry.network is None:
            raise ConfigError(
                f"a network `{name}` under training.models", found="none", do="Name one that params.yaml describes."
            )
        loop = overridden(params.training.loop, entry.overrides, name)
        protocol = Protocol.of(params.evaluation)
        seed = params.workspace.seed + entry.seed + seed_offset
        found = cls(name, entry.network, loop, protocol, params.evaluation.primary, seed)
        found.start_from = None if entry.start_from is None else Path(entry.start_from)
        return found

    @property
    def model(self) -> SequenceModel:
        """The fitted torch module."""
        if self._model is None:
            raise ConfigError(f"a fitted model `{self.name}`", found="one without weights", do="Fit or load it first.")
        return self._model

    def fit(self, train: Window, tune: Window, tracker: Tracker) -> None:
        """Train on `train`; stop early, and keep the weights that are best, on `tune`.

        Raises
        ------
        TrainingError
            Nothing to learn from, or the loss became NaN.
        """
        encoding = train.store.encoding
        vectors = {name: one.shape[1] for name, one in train.store.vectors.items()}
        config = config_of(self.network, encoding, vectors) if self.begun is None else self.begun.config
        loop, device = self.loop, self.precision.device
        only = None if self.replay is None else self.replay.rows(train.store, config.max_history, self.seed)
        baskets = self.protocol.ties == "basket"
        crops = (loop.crops, loop.tokens_per_batch, self.seed, loop.open_intervals, loop.targets)
        corpus = Corpus(train, config, *crops, only=only, baskets=baskets)
        check_item_loss(config, loop, baskets)
        judge = Judge.of(tune, self.protocol, self.primary, loop.max_tune_queries, self.seed)
        chooser: Chooser = judge
        if loop.choose_by == "log_likelihood":
            chooser = Likelihood(Corpus(tune, config, "last", *crops[1:], baskets=baskets))
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            model = self.begun or initial_model(config, encoding, corpus, self.seed)
            self._begin_with(model, encoding)
            model = model.to(device)
            teacher = None if self.teachers is None else self.teachers(train.store, model.config, loop)
            checkpoints = None if self.checkpoints is None else Checkpoints(self.checkpoints)
            trainer = Trainer(model, corpus, chooser, loop, self.precision, self.seed, tracker, checkpoints, teacher)
            self.curves = trainer.fit()
        self.temperatures = {}
        if loop.calibration == "temperature" and len(judge):
            self.temperatures, row = calibrate(model, judge, self.precision)
            self.curves.append({"step": float(trainer.state.step), "epoch": self.curves[-1]["epoch"], **row})
            tracker.log(row, trainer.state.step)
        if loop.finish_epochs:
            if only is not None:
                only |= np.asarray(tune.store["window"]) == WINDOWS[tune.name]
            whole = Corpus(train, config, *crops, also=(tune.name,), only=only, baskets=baskets)
            checkpoints = None if self.checkpoints is None else Checkpoints(self.checkpoints / "finish")
            done = trainer.state.step
            self.curves += finish(model, whole, loop, self.precision, self.seed, tracker, checkpoints, done)
        if isinstance(model.encoder, LanguageEncoder):
            model.encoder.settle()
        self._use(model, encoding_digests(encoding))

    @property
    def is_fitted(self) -> bool:
        """Whether it has weights."""
        return self._model is not None

    def adopt(self, model: SequenceModel, encoding: dict[str, str], temperatures: dict[str, float]) -> None:
        """Take over weights that were made elsewhere, with the digests of the encoding that they were made with."""
        self.temperatures = dict(temperatures)
        self._use(model.to(self.precision.device), encoding)

    def _begin_with(self, model: SequenceModel, encoding: Encoding) -> None:
        """Take the weights of the origin, where there is one."""
        if self.origin is None and self.start_from is not None:
            self.origin = origin_of(self.start_from, self.name)
        if self.origin is not None:
            taken = carry(model, encoding, self.origin)
            self.began_with = {"digest": self.origin.digest, "taken": taken}

    def as_origin(self, encoding: Encoding, digest: str) -> Origin:
        """This network as one that others begin with; `encoding` is that of its training."""
        self._check(encoding)
        return Origin(self.model.state_dict(), self.model.config, encoding, digest)

    def _use(self, model: SequenceModel, encoding: dict[str, str]) -> None:
        self._model, self._encoding, self._checked = model.eval(), encoding, None
        self._carrier = None
        self.capabilities = capabilities_of(model.config.heads)  # less what the data has no ground for

    def score(self, queries: Queries) -> Scores:
        """Answer B queries from the last `max_history` tokens of each.

        Raises
        ------
        IntegrityError
            The store was made with another encoding than the model's.
        """
        model = self.model
        self._check(queries.store.encoding)
        order = np.argsort(queries.stop - queries.start, kind="stable")
        ordered = queries[order]
        asked = (answers(model, ordered[part], self.precision) for part in blocks(ordered, model))
        parts = [calibrated(part, self.temperatures) for part in asked]
        return scores_of(parts, order, model.config)

    def carry(self, queries: Queries, carried: Any) -> tuple[Scores, Any]:
        """Answer one query; `carried` is what was read of the same user's history for an earlier one.

        See `components.predictor.Carries`. Equal to `score` up to 1e-4 of a log-probability.

        Raises
        ------
        IntegrityError
            The store was made with another encoding than the model's.
        """
        model = self.model
        if self.precision.device.type != "cpu":
            return self.score(queries), None
        self._check(queries.store.encoding)
        if self._carrier is None:
            self._carrier = Carrier(model, self.temperatures)
        return self._carrier.answer(queries, carried if isinstance(carried, Seen) else None)

    def _check(self, encoding: Encoding) -> None:
        if encoding is self._checked:
            return
        if encoding_digests(encoding) != self._encoding:
            raise IntegrityError(
                f"events in the encoding that `{self.name}` was trained on",
                found="another vocabulary or other scales",
                do="Pack the events with the encoding of the model's artifact, or train again.",
            )
        self._checked = encoding

    def update(self, store: Store, rows: NDArray[np.int64]) -> None:
        """Does nothing: what happened is in the history that the next query brings."""

    def save(self, folder: Path) -> None:
        """Write `weights.safetensors` and `config.json`; the same model gives the same bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        self.write_weights(folder / "weights.safetensors")
        write_json(folder / "config.json", self.record())

    def write_weights(self, path: Path) -> None:
        """Write the weights."""
        save_tensors(path, self.model.state_dict())

    def read_weights(self, path: Path, model: SequenceModel, record: dict[str, Any]) -> SequenceModel:
        """Fill a model that is shapes alone (device meta) with the weights of a file, after every check of them."""
        tensors = load_tensors(path)
        check_like(tensors, model.state_dict(), str(path))
        return filled(model, tensors)

    def record(self) -> dict[str, Any]:
        """What `config.json` holds."""
        return {
            "format": FORMAT,
            "kind": self.KIND,
            "name": self.name,
            "seed": self.seed,
            "model": self.model.config.to_json(),
            "network": self.network.model_dump(),
            "loop": self.loop.model_dump(),
            "protocol": asdict(self.protocol),
            "primary": self.primary,
            "encoding": self._encoding,
            "temperatures": self.temperatures,
            "began_with": self.began_with,
        }

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; weights of another shape, torn files and pickles are refused.

        Raises
        ------
        IntegrityError, UnsafeFileError
            A file is not what `save` wrote.
        ConfigError
            It reads with a language model, and the extra for these is not installed.
        """
        saved = read_saved(folder, cls.KIND)
        here = saved.loop.model_copy(update={"device": "auto"}) if saved.loop.device == "cuda" else saved.loop
        found = cls(saved.name, saved.network, here, saved.protocol, saved.primary, saved.seed)  # it answers anywhere
        found.loop, found.temperatures, found.began_with = saved.loop, saved.temperatures, saved.began_with
        model = found.read_weights(folder / "weights.safetensors", shape_of(saved.config, folder), saved.record)
        check_tables(model)
        found._use(model.to(found.precision.device), saved.encoding)
        return found


def origin_of(folder: Path, name: str) -> Origin:
    """A trained network of a folder, for the model `name` to begin with.

    Raises
    ------
    ConfigError
        There is no such network, or its vocabulary is not at hand.
    IntegrityError
        The vocabulary there is not the one that it was trained with.
    """
    home = network_in(folder, name)
    network = NetworkPredictor.load(home)
    return network.as_origin(encoding_of(home), sha256_file(home / "weights.safetensors"))
