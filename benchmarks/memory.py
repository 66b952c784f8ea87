"""Speed of the memory: one block, one query, one event.

    OMP_NUM_THREADS=1 python -m benchmarks.memory

Times are of the processor (this process alone), in milliseconds: median and 99th percentile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from components.features.store import Store
from components.memory.predictor import CounterPredictor, MemoryPredictor
from components.memory.replay import ask_online
from components.params import MemoryParams, load_params
from components.predictor import NoTracker, Window
from tests.toy import toy_store

ROOT = Path(__file__).resolve().parents[1]


def measured(work: Callable[[], object], times: int) -> str:
    """Median and 99th percentile of the processor time of one call."""
    taken = []
    for _ in range(times):
        begin = time.process_time()
        work()
        taken.append(1e3 * (time.process_time() - begin))
    return f"{np.median(taken):8.2f} {np.percentile(taken, 99):8.2f}"


def even(memory: MemoryPredictor) -> MemoryPredictor:
    """The same memory with every counter in use: the dearest it can be."""
    fresh = MemoryPredictor(memory.params)
    memory.weights = fresh.weights
    return memory


def report(store: Store, params: MemoryParams, block: int, times: int) -> None:
    """Print the cost of scoring `block` queries, whole and by counter."""
    train, tune, test = (Window(store, name) for name in ("train", "tune", "test"))
    memory = MemoryPredictor(params)
    begin = time.process_time()
    memory.fit(train, tune, NoTracker())
    fit_s = time.process_time() - begin
    queries = ask_online(test, True).queries[:block]
    history = float(np.mean(queries.stop - queries.start))
    print(f"{block} queries, {store.encoding.n_items - 2} items, history {history:.0f}; fit {fit_s:.1f} s")
    print(f"  memory, as fitted       {measured(lambda: memory.score(queries), times)}")
    print(f"  memory, every counter   {measured(lambda: even(memory).score(queries), times)}")
    for name in params.components:
        one = CounterPredictor(name, params)
        one.fit(train, tune, NoTracker())
        print(f"    {name:22}{measured(lambda one=one: one.score(queries), times)}")
    rows = test.events
    print(f"  update with 1 event     {measured(lambda: memory.update(store, rows[:1]), times * 5)}")
    print(f"  update with 1,000       {measured(lambda: memory.update(store, rows[:1000]), times)}")


def main() -> None:
    """Print everything."""
    params = load_params(ROOT / "params.yaml").memory
    print(f"{'':26}{'median':>8} {'p99':>8}  ms of processor")
    report(toy_store(300, 5_000, 500), params, 256, 20)
    report(toy_store(300, 10_000, 200), params, 1, 200)


if __name__ == "__main__":
    main()
