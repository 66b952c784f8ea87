"""Everything that fixes the shape of a sequence model: one frozen record, saved as JSON beside the weights.

Built from `params.yaml` and the sizes of an Encoding; a model is rebuilt from this record alone. Never holds weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from components.errors import ConfigError, IntegrityError
from components.features.encoding import UNKNOWN, Encoding, resolution_of
from components.language.folders import digest_of_model, locate
from components.language.pretrained import describe, room_of
from components.language.wording import pieces
from components.params import EncoderParams, NetworkParams

INPUTS = ("item", "action", "numbers", "clock", "cells", "device", "category", "position")
HEADS = ("item", "action", "time", "place", "place_coarse", "category")


@dataclass(frozen=True)
class SequenceConfig:
    """Shape of a SequenceModel.

    Attributes
    ----------
    items, actions, devices, categories : sizes of the vocabularies, padding and unknown included
    trained : item codes below this have weights of their own; those behind are answered by their vectors alone
    cells : (H3 resolution, size of its vocabulary), coarse first
    numbers : columns of Store.numbers
    encoder, options : a name of ENCODERS and its options
    width : d, of the states
    max_history : L, the longest sequence, start token included
    dropout : share of hidden units dropped in training, and of requests hidden from a request-aware model
    inputs : which of INPUTS are read
    heads : which of HEADS answer, with the weight of each loss; place is the cell at the finest resolution,
        place_coarse at the coarsest, category that of the next item
    time_components : C, log-normals of the time head
    request_clock : whether the answer is conditioned on the request's time
    conditioning : how the request changes the state: film or rotation
    copy_heads : H, of the copy head; 0: none
    transition_lags : of the transition head, how many of the last items it looks up; 0: none
    successors : K, items that the transition head keeps for each item and lag
    item_bias : whether each item has a logit of its own
    distance : whether the item head knows how far each item is
    vectors : (name, width) of what is known of the items besides events
    vector_drop : share of the items whose id training hides in a step
    temperature : of the cosine item head; None: dot product
    language : of the encoder lm: `architecture`, `digest` and `first` of its language model
        (`components.language.pretrained.describe`), and `timed`, whether its texts tell when; else None
    """

    items: int
    trained: int
    actions: int
    devices: int
    categories: int
    cells: tuple[tuple[int, int], ...]
    numbers: int
    encoder: str
    options: Mapping[str, float | int | str | bool]
    width: int
    max_history: int
    dropout: float
    inputs: tuple[str, ...]
    heads: Mapping[str, float]
    time_components: int
    request_clock: bool
    conditioning: str
    copy_heads: int
    transition_lags: int
    successors: int
    item_bias: bool
    distance: bool
    vectors: tuple[tuple[str, int], ...]
    vector_drop: float
    temperature: float | None
    language: Mapping[str, Any] | None

    @property
    def reads_points(self) -> bool:
        """Whether the model asks where events were, beyond the cells that are inputs."""
        mixes = self.copy_heads > 0 or self.distance
        return (mixes and bool(self.cells)) or "place" in grounds(self.options)

    @property
    def mask_share(self) -> float | None:
        """Share of the events that training hides, for an encoder that sees both sides of them; None: it is causal."""
        value = self.options.get("mask_share")
        return None if value is None else float(value)

    @property
    def told_columns(self) -> tuple[str, ...]:
        """Codes that the texts of events depend on, beside those that are inputs."""
        if self.language is None:
            return ()
        found = pieces(str(self.options["template"]), bool(self.language["timed"]))
        return tuple(dict.fromkeys(piece.column for piece in found if piece.column != "gap"))

    def to_json(self) -> dict[str, Any]:
        """Plain record for `config.json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Any) -> SequenceConfig:
        """Read back what `to_json` wrote; a record with other keys is refused."""
        names = {field.name for field in fields(cls)}
        if not isinstance(record, dict) or set(record) != names:
            found = sorted(set(record) ^ names) if isinstance(record, dict) else type(record).__name__
            raise IntegrityError(
                "a sequence model's configuration",
                found=f"missing or unknown keys {found}",
                do="Train the model again, or load it with the version that wrote it.",
            )
        cells = tuple((int(resolution), int(size)) for resolution, size in record["cells"])
        vectors = tuple((str(name), int(width)) for name, width in record["vectors"])
        if not UNKNOWN < record["trained"] <= record["items"] or any(width < 1 for _, width in vectors):
            raise IntegrityError(
                "items that were trained among all, and vectors of one number or more",
                found=f"{record['trained']!r:.20} of {record['items']!r:.20} items, vectors {vectors!r:.80}",
                do="Train the model again.",
            )
        return cls(**{**record, "cells": cells, "vectors": vectors, "inputs": tuple(record["inputs"])})


def grounds(options: Mapping[str, object]) -> frozenset[str]:
    """What a log must have for an encoder with these options: of time, place."""
    asked = {options.get("bias"), options.get("gates")}
    found = {"time": {"time", "both"}, "place": {"space", "both"}}
    return frozenset(ground for ground, words in found.items() if asked & words)


def _check_grounds(encoder: EncoderParams, timed: bool, placed: bool) -> None:
    has = {ground for ground, there in (("time", timed), ("place", placed)) if there}
    missing = sorted(grounds(encoder.options) - has)
    if missing:
        raise ConfigError(
            f"a log with {' and '.join(missing)} for the encoder {encoder.kind} with {encoder.options}",
            found="order alone (`time_kind: ordinal`)" if "time" in missing else "no places",
            do="Set `bias` of `encoder.options` to what the log has (`none` for nothing), or `gates` likewise.",
        )


def _check_mixes(params: NetworkParams) -> None:
    kind, lags = params.encoder.kind, params.transitions.lags
    if kind == "seq2seq" and (params.copy_heads or lags or params.item_bias or params.distance):
        raise ConfigError(
            "no copy heads, transitions, item bias or distance with the encoder seq2seq, whose lists are learned by a "
            "plain softmax",
            found=f"copy_heads {params.copy_heads}, transitions.lags {lags}, item_bias {params.item_bias}, "
            f"distance {params.distance}",
            do="Set them to 0 and false.",
        )
    if kind == "bert" and lags:
        raise ConfigError(
            "no transitions with the encoder bert, which answers for events that are hidden between others",
            found=f"transitions.lags {lags}",
            do="Set it to 0.",
        )


def _check_vectors(params: NetworkParams, there: Mapping[str, int]) -> None:
    missing = [name for name in params.vectors.sources if name not in there]
    twice = len(set(params.vectors.sources)) < len(params.vectors.sources)
    if missing or twice:
        raise ConfigError(
            "`network.vectors.sources` that are in features.vectors, each once",
            found=f"{params.vectors.sources}, where there are {sorted(there)}",
            do="Describe them under features.vectors in params.yaml and run the features stage, or leave them out.",
        )


def _language(params: NetworkParams, timed: bool) -> dict[str, Any] | None:
    """What `SequenceConfig.language` says of the model that an encoder lm names."""
    if params.encoder.kind != "lm":
        return None
    options = params.encoder.options
    model, template, layers, tokens = (options.get(name) for name in ("model", "template", "layers", "tokens"))
    sound = all(isinstance(one, int) and not isinstance(one, bool) and one > 0 for one in (layers, tokens))
    if not isinstance(model, str) or not isinstance(template, str) or not sound:
        raise ConfigError(
            "options model, template, layers and tokens of the encoder lm",
            found=f"{options}",
            do="Mend `encoder.options` in params.yaml.",
        )
    pieces(template, timed)
    found = describe(model, int(layers or 0)) | {"timed": timed}
    room, longest = room_of(found["architecture"]), 1 + params.max_history * int(tokens or 0)
    if longest > room:
        raise ConfigError(
            f"histories that `{model}` can read whole: at most {room} tokens",
            found=f"max_history {params.max_history} × {tokens} tokens of an event",
            do="Lower `max_history`, or `tokens` of `encoder.options`, in params.yaml.",
        )
    return found


def language_digest(params: NetworkParams) -> str | None:
    """Digest of the language model that an encoder lm would read now; None for another encoder.

    Raises
    ------
    ConfigError
        There is no such model.
    """
    if params.encoder.kind != "lm":
        return None
    return digest_of_model(locate(str(params.encoder.options.get("model"))))


def config_of(params: NetworkParams, encoding: Encoding, vectors: Mapping[str, int] | None = None) -> SequenceConfig:
    """Shape of the model that `params` asks for on data with this encoding.

    Where a log has order but no time (`time_kind: ordinal`), inputs, heads and requests that need a clock are off;
    where it has no places, those that need cells are.

    Parameters
    ----------
    params : of the network
    encoding : of the data
    vectors : widths of the vectors of items that the data has, by name

    Raises
    ------
    ConfigError
        An input or a head that does not exist, nothing to predict, vectors that the data lacks, an encoder that needs
        times or places that the log does not have, or a language model that is not there or cannot read histories of
        that length.
    """
    unknown = sorted(set(params.inputs) - set(INPUTS)) + sorted(set(params.heads) - set(HEADS))
    lone = "category" in params.inputs and "item" not in params.inputs  # a category is read as a part of its item
    points = params.copy_heads > 0 or params.transitions.lags > 0
    blind = points and "item" not in params.inputs
    if unknown or lone or blind or "item" not in params.heads:
        raise ConfigError(
            f"inputs of {', '.join(INPUTS)} and heads of {', '.join(HEADS)} with item (category, copy heads and "
            "transitions only where item is an input)",
            found=f"inputs {params.inputs}, heads {sorted(params.heads)}, copy heads {params.copy_heads}, "
            f"transition lags {params.transitions.lags}",
            do="Mend `training.models` in params.yaml.",
        )
    _check_mixes(params)
    _check_vectors(params, vectors or {})
    timed = encoding.settings.get("time_kind") != "ordinal"
    sizes = {kind: len(vocabulary) for kind, vocabulary in encoding.vocabularies.items()}
    cells = tuple((resolution_of(kind), sizes[kind]) for kind in encoding.cells)
    placed = any(size > 2 for _, size in cells)
    absent = set() if timed else {"clock", "time"}
    absent |= set() if placed else {"cells", "place"}
    silent = absent | (set() if placed and len(cells) > 1 else {"place_coarse"})
    silent |= set() if sizes.get("category", 2) > 3 else {"category"}  # one category is no question
    _check_grounds(params.encoder, timed, placed)
    return SequenceConfig(
        items=sizes["item"],
        trained=encoding.n_trained,
        actions=sizes["action"],
        devices=sizes.get("device", 2),
        categories=sizes.get("category", 2),
        cells=cells,
        numbers=len(encoding.scales),
        encoder=params.encoder.kind,
        options=dict(params.encoder.options),
        width=params.width,
        max_history=params.max_history,
        dropout=params.dropout,
        inputs=tuple(name for name in INPUTS if name in params.inputs and name not in absent),
        heads={name: params.heads[name] for name in HEADS if name in params.heads and name not in silent},
        time_components=params.time_components,
        request_clock=timed and params.target_time == "given",
        conditioning=params.conditioning,
        copy_heads=params.copy_heads,
        transition_lags=params.transitions.lags,
        successors=params.transitions.successors,
        item_bias=params.item_bias,
        distance=placed and params.distance,
        vectors=tuple((name, (vectors or {})[name]) for name in params.vectors.sources),
        vector_drop=params.vectors.drop if params.vectors.sources else 0.0,
        temperature=params.temperature,
        language=_language(params, timed),
    )
