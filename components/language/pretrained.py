"""Pretrained language models (BERT- or GPT-like) by transformers: found, checked, loaded, asked for vectors of texts.

A model is a folder of `config.json`, tokenizer files and safetensors; `folders.locate` finds it. Nothing of it is
executed: no remote code, no pickled weights, no kernels of others. The same files give the same vectors.
Never trains anything, and never decides what is written to a model.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from components.errors import ConfigError, IntegrityError
from components.language.folders import digest_of_model, locate

#: Parts of a checkpoint that nobody reads here, so that one without them is whole: what pools, what guesses words.
_UNREAD = ("pooler.",)
#: What a model's configuration says of where it came from, how it is stored and what else is to be run: never believed.
_FOREIGN = {"auto_map", "architectures", "transformers_version", "dtype", "torch_dtype", "quantization_config"}
_FOREIGN |= {"id2label", "label2id", "attn_implementation"}
#: Families whose positions begin behind that of the padding.
_OFFSET = {"roberta": 2, "xlm-roberta": 2, "camembert": 2}
_PLAIN: Mapping[str, Any] = {"local_files_only": True, "trust_remote_code": False}
_UNBOUNDED = 1 << 15  # tokens, where a model has no largest position


@dataclass(frozen=True)
class Pretrained:
    """A loaded model.

    Attributes
    ----------
    name : as it was asked for
    folder : its files
    module : gives `last_hidden_state` (B, T, hidden); in eval mode, float32, on the CPU
    tokenizer : of transformers
    architecture : the module's configuration, plain JSON; `bare` makes the module without weights from it
    """

    name: str
    folder: Path
    module: nn.Module
    tokenizer: Any
    architecture: Mapping[str, Any]

    @cached_property
    def digest(self) -> str:
        """Hex digest of the files that were loaded, for caches and lineage."""
        return digest_of_model(self.folder)

    @property
    def width(self) -> int:
        """Size of a token's vector."""
        return width_of(self.architecture)

    @property
    def room(self) -> int:
        """Tokens that it can read at once."""
        return room_of(self.architecture)

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without those that begin or end a sequence."""
        if not texts:
            return []
        found: list[list[int]] = self.tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        return found

    @torch.inference_mode()
    def embed(self, texts: Sequence[str], batch: int) -> NDArray[np.float32]:
        """Vectors of texts: the mean over their tokens, of length 1 (Reimers and Gurevych 2019, Sentence-BERT).

        Parameters
        ----------
        texts : n of any length; a longer one than the model can read is cut. An empty one is read as what begins and
            ends a sequence, or has the vector 0 where the model has no such tokens.
        batch : texts that are read at once

        Returns
        -------
        (n, width) float32, in the order of `texts`.

        Raises
        ------
        ConfigError
            `batch` is less than 1.
        """
        if batch < 1:
            raise ConfigError("a batch of one text or more", found=str(batch), do="Mend it.")
        out = np.zeros((len(texts), self.width), np.float32)
        if not texts:
            return out
        coded = self.tokenizer(list(texts), truncation=True, max_length=self.room, verbose=False)["input_ids"]
        order = sorted(range(len(coded)), key=lambda row: len(coded[row]))  # texts of like length waste no padding
        filled = [row for row in order if coded[row]]
        for start in range(0, len(filled), batch):
            rows = filled[start : start + batch]
            out[rows] = self._means([coded[row] for row in rows]).numpy()
        return out

    def _means(self, coded: Sequence[Sequence[int]]) -> Tensor:
        """(b, width) of b texts as token ids."""
        longest = max(len(one) for one in coded)
        ids = torch.zeros(len(coded), longest, dtype=torch.int64)
        mask = torch.zeros(len(coded), longest, dtype=torch.int64)
        for row, one in enumerate(coded):
            ids[row, : len(one)], mask[row, : len(one)] = torch.tensor(one), 1
        states = self.module(input_ids=ids, attention_mask=mask).last_hidden_state.float()  # (b, T, width)
        total = (states * mask[..., None]).sum(1)
        return torch.nn.functional.normalize(total / mask.sum(1, keepdim=True), dim=1)


def load_pretrained(name: str, layers: int | None = None) -> Pretrained:
    """The model and tokenizer that `name` names, ready to read.

    Parameters
    ----------
    name : a folder, `package:NAME/FOLDER` or `hub:OWNER/NAME[@REVISION]` (see `folders.locate`); only the last
        ever leaves this machine
    layers : the first so many are kept, at most; None: all

    Raises
    ------
    ConfigError
        The extra is not installed, there is no such model, or its files are not safetensors and plain configuration.
    """
    transformers, folder, config, tokenizer = _read(name, layers)
    with _quietly(transformers), _refusing(folder):
        module, told = transformers.AutoModel.from_pretrained(
            folder,
            config=config,
            use_safetensors=True,
            dtype=torch.float32,
            attn_implementation="sdpa",
            output_loading_info=True,
            **_PLAIN,
        )
    missing = sorted(key for key in told["missing_keys"] if not key.startswith(_UNREAD))
    if missing:
        raise ConfigError(
            f"all weights of a {config.model_type} in {folder}",
            found=f"{len(missing)} that are missing, `{missing[0]}` the first",
            do="Bring the model's own files there.",
        )
    return Pretrained(name, folder, module.eval(), tokenizer, _architecture(config))


def describe(name: str, layers: int) -> dict[str, Any]:
    """What fixes the shape of a model, without its weights: a plain JSON record.

    Parameters
    ----------
    name, layers : as for `load_pretrained`

    Returns
    -------
    dict
        `architecture`, `digest` of the files, and `first`, the id of the token that begins a sequence.

    Raises
    ------
    ConfigError
        See `load_pretrained`.
    """
    _, folder, config, tokenizer = _read(name, layers)
    return {"architecture": _architecture(config), "digest": digest_of_model(folder), "first": _first(tokenizer)}


def installed() -> None:
    """Raise ConfigError where the extra `text` is not installed."""
    _engine()


def bare(architecture: Mapping[str, Any]) -> nn.Module:
    """The module of an architecture with fresh weights, on torch's current device.

    Raises
    ------
    ConfigError
        The extra is not installed.
    IntegrityError
        transformers has no such architecture.
    """
    transformers = _engine()
    known = {key: value for key, value in architecture.items() if not key.startswith("_") and key not in _FOREIGN}
    try:
        with _quietly(transformers):
            config = transformers.AutoConfig.for_model(**known)
            module: nn.Module = transformers.AutoModel.from_config(
                config, attn_implementation="sdpa", dtype=torch.float32, trust_remote_code=False
            )
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise IntegrityError(
            "the configuration of a language model that this transformers knows",
            found=f"{type(error).__name__}: {error!s:.200}",
            do="Train the model again, or install the version of transformers that it was trained with.",
        ) from error
    return module


def width_of(architecture: Mapping[str, Any]) -> int:
    """Size of a token's vector."""
    return int(next(architecture[key] for key in ("hidden_size", "n_embd", "dim", "d_model") if key in architecture))


