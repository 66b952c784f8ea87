"""How a training begins: a model with fresh weights, the loop with a model's own overrides, what does not go together.

Never trains, and reads of the log only what the training window says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from components.errors import ConfigError, IntegrityError
from components.features.encoding import Encoding
from components.features.hexagon import unit_vectors
from components.files import digest_of, digest_of_texts
from components.language.pretrained import installed
from components.models.config import SequenceConfig
from components.models.encoders.language import LanguageEncoder
from components.models.heads import RESERVED
from components.models.sequence import SequenceModel
from components.params import TrainParams
from components.training.batches import Corpus
from components.training.successors import count_successors

_DRAWS: set[Any] = {torch.Tensor.normal_, torch.Tensor.uniform_, torch.nn.init.normal_, torch.nn.init.uniform_}


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


class _Undrawn(TorchFunctionMode):
    """Leaves out what draws weights: shapes have none, and torch would take seconds to load its compiler for it."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        if func in _DRAWS:
            return args[0] if args else named["tensor"]
        return func(*args, **named)


def shape_of(config: SequenceConfig, folder: Path) -> SequenceModel:
    """The model of a configuration that a file brought, as shapes alone: nothing is allocated on the word of a file."""
    if config.language is not None:
        installed()
    try:
        with torch.device("meta"), _Undrawn():
            return SequenceModel(config)
    except (ConfigError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise IntegrityError(
            f"a network's config.json in {folder}", found=f"{error!r:.200}", do="Train the model again."
        ) from error


def filled(model: SequenceModel, tensors: Mapping[str, torch.Tensor]) -> SequenceModel:
    """A model that is shapes alone, with weights that were checked."""
    if isinstance(model.encoder, LanguageEncoder):
        model.encoder.materialise()
    model.load_state_dict(tensors, assign=True)
    return model


def check_tables(model: SequenceModel) -> None:
    """What weights alone do not tell: codes of categories, of words and of what follows what, as they were read.

    Raises
    ------
    IntegrityError
        One of them points at what is not there.
    """
    model.embedding.table.check()
    if isinstance(model.encoder, LanguageEncoder):
        model.encoder.texts.check()
    if model.item.transitions is not None:
        model.item.transitions.check()


def check_item_loss(config: SequenceConfig, loop: TrainParams, baskets: bool) -> None:
    """What the item's probability is made of, and whether an answer is a basket, says which losses can be learned by.

    Raises
    ------
    ConfigError
        The network cannot be learned by this loss.
    """
    kind = loop.item_loss.kind
    stepwise = config.encoder in ("bert", "seq2seq")  # they learn events that lie inside a basket
    if baskets and (kind != "full" or loop.label_smoothing or config.transition_lags or stepwise):
        raise ConfigError(
            "with `evaluation.ties: basket`, `training.loop.item_loss.kind: full` without label smoothing, and a "
            "network without transitions whose encoder is neither bert nor seq2seq",
            found=f"{kind}, smoothing {loop.label_smoothing}, {config.transition_lags} lags, {config.encoder}",
            do="Set them so: a basket is learned whole, from what was there before it.",
        )
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


def overridden(loop: TrainParams, overrides: dict[str, Any], name: str) -> TrainParams:
    """The loop with what one model has otherwise.

    Raises
    ------
    ConfigError
        An override is not one of its knobs.
    """
    record = loop.model_dump()
    unknown = sorted(set(overrides) - set(record))
    if unknown:
        raise ConfigError(
            f"overrides of `{name}` that are knobs of training.loop",
            found=f"`{unknown[0]}`",
            do=f"Use some of {', '.join(record)}.",
        )
    return TrainParams.model_validate({**record, **overrides})


def encoding_digests(encoding: Encoding) -> dict[str, str]:
    """Kind of vocabulary → digest of its ids in order; `scales` → digest of the numbers' statistics."""
    found = {kind: digest_of_texts(map(str, words.ids)) for kind, words in encoding.vocabularies.items()}
    scales = [[name, s.fill, s.centre, s.spread, s.params.model_dump()] for name, s in encoding.scales.items()]
    return {**dict(sorted(found.items())), "scales": digest_of(scales)}
