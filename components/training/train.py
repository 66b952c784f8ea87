"""The pure function behind the stage train@NAME for networks: features and params → models/<name>/.

The folder holds weights, configuration and curves, free of clocks; how long it took goes to an untracked sidecar.
A killed run resumes from its checkpoints, which are named after the digest of everything that it depends on.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from components.features.store import Store
from components.files import digest_of, replace_folder, sha256_tree, write_json, write_text
from components.models.config import language_digest
from components.params import Params
from components.predictor import Predictor, Tracker, Window
from components.training.curves import curves_csv
from components.training.lists import judged_lists
from components.training.network import NetworkPredictor, origin_of
from components.workspace import Workspace


def train(root: Path, params: Params, model_name: str, tracker: Tracker) -> None:
    """Train one network of a workspace and write `models/<name>/`.

    Parameters
    ----------
    root : the workspace; its features must have been built
    params : read from its params.yaml
    model_name : a key of `params.training.models` whose kind is network
    tracker : is told of the curves, throughput included
    """
    predictor = NetworkPredictor.of(model_name, params)
    workspace = Workspace(root)
    if predictor.start_from is not None:
        predictor.origin = origin_of(root / predictor.start_from, model_name)
    inputs = {
        "began_with": None if predictor.origin is None else predictor.origin.digest,
        "features": sha256_tree(workspace.features),
        "network": predictor.network.model_dump(),
        "language": language_digest(predictor.network),
        "loop": predictor.loop.model_dump(),
        "protocol": predictor.protocol.record(),
        "primary": predictor.primary,
        "seed": predictor.seed,
    }
    predictor.checkpoints = workspace.checkpoints / digest_of(inputs)[:32]
    fit_and_save(root, params, predictor, tracker)
    shutil.rmtree(predictor.checkpoints, ignore_errors=True)


def fit_and_save(root: Path, params: Params, predictor: Predictor, tracker: Tracker) -> None:
    """Fit any predictor on a workspace's features and write `models/<name>/`, whole or not at all."""
    workspace = Workspace(root)
    store = Store.load(workspace.features)
    history = params.evaluation.history
    begin = time.monotonic()
    tune = Window(store, "tune", history)
    predictor.fit(Window(store, "train", history), tune, tracker)
    seconds = time.monotonic() - begin
    with replace_folder(workspace.model(predictor.name)) as folder:
        predictor.save(folder)
        if isinstance(predictor, NetworkPredictor):
            write_text(folder / "curves.csv", curves_csv(predictor.curves))
            if (lists := judged_lists(predictor, tune)) is not None:
                write_json(folder / "lists.json", lists)
    write_json(workspace.state / "timings" / f"{predictor.name}.json", {"fit_seconds": round(seconds, 3)})
