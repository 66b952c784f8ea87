"""The stage `blend`: `python -m components.blend [--workspace DIR]`. See components/ranking/blend.py."""

from __future__ import annotations

import argparse
from pathlib import Path

from components.params import Params
from components.ranking.blend import fit_blend
from components.stage import run_stage


def main(root: Path, params: Params, _: argparse.Namespace) -> str:
    """Fit and write the blend."""
    return fit_blend(root, params)


if __name__ == "__main__":
    run_stage(main, name="blend", description="Mixes trained models, weights by EM on the blend window.")
