"""Training speed on a GPU: the share of its matrix rate that a wide Transformer reaches, and targets per second.

    python -m benchmarks.gpu [--steps 10] [--json OUT]

The product's own trainer on a synthetic log of full histories, in bfloat16 as on every CUDA device. Counted are the
multiplications that the model cannot do without, twice again for the gradient: those of its matrices, of causal
attention (half of all pairs) and of the whole catalogue. They are held against the rate of a bare product of
8,192 × 8,192 matrices in the same process. Needs a CUDA device.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import nn

from benchmarks.machine import machine
from benchmarks.order_only import leave_one_out_store, predictor_of
from components.features.store import Store
from components.files import write_json
from components.models.config import config_of
from components.models.heads import RESERVED
from components.models.sequence import SequenceModel
from components.predictor import NoTracker, Window
from components.training.batches import Corpus
from components.training.begin import initial_model
from components.training.loop import Trainer
from components.training.tune import Judge

CONFIG = Path(__file__).parent / "configs" / "training.yaml"
USERS, ITEMS, LENGTH, TOKENS = 1024, 10_000, 512, 65_536
#: width → layers: the second is an encoder of more than 100 million parameters.
SHAPES = {512: 8, 1024: 6}


def matrix_rate(size: int = 8192, times: int = 20) -> float:
    """Operations per second of a bare bfloat16 product."""
    a, b = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        a @ b
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(times):
        a @ b
    end.record()
    torch.cuda.synchronize()
    return 2 * size**3 * times / (begin.elapsed_time(end) / 1e3)


def full_histories() -> Store:
    """A log in which every user has a full history."""
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(USERS), LENGTH + 2)
    item = rng.integers(0, ITEMS, len(user))
    item[:ITEMS] = np.arange(ITEMS)
    return leave_one_out_store(user, item)


def operations(model: SequenceModel, length: int) -> float:
    """Multiplications and additions of one target's forward and backward pass."""
    config = model.config
    matrices = sum(part.weight.numel() for part in model.encoder.modules() if isinstance(part, nn.Linear))
    attention = SHAPES[config.width] * config.width * length  # of all places before it, half of the length
    catalogue = config.width * (config.trained - RESERVED)
    return 3 * 2 * (matrices + attention + catalogue)


def trained(store: Store, width: int, compiled: bool, steps: int) -> dict[str, Any]:
    """Median seconds of a step, and what they make of the device."""
    record = yaml.safe_load(CONFIG.read_text())
    options = {"layers": SHAPES[width], "heads": width // 64, "feedforward": 4, "bias": "none"}
    record["network"] |= {
        "encoder": {"kind": "transformer", "options": options},
        "width": width,
        "max_history": LENGTH,
        "dropout": 0.1,
    }
    record["loop"] |= {"device": "cuda", "compile": compiled, "tokens_per_batch": TOKENS}
    predictor = predictor_of({**record, "primary": "ndcg@10"}, 0)
    shape, loop = config_of(predictor.network, store.encoding), predictor.loop
    corpus = Corpus(Window(store, "train"), shape, loop.crops, loop.tokens_per_batch, 0)
    judge = Judge.of(Window(store, "tune"), predictor.protocol, "ndcg@10", 1, 0)
    model = initial_model(shape, store.encoding, corpus, 0).to("cuda")
    torch.cuda.reset_peak_memory_stats()
    trainer = Trainer(model, corpus, judge, loop, predictor.precision, 0, NoTracker(), None)
    plan = corpus.plan(0)
    taken, targets = [], 0
    for i in range(-3, steps):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        targets = trainer.take(plan[i % len(plan)], len(plan)).count["item"]
        torch.cuda.synchronize()
        if i >= 0:
            taken.append(time.perf_counter() - begin)
    seconds = statistics.median(taken)
    return {
        "width": width,
        "layers": SHAPES[width],
        "compiled": compiled,
        "encoder_parameters": sum(weight.numel() for weight in model.encoder.parameters()),
        "ms_per_step": round(1e3 * seconds, 1),
        "targets_per_s": round(targets / seconds),
        "tflops": round(targets * operations(model, LENGTH) / seconds / 1e12, 1),
        "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 1),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("benchmarks.gpu needs a CUDA device, and torch finds none here.")
    rate = matrix_rate()
    print(f"{torch.cuda.get_device_name()}: {rate / 1e12:.0f} TFLOP/s in a bare product", flush=True)
    store, rows = full_histories(), []
    for width in SHAPES:
        for compiled in (False, True):
            row = trained(store, width, compiled, said.steps)
            row["of_matrix_rate"] = round(row["tflops"] * 1e12 / rate, 3)
            rows.append(row)
            print(row, flush=True)
    if said.json:
        device = {"gpu": torch.cuda.get_device_name(), "matrix_tflops": round(rate / 1e12, 1)}
        write_json(said.json, {"machine": machine() | device, "rows": rows})


if __name__ == "__main__":
    main()
