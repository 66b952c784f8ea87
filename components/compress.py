"""The stage compress@NAME: one entry of training.compressed, from a trained model to `models/<name>/`.

python -m components.compress --model small [--workspace DIR]
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from components.params import Params, check_agreement
from components.predictor import NoTracker
from components.stage import run_stage


def main(root: Path, params: Params, options: argparse.Namespace) -> str:
    """Make the compressed model `options.model` of a workspace."""
    check_agreement(params)
    from components.compression.stage import compress

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    compress(root, params, options.model, NoTracker())
    return f"models/{options.model} is made."


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, metavar="NAME", help="a key of training.compressed in params.yaml")


if __name__ == "__main__":
    run_stage(main, name="compress", description="Make one compressed model.", arguments=_arguments)
