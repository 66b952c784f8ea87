"""Every learner by name: unfitted from params, fitted from its folder.

A predictor of one's own is named as `package.module:Class` by params or the command line, and never by a file:
what lies in a folder is looked up in a fixed table.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from components.errors import ConfigError
from components.evaluation.protocol import Protocol
from components.memory.predictor import MemoryPredictor
from components.params import Params
from components.predictor import Predictor
from components.ranking.blend import BlendPredictor
from components.ranking.ensemble import EnsemblePredictor
from components.ranking.parts import KINDS, judges_asker, load_part, simple
from components.ranking.stage import blend_of

_OWN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def build(name: str, params: Params) -> Predictor:
    """An unfitted predictor.

    Parameters
    ----------
    name : a candidate model of `training.models`, `.compressed`, `.ensembles` or `.rankers`, `memory`, `blend`, a
        counter of `memory.components` or an entry of `training.baselines` (both are baselines), or one's own
        `package.module:Class`, which is called with the params
    params : of the workspace

    Raises
    ------
    ConfigError
        Nobody has that name.
    """
    entry = params.training.models.get(name)
    if entry is not None and entry.kind == "network":
        from components.training.network import NetworkPredictor  # torch takes seconds

        return NetworkPredictor.of(name, params)
    if name in params.training.compressed:
        from components.compression.predictor import CompressedPredictor

        return CompressedPredictor.of(name, params)
    if entry is not None or name == "memory":
        asker = judges_asker(Protocol.of(params.evaluation))
        return MemoryPredictor(params.memory, asker, name)
    training = params.training
    if name == "blend" or name in training.mixed:
        wanted = training.mixed[name].parts if name in training.mixed else []
        made = {"blend", *training.ensembles, *(() if name in training.ensembles else training.rankers)}
        parts = {part: build(part, params) for part in wanted if part not in made}
        return blend_of(name, parts, params, Protocol.of(params.evaluation))
    found = simple(name, params)
    if found is not None:
        return found
    if _OWN.fullmatch(name):
        return own(name, params)
    known = sorted(
        {
            *(*training.models, *training.compressed, *training.mixed, *params.memory.components),
            *(*training.baselines, "memory", "blend"),
        }
    )
    raise ConfigError(
        f"a learner among {', '.join(known)}, or one's own `package.module:Class`", found=f"{name!r}", do="Mend it."
    )


def own(path: str, params: Params) -> Predictor:
    """A user's own predictor: the class at `package.module:Class`, called with the params.

    Raises
    ------
    ConfigError
        The class cannot be imported, or does not follow `components.predictor.Predictor`.
    """
    module, _, name = path.partition(":")
    try:
        made = getattr(importlib.import_module(module), name)(params)
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"a class at {path} that is called with the params",
            found=f"{type(error).__name__}: {error}",
            do="Mend the name, or install the package.",
        ) from error
    if not isinstance(made, Predictor):
        raise ConfigError(
            f"a Predictor at {path} (see components/predictor.py)",
            found="a class without some of its methods",
            do="Add name, capabilities, fit, score, update, save and load.",
        )
    return made


def load(folder: Path) -> Predictor:
    """The predictor that was saved in `folder`, by the kind that its config.json names.

    Raises
    ------
    IntegrityError
        The kind is none of the fixed table, or a file is not what was saved.
    """
    mixed = {"blend": BlendPredictor.load, "ensemble": EnsemblePredictor.load}
    return load_part(folder, {**KINDS, **mixed})


def save(predictor: Predictor, folder: Path) -> None:
    """Write a fitted predictor; `load` reads it."""
    predictor.save(folder)
