"""The pure function behind the stage compress@NAME: models/<of>/ and params → models/<name>/.

The folder holds what a network's does; a killed run resumes from its checkpoints. Nothing is judged here.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from components.compression.predictor import CompressedPredictor
from components.errors import DataError
from components.files import digest_of, read_json, sha256_tree
from components.params import Params
from components.predictor import Tracker
from components.training.network import NetworkPredictor
from components.training.train import fit_and_save
from components.workspace import Workspace


def compress(root: Path, params: Params, name: str, tracker: Tracker) -> None:
    """Make one compressed model of a workspace and write `models/<name>/`.

    Parameters
    ----------
    root : the workspace; the model that it is made of must have been trained
    params : read from its params.yaml
    name : a key of `params.training.compressed`
    tracker : is told of the curves

    Raises
    ------
    ConfigError
        There is no such entry, or a step does not fit.
    DataError
        What it is made of was not trained.
    """
    predictor = CompressedPredictor.of(name, params)
    recipe, workspace = params.training.compressed[name], Workspace(root)
    folder = workspace.model(recipe.of)
    predictor.source = load_network(folder)
    inputs = {
        "features": sha256_tree(workspace.features),
        "source": sha256_tree(folder),
        "network": predictor.network.model_dump(),
        "loop": predictor.loop.model_dump(),
        "recipe": recipe.model_dump(),
        "seed": predictor.seed,
    }
    predictor.checkpoints = workspace.checkpoints / digest_of(inputs)[:32]
    fit_and_save(root, params, predictor, tracker)
    shutil.rmtree(predictor.checkpoints, ignore_errors=True)


def load_network(folder: Path) -> NetworkPredictor:
    """The network that was saved in a folder, compressed or not.

    Raises
    ------
    DataError
        There is none.
    IntegrityError
        A file is not what was saved.
    """
    path = folder / "config.json"
    record = read_json(path) if path.is_file() else None
    kinds = {one.KIND: one for one in (NetworkPredictor, CompressedPredictor)}
    kind = record.get("kind") if isinstance(record, dict) else None
    if kind not in kinds:
        raise DataError(
            f"a trained network at {folder}",
            found="nothing" if record is None else f"a {kind}",
            do="Train it first; only networks are compressed and exported.",
        )
    return kinds[kind].load(folder)
