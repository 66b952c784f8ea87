"""A sequence model as a Predictor: fitted on windows, asked queries, saved as weights and JSON.

It reads the last `max_history` tokens of a visible history, whatever store holds them, as long as that store was made
with the encoding that the model was trained on. Its weights do not move between trainings. Never reads an answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from components.errors import ConfigError, IntegrityError
from components.evaluation.protocol import Protocol
from components.features.encoding import Encoding
from components.features.hexagon import unit_vectors
from components.features.store import Store
from components.files import digest_of, read_json, write_json
from components.language.pretrained import installed
from components.models.config import SequenceConfig, config_of
from components.models.encoders.language import LanguageEncoder
from components.models.heads import RESERVED
from components.models.sequence import Answers, SequenceModel
from components.models.weights import check_like, load_tensors, save_tensors
from components.params import NetworkParams, Params, TrainParams
from components.predictor import Capability, Queries, Scores, TimeDistribution, Tracker, Window
from components.training.batches import Corpus
from components.training.calibrate import calibrate, calibrated, checked
from components.training.checkpoint import Checkpoints
from components.training.device import choose
from components.training.finish import finish
from components.training.likelihood import Likelihood
from components.training.loop import Chooser, Trainer
from components.training.successors import count_successors
from components.training.tune import Judge, answers, blocks

_FORMAT = 4


class NetworkPredictor:
    """A sequence model that can be fitted and asked.

    Parameters
    ----------
    name : of the candidate model
    network : its shape
    loop : how it is trained
    protocol, primary : how the tune window is judged for early stopping, and by which metric
    seed : of weights, order and dropout
    checkpoints : folder to save to and resume from; None: nowhere
    """

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
        self.precision = choose(loop.device, loop.precision)
        self.capabilities: frozenset[Capability] = _capabilities(network.heads)
        self._model: SequenceModel | None = None
        self._encoding: dict[str, str] = {}
        self._checked: Encoding | None = None

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
        loop = _overridden(params.training.loop, entry.overrides, name)
        protocol = Protocol.of(params.evaluation)
        return cls(name, entry.network, loop, protocol, params.evaluation.primary, params.workspace.seed + seed_offset)

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
        vectors = train.store.vectors
        config = config_of(self.network, encoding, {name: one.shape[1] for name, one in vectors.items()})
        loop, device = self.loop, self.precision.device
        corpus = Corpus(train, config, loop.crops, loop.tokens_per_batch, self.seed, loop.open_intervals, loop.targets)
        _check_item_loss(config, loop)
        judge = Judge.of(tune, self.protocol, self.primary, loop.max_tune_queries, self.seed)
        chooser: Chooser = judge
        if loop.choose_by == "log_likelihood":
            chooser = Likelihood(
                Corpus(tune, config, "last", loop.tokens_per_batch, self.seed, loop.open_intervals, loop.targets)
            )
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            model = initial_model(config, encoding, corpus, self.seed).to(device)
            checkpoints = None if self.checkpoints is None else Checkpoints(self.checkpoints)
            trainer = Trainer(model, corpus, chooser, loop, self.precision, self.seed, tracker, checkpoints)
            self.curves = trainer.fit()
        self.temperatures = {}
        if loop.calibration == "temperature" and len(judge):
            self.temperatures, row = calibrate(model, judge, self.precision)
            self.curves.append({"step": float(trainer.state.step), "epoch": self.curves[-1]["epoch"], **row})
            tracker.log(row, trainer.state.step)
        if loop.finish_epochs:
            crops = (loop.crops, loop.tokens_per_batch, self.seed, loop.open_intervals, loop.targets)
            whole = Corpus(train, config, *crops, also=(tune.name,))
            checkpoints = None if self.checkpoints is None else Checkpoints(self.checkpoints / "finish")
            finish(model, whole, loop, self.precision, self.seed, tracker, checkpoints)
        if isinstance(model.encoder, LanguageEncoder):
            model.encoder.settle()
        self._use(model, encoding_digests(encoding))

    def _use(self, model: SequenceModel, encoding: dict[str, str]) -> None:
        self._model, self._encoding, self._checked = model.eval(), encoding, None
        self.capabilities = _capabilities(model.config.heads)  # less what the data has no ground for

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
        return _scores(parts, order, model.config)

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
        save_tensors(folder / "weights.safetensors", self.model.state_dict())
        record: dict[str, Any] = {
            "format": _FORMAT,
            "kind": "network",
            "name": self.name,
            "seed": self.seed,
            "model": self.model.config.to_json(),
            "network": self.network.model_dump(),
            "loop": self.loop.model_dump(),
            "protocol": asdict(self.protocol),
            "primary": self.primary,
            "encoding": self._encoding,
            "temperatures": self.temperatures,
        }
        write_json(folder / "config.json", record)

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
        record = read_json(folder / "config.json")
        if not isinstance(record, dict) or record.get("format") != _FORMAT or record.get("kind") != "network":
            raise IntegrityError(
                f"a network's config.json in {folder}",
                found=f"format {record.get('format') if isinstance(record, dict) else record!r}",
                do="Train the model again, or load it with the version that wrote it.",
            )
        try:
            network = NetworkParams.model_validate(record["network"])
            loop = TrainParams.model_validate(record["loop"])
            protocol = Protocol(**record["protocol"])
            found = cls(record["name"], network, loop, protocol, record["primary"], int(record["seed"]))
            found.temperatures = checked(record["temperatures"])
            config, encoding = SequenceConfig.from_json(record["model"]), dict(record["encoding"])
        except (ConfigError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise IntegrityError(
                f"a network's config.json in {folder}", found=f"{error!r:.200}", do="Train the model again."
            ) from error
        found._use(_loaded(config, folder).to(found.precision.device), encoding)
        return found


def _loaded(config: SequenceConfig, folder: Path) -> SequenceModel:
    """The model of a configuration and weights that a file brought, each believed only after a look."""
    if config.language is not None:
        installed()
    try:
        with torch.device("meta"):  # shapes alone: nothing is allocated on the word of a file
            model = SequenceModel(config)
    except (ConfigError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise IntegrityError(
            f"a network's config.json in {folder}", found=f"{error!r:.200}", do="Train the model again."
        ) from error
    tensors = load_tensors(folder / "weights.safetensors")
    check_like(tensors, model.state_dict(), str(folder / "weights.safetensors"))
    if isinstance(model.encoder, LanguageEncoder):
        model.encoder.materialise()
    model.load_state_dict(tensors, assign=True)
    model.embedding.table.check()
    if isinstance(model.encoder, LanguageEncoder):
        model.encoder.texts.check()
    if model.item.transitions is not None:
        model.item.transitions.check()
    return model


def _check_item_loss(config: SequenceConfig, loop: TrainParams) -> None:
    """What the item's probability is made of says which losses can be learned by."""
    kind = loop.item_loss.kind
    if kind != "full" and (config.item_bias or config.distance):
        raise ConfigError(
            "`training.loop.item_loss.kind: full` for a network with item bias or distance",
            found=kind,
            do="Set it so, or switch these off in the network.",
        )
    estimates = kind == "full" or (kind == "sampled" and loop.item_loss.logq)
    if not estimates and (config.copy_heads or config.transition_lags):
        raise ConfigError(
            "`training.loop.item_loss` full, or sampled with logq, for a network with copy heads or transitions, which "
            "mixes probabilities",
            found=f"{kind}, logq {loop.item_loss.logq}",
            do="Set it so, or switch these off in the network.",
        )