def room_of(architecture: Mapping[str, Any]) -> int:
    """Tokens that a model of an architecture can read at once."""
    keys = ("max_position_embeddings", "n_positions")
    largest = next((int(architecture[key]) for key in keys if architecture.get(key)), _UNBOUNDED)
    return largest - _OFFSET.get(str(architecture.get("model_type")), 0)


def _read(name: str, layers: int | None) -> tuple[Any, Path, Any, Any]:
    """transformers, and a model's folder, configuration and tokenizer."""
    transformers = _engine()
    folder = locate(name)
    with _quietly(transformers), _refusing(folder):
        config = transformers.AutoConfig.from_pretrained(folder, **_PLAIN)
        config.num_hidden_layers = min(config.num_hidden_layers, layers or config.num_hidden_layers)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **_PLAIN)
    return transformers, folder, config, tokenizer


def _first(tokenizer: Any) -> int:
    known = (tokenizer.cls_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id)
    return next((int(one) for one in known if one is not None), 0)


@contextmanager
def _refusing(folder: Path) -> Iterator[None]:
    """Turn what transformers says of a folder into one clear message."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError) as error:
        raise ConfigError(
            f"a language model that transformers reads without running code of its own, at {folder}",
            found=f"{type(error).__name__}: {error!s:.300}",
            do="Name a BERT- or GPT-like model with config.json, tokenizer files and safetensors.",
        ) from error


def _architecture(config: Any) -> dict[str, Any]:
    """A configuration as plain JSON, without what must not be believed."""
    record: dict[str, Any] = config.to_dict()
    return {key: value for key, value in sorted(record.items()) if not key.startswith("_") and key not in _FOREIGN}


def _engine() -> Any:
    """The module transformers.

    Raises
    ------
    ConfigError
        It is not installed.
    """
    try:
        import transformers  # takes seconds, and is an extra
    except ImportError as error:
        raise ConfigError(
            "the extra `text` for language models", found=str(error), do="Run: pip install 'chronotope[text]'"
        ) from error
    return transformers


@contextmanager
def _quietly(transformers: Any) -> Iterator[None]:
    """Without the bars and remarks of transformers, which are for people at a notebook."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity(logging.ERROR)
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()
