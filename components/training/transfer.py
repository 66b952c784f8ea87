"""Weights of a trained network for another one: on another log, of other heads, or of the same log some days later.

Every tensor whose name and shape agree is taken. Where rows stand for ids (items, cells, actions, categories, devices)
they are taken id by id, so that a vocabulary may grow, shrink or change its order; a new id keeps its fresh row. What
is looked up or counted in the log (categories and places of items, successors) is never taken. Read are weights,
configuration and vocabulary by their own safe loaders; nothing is executed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from components.errors import ConfigError
from components.features.encoding import Encoding
from components.files import read_json
from components.models.config import SequenceConfig
from components.models.heads import RESERVED
from components.models.sequence import SequenceModel

logger = logging.getLogger(__name__)
#: Made from the log itself.
_OWN = frozenset(
    {"embedding.table.category", "embedding.table.content.vectors", "item.distance.points"}
    | {f"item.transitions.{name}" for name in ("successor", "count", "total")}
)


@dataclass(frozen=True)
class Origin:
    """A trained network that another begins with.

    Attributes
    ----------
    tensors : name → weights
    config : its shape
    encoding : what its rows stand for
    digest : of its weights, or of the artifact that holds them
    """

    tensors: Mapping[str, Tensor]
    config: SequenceConfig
    encoding: Encoding
    digest: str


def encoding_of(folder: Path) -> Encoding:
    """The vocabulary behind a network's folder: in it or above it (an artifact), or of the workspace that it lies in.

    Raises
    ------
    ConfigError
        There is none.
    """
    for place in (folder, *folder.parents[:3]):
        for home in (place, place / "data" / "features" / "encoding"):
            if (home / "encoding.json").is_file():
                return Encoding.load(home)
    raise ConfigError(
        f"the vocabulary of the network in {folder}",
        found="no encoding.json there, above it, or in data/features/encoding of its workspace",
        do="Name an artifact (.chronotope/artifacts/…), or a model of a workspace whose features are there.",
    )


def network_in(folder: Path, name: str) -> Path:
    """The network that a folder holds: itself, or of the parts of a blend the one of that name, or the only one.

    Raises
    ------
    ConfigError
        There is no such folder, or no network or more than one in it.
    """
    if not (folder / "config.json").is_file():
        raise ConfigError(
            f"a trained network for `training.models.{name}.start_from`",
            found=f"no config.json in {folder}",
            do="Name a folder below models/, or an artifact.",
        )
    record = read_json(folder / "config.json")
    if record.get("kind") == "network":
        return folder
    parts = [folder / f"part_{part}" for part in record.get("parts", ()) if (folder / f"part_{part}").is_dir()]
    inside = [part for part in parts if read_json(part / "config.json").get("kind") == "network"]
    chosen = [part for part in inside if part.name == f"part_{name}"] or inside
    if len(chosen) != 1:
        raise ConfigError(
            f"one network for `training.models.{name}.start_from`",
            found=f"{len(chosen)} in {folder}, a {record.get('kind')}",
            do="Name the folder of the part itself.",
        )
    return chosen[0]


def carry(model: SequenceModel, encoding: Encoding, origin: Origin) -> dict[str, str]:
    """Take what agrees into a fresh model.

    Parameters
    ----------
    model : changed in place
    encoding : of the log that it will learn
    origin : what is taken from

    Returns
    -------
    dict
        Tensor → what was taken of it: "all", "17 of 20 rows", or "fresh: " and why; those of the log are left out.
    """
    target = dict(model.state_dict())
    kinds, theirs = _kinds(model.config), _kinds(origin.config)
    told: dict[str, str] = {}
    with torch.no_grad():
        for name, tensor in target.items():
            if name in _OWN:
                continue
            found = origin.tensors.get(name)
            if found is None:
                told[name] = "fresh: the other has none"
            elif name in kinds and kinds[name] == theirs.get(name):
                told[name] = _rows(tensor, found, *kinds[name], encoding, origin.encoding)
            elif found.shape != tensor.shape or found.dtype != tensor.dtype:
                told[name] = f"fresh: {tuple(found.shape)} there, {tuple(tensor.shape)} here"
            elif name == "embedding.numbers.weight" and list(encoding.scales) != list(origin.encoding.scales):
                told[name] = "fresh: other numbers"
            elif name in kinds or name in theirs:
                told[name] = "fresh: its rows stand for something else"
            else:
                tensor.copy_(found)
                told[name] = "all"
    taken = sum(not one.startswith("fresh") for one in told.values())
    logger.info("took %d of %d tensors", taken, len(told))
    for name, one in told.items():
        if one != "all":
            logger.info("  %s: %s", name, one)
    return told


def _rows(tensor: Tensor, found: Tensor, kind: str, ahead: int, mine: Encoding, theirs: Encoding) -> str:
    """Copy the rows of ids that both know; `ahead` codes have no row."""
    if found.shape[1:] != tensor.shape[1:] or found.dtype != tensor.dtype:
        return f"fresh: rows of {tuple(found.shape[1:])} there, of {tuple(tensor.shape[1:])} here"
    old = theirs.vocabularies[kind].code_of
    ids = [str(name) for name in mine.vocabularies[kind].ids[RESERVED:]]
    pairs = [(code, old[name]) for code, name in enumerate(ids, RESERVED) if name in old]
    rows, theirs_rows = len(tensor) + ahead, len(found) + ahead  # items that nobody touched have an id and no row
    pairs = [(here, there) for here, there in pairs if here < rows and there < theirs_rows]
    known = len(pairs)
    if not ahead:  # padding and unknown have rows of their own
        pairs = [(0, 0), (1, 1), *pairs]
    if pairs:
        here, there = (torch.from_numpy(np.array(codes, np.int64) - ahead) for codes in zip(*pairs, strict=True))
        tensor[here.to(tensor.device)] = found[there].to(tensor.device)
    return f"{known} of {min(len(ids), rows - RESERVED)} rows"


def _kinds(config: SequenceConfig) -> dict[str, tuple[str, int]]:
    """Tensor → (vocabulary that its rows stand for, codes without a row)."""
    kinds: dict[str, tuple[str, int]] = {
        "embedding.table.item.weight": ("item", 0),
        "embedding.table.categories.weight": ("category", 0),
        "item.bias": ("item", RESERVED),
        "embedding.lookups.action.weight": ("action", 0),
        "embedding.lookups.device.weight": ("device", 0),
    }
    heads = {"action": "action", "category": "category"}
    for resolution, _ in config.cells:
        kinds[f"embedding.lookups.cell_{resolution}.weight"] = (f"cell_{resolution}", 0)
    if config.cells:
        heads |= {"place": f"cell_{config.cells[-1][0]}", "place_coarse": f"cell_{config.cells[0][0]}"}
    for head, kind in heads.items():
        kinds |= {f"{head}.linear.weight": (kind, RESERVED), f"{head}.linear.bias": (kind, RESERVED)}
    return kinds


def summary(told: Mapping[str, str]) -> dict[str, Any]:
    """What was taken, for a run or a record: counts, and rows where they are not all."""
    fresh = [name for name, one in told.items() if one.startswith("fresh")]
    rows = {name: one for name, one in told.items() if one.endswith("rows")}
    return {"tensors": len(told), "taken": len(told) - len(fresh), "fresh": fresh, "rows": rows}
