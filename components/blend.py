"""The stage `blend`: `python -m components.blend [--workspace DIR]`. See components/ranking/stage.py."""

from __future__ import annotations

import argparse
from pathlib import Path

from components.params import Params
from components.ranking.stage import fit_blends
from components.stage import run_stage


def main(root: Path, params: Params, _: argparse.Namespace) -> str:
    """Fit and write the blend and the rankers."""
    return fit_blends(root, params)


if __name__ == "__main__":
    run_stage(main, name="blend", description="Mixes and ranks with trained models; learned on the blend window.")