def initial_model(config: SequenceConfig, encoding: Encoding, corpus: Corpus, seed: int) -> SequenceModel:
    """A model with fresh weights: drawn from the seed, its time head started at the training window's gaps."""
    torch.manual_seed(seed)
    model = SequenceModel(config)
    if isinstance(model.encoder, LanguageEncoder):
        model.encoder.begin(encoding)
    model.embedding.table.category.copy_(torch.from_numpy(encoding.catalogue.category.astype(np.int32)))
    content = model.embedding.table.content
    if content is not None:
        parts = [np.asarray(corpus.store.vectors[name], np.float32) for name, _ in config.vectors]
        content.vectors.copy_(torch.from_numpy(np.concatenate(parts, axis=1)))
    if model.item.bias is not None:
        seen = np.asarray(corpus.store["item"])[corpus.trained]
        count = np.bincount(seen, minlength=config.items)[RESERVED : config.trained] + 1.0
        popular = torch.from_numpy(np.log(count / count.sum())).float()
        with torch.no_grad():
            if content is not None and content.logit is not None:  # where nothing else is known: that of the mean item
                content.logit.bias.fill_(float(popular.mean()))
                popular = popular - popular.mean()
            model.item.bias.copy_(popular)
    if model.item.distance is not None:
        places = (
            np.radians(np.asarray(of, np.float64)) for of in (encoding.catalogue.latitude, encoding.catalogue.longitude)
        )
        model.item.distance.points.copy_(torch.from_numpy(np.nan_to_num(unit_vectors(*places).T).astype(np.float32)))
    if model.item.transitions is not None:
        count_successors(corpus.store, corpus.trained, model.item.transitions)
    gaps = corpus.log_gaps() if model.time is not None else np.empty(0)
    if model.time is not None and len(gaps):
        share = (np.arange(config.time_components) + 0.5) / config.time_components
        means = np.quantile(gaps, share).astype(np.float32)
        model.time.start_at(torch.from_numpy(means), float(np.std(gaps)) / 2)
    return model


