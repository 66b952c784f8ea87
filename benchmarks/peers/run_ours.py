"""Driver of the product's own trainer, and of the padded loop of `benchmarks.training`.

    python -m benchmarks.peers.run_ours --log LOG.npz --kind full

The same log, the same conversation and the same clock as the drivers of the peers. See `benchmarks.peers`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.order_only import leave_one_out_store
from benchmarks.peers.joint import COPYING, JOINT, joint_store
from benchmarks.peers.rounds import Rounds
from benchmarks.training import our_loop, padded_loop
from components.features.store import Store

CONFIG = Path(__file__).parents[1] / "configs" / "training.yaml"
NEGATIVES = 256

KINDS: dict[str, Callable[[Store], Callable[[int], int]]] = {
    "padded": padded_loop,
    "full": lambda store: our_loop(store, CONFIG, {}),
    "sampled": lambda store: our_loop(store, CONFIG, {}, {"kind": "sampled", "negatives": NEGATIVES}),
    "gbce": lambda store: our_loop(store, CONFIG, {}, {"kind": "gbce", "negatives": NEGATIVES}),
    "gru": lambda store: our_loop(store, CONFIG, {"encoder": {"kind": "gru", "options": {"layers": 1}}}),
    "joint": lambda store: our_loop(joint_store(store), CONFIG, JOINT),
    "copying": lambda store: our_loop(joint_store(store), CONFIG, COPYING),
}


def main() -> None:
    """Train a step at a time, as often as asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--kind", required=True, choices=sorted(KINDS))
    options = parser.parse_args()
    log = np.load(options.log)
    step = KINDS[options.kind](leave_one_out_store(log["user"], log["item"]))
    rounds = Rounds({"torch": torch.__version__, "threads": torch.get_num_threads(), "kind": options.kind})
    i = 0
    while rounds.after(step(i)):
        i += 1


if __name__ == "__main__":
    main()
