"""Cost of a training step by size of the catalogue: the full softmax beside drawn items, memory and CPU time.

    OMP_NUM_THREADS=1 python -m benchmarks.losses [--items 10000 100000 1000000] [--tokens 512 2048] [--json OUT]

Each row is a process of its own, so that its peak memory is its own. A step is the product's trainer: GRU of width
64, one batch of a synthetic log in which every item occurs, gradient, clipping and optimiser included; the first step
is not counted. `before` is the most that the process held until the model was made (the log, torch), `peak` the most
at the end, `table` the catalogue's vectors: the full softmax needs about as many of these as there are weights,
gradients and moments, `logits` what all logits of the batch at once would be on top of it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import yaml

from benchmarks.machine import machine
from benchmarks.order_only import leave_one_out_store, predictor_of
from components.models.config import config_of
from components.predictor import NoTracker, Window
from components.training.batches import Corpus
from components.training.begin import initial_model
from components.training.loop import Trainer
from components.training.tune import Judge

CONFIG = Path(__file__).parent / "configs" / "training.yaml"
EVENTS_PER_USER = 60
MIB = 1 << 20


def one_row(items: int, kind: str, tokens: int, steps: int) -> dict[str, float | int | str]:
    """Measure one kind of loss on one catalogue, in this process."""
    rng = np.random.default_rng(0)
    users = max(100, items // 50)
    item = rng.integers(0, items, users * EVENTS_PER_USER)
    trained = np.flatnonzero(np.arange(len(item)) % EVENTS_PER_USER < EVENTS_PER_USER - 2)
    item[trained[:items]] = rng.permutation(items)
    store = leave_one_out_store(np.repeat(np.arange(users), EVENTS_PER_USER), item)
    record = yaml.safe_load(CONFIG.read_text())
    record["network"] |= {"encoder": {"kind": "gru", "options": {"layers": 1}}, "inputs": ["item"], "max_history": 50}
    record["loop"] |= {"tokens_per_batch": tokens}
    record["loop"]["item_loss"] |= {"kind": kind}
    predictor = predictor_of({**record, "primary": "ndcg@10"}, 0)
    window, loop = Window(store, "train"), predictor.loop
    config = config_of(predictor.network, store.encoding)
    corpus = Corpus(window, config, loop.crops, loop.tokens_per_batch, 0)
    judge = Judge.of(Window(store, "tune"), predictor.protocol, "ndcg@10", 1, 0)
    plan = corpus.plan(0)
    before = _peak()
    model = initial_model(config, store.encoding, corpus, 0)
    trainer = Trainer(model, corpus, judge, loop, predictor.precision, 0, NoTracker(), None)
    trainer.take(plan[0], len(plan))
    begin = time.process_time()
    for i in range(steps):
        trainer.take(plan[1 + i], len(plan))
    seconds = (time.process_time() - begin) / steps
    return {
        "items": config.items - 2,
        "loss": kind,
        "tokens": tokens,
        "cpu_s_per_step": round(seconds, 4),
        "before_mib": round(before / MIB),
        "peak_mib": round(_peak() / MIB),
        "table_mib": round(4 * config.items * config.width / MIB),
        "logits_mib": round(4 * config.items * tokens / MIB),
    }


def _peak() -> int:
    """Bytes that this process held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Measure every row and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--kinds", nargs="+", default=["full", "sampled", "gbce"])
    parser.add_argument("--tokens", type=int, nargs="+", default=[512, 2048])
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--row", nargs=3, metavar=("ITEMS", "KIND", "TOKENS"), help="measure one row in this process")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.row:
        items, kind, tokens = options.row
        print(json.dumps(one_row(int(items), kind, int(tokens), options.steps)))
        return
    rows = []
    for row in itertools.product(options.items, options.kinds, options.tokens):
        same = ["--row", *map(str, row), "--steps", str(options.steps)]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.losses", *same], check=True, stdout=subprocess.PIPE, text=True
        )
        rows.append(json.loads(done.stdout))
        print("  ".join(f"{name} {value:>9}" for name, value in rows[-1].items()), flush=True)
    if options.json:
        record = {"machine": machine(), "width": 64, "rows": rows}
        options.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