def _capabilities(heads: Iterable[str]) -> frozenset[Capability]:
    names: tuple[Capability, ...] = get_args(Capability)
    return frozenset(name for name in names if name in heads)


def encoding_digests(encoding: Encoding) -> dict[str, str]:
    """Kind of vocabulary → digest of its ids in order; `scales` → digest of the numbers' statistics."""
    found = {kind: digest_of([str(name) for name in words.ids]) for kind, words in encoding.vocabularies.items()}
    scales = [[name, s.fill, s.centre, s.spread, s.params.model_dump()] for name, s in encoding.scales.items()]
    return {**dict(sorted(found.items())), "scales": digest_of(scales)}


def _overridden(loop: TrainParams, overrides: dict[str, Any], name: str) -> TrainParams:
    record = loop.model_dump()
    unknown = sorted(set(overrides) - set(record))
    if unknown:
        raise ConfigError(
            f"overrides of `{name}` that are knobs of training.loop",
            found=f"`{unknown[0]}`",
            do=f"Use some of {', '.join(record)}.",
        )
    return TrainParams.model_validate({**record, **overrides})


def _scores(parts: list[Answers], order: NDArray[np.int64], config: SequenceConfig) -> Scores:
    """Blocks of answers, back in the order of the queries, as arrays over all codes."""

    def back(columns: list[torch.Tensor], fill: float | None) -> NDArray[np.float32]:
        width = columns[0].shape[1] if columns else 0
        ahead = 0 if fill is None else RESERVED
        out = np.full((len(order), ahead + width), fill or 0.0, np.float32)
        start = 0
        for column in columns:
            out[order[start : start + len(column)], ahead:] = column.float().cpu().numpy()
            start += len(column)
        return out

    def probabilities(name: str) -> NDArray[np.float32] | None:
        if name not in config.heads:
            return None
        return back([getattr(part, name).exp() for part in parts], 0.0)

    time = None
    if "time" in config.heads:
        weight, mean, sigma = (back([part.time[i] for part in parts if part.time], None) for i in range(3))
        time = TimeDistribution(np.exp(weight), mean, sigma)
    return Scores(back([part.item for part in parts], -np.inf), probabilities("action"), time, probabilities("place"))
