"""`python -m components.features`: the stage that packs the validated log. Computes nothing itself."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from components.features.build import build
from components.features.store import WINDOWS
from components.params import Params
from components.stage import run_stage


def main(root: Path, params: Params, options: argparse.Namespace) -> str:  # noqa: ARG001
    """Run the stage in a workspace; returns one line about what was written."""
    store = build(root, params)
    counts = np.bincount(store["window"], minlength=4)
    shares = ", ".join(f"{name} {counts[code]:,}" for name, code in WINDOWS.items() if code >= 0)
    return f"{store.n_events:,} events of {store.n_users:,} users on {store.encoding.n_items - 2:,} items ({shares})"


if __name__ == "__main__":
    run_stage(main, name="features", description="Pack the validated log into data/features.")
