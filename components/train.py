"""The stage train@NAME: one candidate model of params.yaml, from features to `models/<name>/`.

    python -m components.train --model transformer [--workspace DIR]

Networks are trained by `components.training`, everything else by the learner that `components.learners` builds for
the name. Curves stay in the model's folder; the flow tells MLflow of them.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from components.errors import ConfigError
from components.params import Params, check_agreement
from components.predictor import NoTracker
from components.stage import run_stage


def main(root: Path, params: Params, options: argparse.Namespace) -> str:
    """Train the model `options.model` of a workspace."""
    name: str = options.model
    entry = params.training.models.get(name)
    if entry is None:
        raise ConfigError(
            f"a model of {', '.join(params.training.models)}",
            found=f"`{name}`",
            do="Name one that `training.models` in params.yaml describes.",
        )
    check_agreement(params)
    from components.training.train import fit_and_save, train

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if entry.kind == "network":
        train(root, params, name, NoTracker())
    else:
        from components.learners import build

        fit_and_save(root, params, build(name, params), NoTracker())
    return f"models/{name} is trained."


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, metavar="NAME", help="a key of training.models in params.yaml")


if __name__ == "__main__":
    run_stage(main, name="train", description="Train one candidate model.", arguments=_arguments)
