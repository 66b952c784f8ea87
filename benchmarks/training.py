"""Training speed: our loop beside a padded one, in valid targets per CPU second, in one process.

    OMP_NUM_THREADS=1 python -m benchmarks.training [--rounds 3] [--json OUT]

The padded loop is what most repositories do: every row padded to 200, masked attention written out with dropout on
its weights, cross-entropy on every place, AdamW unfused. Both see the same synthetic log, shaped like ML-1M (6,040
users, 3,416 items, about a million events), with width 64, 2 blocks and the full softmax. Rounds alternate, and
medians of CPU time are reported: the scheduler and the neighbours hit both alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.machine import machine
from benchmarks.order_only import leave_one_out_store, predictor_of
from components.features.store import Store
from components.models.config import config_of
from components.predictor import NoTracker, Window
from components.training.batches import Corpus
from components.training.begin import initial_model
from components.training.loop import Trainer
from components.training.tune import Judge

USERS, ITEMS, LENGTH, WIDTH, BATCH = 6040, 3416, 200, 64, 128


def synthetic_log(seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(N,) users and (N,) items from 0, in each user's order: lengths log-normal around 94, items by a power law."""
    rng = np.random.default_rng(seed)
    length = np.clip(np.exp(rng.normal(np.log(94), 1.05, USERS)), 18, 2300).astype(np.int64)
    weight = 1.0 / np.arange(1, ITEMS + 1) ** 0.8
    user = np.repeat(np.arange(USERS), length)
    item = rng.choice(ITEMS, len(user), p=weight / weight.sum())
    item[:ITEMS] = np.arange(ITEMS)  # every item is in the catalogue
    return user, item


def synthetic_store() -> Store:
    """That log as a store."""
    return leave_one_out_store(*synthetic_log())


class PaddedBlock(nn.Module):
    """A block as it is usually written."""

    def __init__(self, heads: int = 2, dropout: float = 0.2) -> None:
        super().__init__()
        self.heads, self.drop = heads, nn.Dropout(dropout)
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.q, self.k, self.v, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.up, self.down = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, blocked: Tensor) -> Tensor:
        """(B, L, d), (B, 1, L, L) → (B, L, d)."""
        B, L, d = x.shape
        z = self.norm1(x)
        q, k, v = (f(z).view(B, L, self.heads, -1).transpose(1, 2) for f in (self.q, self.k, self.v))
        weight = (q @ k.transpose(-1, -2) / (d // self.heads) ** 0.5).masked_fill(blocked, -1e9)
        mixed = self.drop(weight.softmax(-1)) @ v
        x = x + self.drop(self.out(mixed.transpose(1, 2).reshape(B, L, d)))
        return x + self.drop(self.down(self.drop(F.relu(self.up(self.norm2(x))))))


class PaddedModel(nn.Module):
    """SASRec with tied weights."""

    def __init__(self, items: int) -> None:
        super().__init__()
        self.item = nn.Embedding(items, WIDTH, padding_idx=0)
        self.position = nn.Embedding(LENGTH, WIDTH)
        nn.init.normal_(self.item.weight, std=0.02)
        self.drop = nn.Dropout(0.2)
        self.blocks = nn.ModuleList(PaddedBlock() for _ in range(2))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, item: Tensor) -> Tensor:
        """(B, L) → (B, L, V) logits."""
        L = item.shape[1]
        blocked = torch.ones(L, L, dtype=torch.bool).triu(1) | (item == 0)[:, None, None, :]
        x = self.drop(self.item(item) * WIDTH**0.5 + self.position.weight)
        for block in self.blocks:
            x = block(x, blocked)
        return self.norm(x) @ self.item.weight.T


def padded_loop(store: Store) -> Callable[[int], int]:
    """A function that takes one step and says how many targets it trained."""
    torch.manual_seed(0)
    rows, train = [], np.asarray(store["window"]) == 0
    for begin, end in zip(store.offsets[:-1], store.offsets[1:], strict=True):
        items = np.asarray(store["item"])[begin:end][train[begin:end]][-LENGTH - 1 :]
        rows.append(np.pad(items, (LENGTH + 1 - len(items), 0)))
    data = torch.from_numpy(np.stack(rows).astype(np.int64))  # (U, 201)
    model = PaddedModel(store.encoding.n_items)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    order = torch.randperm(len(data))

    def step(i: int) -> int:
        batch = data[order[i * BATCH % (len(data) - BATCH) :][:BATCH]]
        logits = model(batch[:, :-1])
        target = torch.where(batch[:, :-1] > 0, batch[:, 1:], 0)
        loss = F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return int((target > 0).sum())

    return step


def our_loop(
    store: Store, config: Path, changes: Mapping[str, Any], item_loss: Mapping[str, Any] | None = None
) -> Callable[[int], int]:
    """The same for the product's own trainer, with changes of the network and of `loop.item_loss`."""
    record = yaml.safe_load(config.read_text())
    record["network"] |= changes
    record["loop"]["item_loss"] |= item_loss or {}
    predictor = predictor_of({**record, "primary": "ndcg@10"}, 0)
    window = Window(store, "train")
    shape = config_of(predictor.network, store.encoding)
    loop = predictor.loop
    corpus = Corpus(window, shape, loop.crops, loop.tokens_per_batch, 0)
    judge = Judge.of(Window(store, "tune"), predictor.protocol, "ndcg@10", 1, 0)
    model = initial_model(shape, store.encoding, corpus, 0)
    trainer = Trainer(model, corpus, judge, loop, predictor.precision, 0, NoTracker(), None)
    plan = corpus.plan(0)
    return lambda i: trainer.take(plan[i % len(plan)], len(plan)).count["item"]


def measure(loops: dict[str, Callable[[int], int]], rounds: int, steps: int) -> dict[str, float]:
    """Median over rounds of targets per CPU second; rounds alternate between the loops."""
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for name, step in loops.items():
        step(0)  # warm
        print(f"warmed {name}", flush=True)
    for i in range(rounds):
        for name, step in loops.items():
            begin = time.process_time()
            tokens = sum(step(1 + i * steps + j) for j in range(steps))
            rates[name].append(tokens / (time.process_time() - begin))
    return {name: statistics.median(values) for name, values in rates.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--config", type=Path, default=Path(__file__).parent / "configs" / "training.yaml")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    store = synthetic_store()
    gated = {
        "encoder": {"kind": "transformer", "options": {"layers": 2, "heads": 1, "feedforward": 4, "bias": "none"}},
        "dropout": 0.1,
    }
    loops = {
        "padded": padded_loop(store),
        "ours": our_loop(store, options.config, {}),
        "ours, SwiGLU of 4·d": our_loop(store, options.config, gated),
        "ours, GRU": our_loop(store, options.config, {"encoder": {"kind": "gru", "options": {"layers": 1}}}),
    }
    rates = measure(loops, options.rounds, options.steps)
    for name, rate in rates.items():
        print(f"{name:24s} {rate:10,.0f} targets per CPU second   {rate / rates['padded']:.2f}×")
    if options.json:
        record = {"machine": machine(), "rounds": options.rounds, "steps": options.steps}
        record["targets_per_cpu_second"] = {name: round(rate) for name, rate in rates.items()}
        record["times_padded"] = {name: round(rate / rates["padded"], 2) for name, rate in rates.items()}
        options.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
