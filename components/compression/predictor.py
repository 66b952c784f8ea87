"""A compressed model as a Predictor: made of another one, then fitted, asked and saved like any network.

The steps are those of `training.compressed` in params.yaml: distil into a student, prune, store or compute in int8. In
memory it answers by the very weights that its file will give, so what is judged is what is served. Never a pickle.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self, get_args

import torch

from components.compression.int8 import load_int8, matrices, restored, rounded, save_int8
from components.compression.prune import hold, without_units, zeroed
from components.compression.table import with_int8_products
from components.compression.teacher import Teacher, check_pair
from components.errors import ConfigError, IntegrityError
from components.features.store import Store
from components.models.config import SequenceConfig
from components.models.sequence import SequenceModel
from components.params import CompressedParams, Params, TrainParams
from components.predictor import Tracker, Window
from components.training.network import NetworkPredictor, encoding_digests, filled, overridden

_INT8 = get_args(CompressedParams.model_fields["int8"].annotation)


class CompressedPredictor(NetworkPredictor):
    """A network made of another.

    Attributes
    ----------
    recipe : how it is made; None for one that was loaded
    source : what it is made of, fitted or not; None for one that was loaded
    int8 : none, weights (on disk) or products (on disk, and those with the catalogue computed so)
    """

    KIND: ClassVar[str] = "compressed"
    recipe: CompressedParams | None = None
    source: NetworkPredictor | None = None
    int8: str = "none"

    @classmethod
    def of(cls, name: str, params: Params, seed_offset: int = 0) -> Self:
        """The model that `params.training.compressed` describes under `name`, unfitted.

        Raises
        ------
        ConfigError
            There is none, or it is made, in the end, of no network or of itself.
        """
        source = source_of(name, params, seed_offset)
        recipe = params.training.compressed[name]
        shape = source if recipe.distil is None else NetworkPredictor.of(recipe.distil.student, params, seed_offset)
        loop = overridden(shape.loop, recipe.overrides, name)
        found = cls(name, shape.network, loop, shape.protocol, shape.primary, shape.seed)
        found.recipe, found.source, found.int8 = recipe, source, recipe.int8
        return found

    def fit(self, train: Window, tune: Window, tracker: Tracker) -> None:
        """Do the steps of the recipe; the source is fitted first where it is not.

        Raises
        ------
        ConfigError
            A step does not fit the model.
        TrainingError
            As of any network.
        """
        recipe, source = self.recipe, self.source
        if recipe is None or source is None:
            raise ConfigError("a recipe to fit by", found="a model that was loaded", do="Build it from the params.")
        if not source.is_fitted:
            source.fit(train, tune, tracker)
        curves: list[dict[str, float]] = []
        if recipe.distil is None:
            self.adopt(copy_of(source.model), encoding_digests(train.store.encoding), source.temperatures)
        else:
            self.teachers = self._teacher
            super().fit(train, tune, tracker)
            curves += self.curves
        if recipe.prune is not None:
            self._prune(train, tune, tracker)
            curves += self.curves if recipe.prune.epochs else []
        self.curves = curves
        if self.int8 != "none":
            model = self.model
            with torch.no_grad():
                for name, weight in model.named_parameters():
                    if name in matrices(model):
                        weight.copy_(restored(*rounded(weight)))
        self._finish()

    def _teacher(self, store: Store, config: SequenceConfig, loop: TrainParams) -> Teacher:
        recipe, source = self.recipe, self.source
        assert recipe is not None
        assert recipe.distil is not None
        assert source is not None
        check_pair(config, source.model.config, loop)
        distil = recipe.distil
        return Teacher(source.model, store, distil.temperature, distil.weight, distil.top, self.precision)

    def _prune(self, train: Window, tune: Window, tracker: Tracker) -> None:
        """Take out what the recipe says, then train what is left."""
        assert self.recipe is not None
        assert self.recipe.prune is not None
        prune, loop, checkpoints = self.recipe.prune, self.loop, self.checkpoints
        if prune.what == "units":
            model = without_units(self.model, prune.share)
        else:
            model = copy_of(self.model)
            masks = zeroed(model, prune.share)
            hold(model, masks)
        if not prune.epochs:
            self.adopt(model, encoding_digests(train.store.encoding), self.temperatures)
            return
        self.begun, self.loop = model, loop.model_copy(update={"epochs": prune.epochs})
        self.checkpoints = None if checkpoints is None else checkpoints / "pruned"
        super().fit(train, tune, tracker)
        self.begun, self.loop, self.checkpoints = None, loop, checkpoints

    def _finish(self) -> None:
        if self.int8 == "products":
            with_int8_products(self.model)

    def record(self) -> dict[str, Any]:
        """What `config.json` holds: that of a network, how weights are stored, and how the model was made."""
        recipe = {} if self.recipe is None else self.recipe.model_dump()
        return super().record() | {"int8": self.int8, "recipe": recipe}

    def write_weights(self, path: Path) -> None:
        """Write the weights, in int8 where the recipe says so."""
        if self.int8 == "none":
            super().write_weights(path)
        else:
            save_int8(path, self.model)

    def read_weights(self, path: Path, model: SequenceModel, record: dict[str, Any]) -> SequenceModel:
        """As of a network; in int8 where config.json says so, which the file must then be."""
        self.int8 = str(record.get("int8"))
        if self.int8 not in _INT8:
            raise IntegrityError(
                f"`int8` among {', '.join(_INT8)} in config.json", found=f"{self.int8:.40}", do="Make the model again."
            )
        if self.int8 == "none":
            return super().read_weights(path, model, record)
        filled(model, load_int8(path, model))
        model.embedding.table.check()
        return model if self.int8 == "weights" else with_int8_products(model)


def source_of(name: str, params: Params, seed_offset: int = 0) -> NetworkPredictor:
    """What a compressed model is made of, unfitted.

    Raises
    ------
    ConfigError
        See `CompressedPredictor.of`.
    """
    entries, chain = params.training.compressed, [name]
    while chain[-1] in entries and len(set(chain)) == len(chain):
        chain.append(entries[chain[-1]].of)
    if len(chain) == 1 or len(set(chain)) < len(chain):
        raise ConfigError(
            f"an entry `{name}` of training.compressed that is made, in the end, of a network of training.models",
            found=" of ".join(chain) if len(chain) > 1 else "none",
            do="Mend `training.compressed` in params.yaml.",
        )
    kind = CompressedPredictor if chain[1] in entries else NetworkPredictor
    return kind.of(chain[1], params, seed_offset)


def copy_of(model: SequenceModel) -> SequenceModel:
    """A model of one's own with the same weights, its products in float."""
    with torch.device("meta"):
        copy = SequenceModel(replace(model.config))
    filled(copy, {name: tensor.detach().clone() for name, tensor in model.state_dict().items()})
    for weight in copy.parameters():
        weight.requires_grad_(True)
    return copy
