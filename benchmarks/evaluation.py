"""Speed of the judge: ranking everybody's answer against the bare matrix product, and the bootstrap.

    OMP_NUM_THREADS=1 python -m benchmarks.evaluation [--users 6040 --items 3416 --width 64 --threads 1 --repeats 9]
        [--json OUT]

Budget (docs/architecture.md, DESIGN §7): ranks by dot product within 1.3 times the bare product. The product is
timed as a user would write it (`torch.mm`) and, more strictly, into memory that is already there. `judged` is what an
epoch's judge does with the same states: log-probabilities of the item head, then ranks; a product that the softmax's
own cost is added to. Repeats alternate; seconds are the best of each, ratios the medians of repeats that ran side by
side, of the processor, so that a busy machine does not decide.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import machine
from components.evaluation.ranks import rank_by_dot, rank_dense
from components.evaluation.significance import Bootstrap
from components.files import write_json

Times = dict[str, list[float]]


def alternate(works: dict[str, Callable[[], object]], repeats: int) -> Times:
    """Processor seconds of `repeats` runs of each, in turn."""
    found: Times = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            used = time.process_time()
            work()
            found[name].append(time.process_time() - used)
    return found


def ratio(times: Times, name: str, other: str) -> dict[str, float]:
    """Median, least and greatest ratio of runs that ran side by side."""
    found = [a / b for a, b in zip(times[name], times[other], strict=True)]
    values = {"median": statistics.median(found), "least": min(found), "greatest": max(found)}
    return {key: round(value, 2) for key, value in values.items()}


def judged(states: torch.Tensor, items: torch.Tensor, target: torch.Tensor, rows: int) -> None:
    """Ranks from log-probabilities, a block of queries at a time, as `components.training.tune` makes them."""
    for start in range(0, len(states), rows):
        part = slice(start, start + rows)
        scores = torch.log_softmax(states[part] @ items, 1)
        own = scores.gather(1, target[part, None])
        _ = (~(scores <= own)).sum(1) + 0.5 * ((scores == own).sum(1) - 1)


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("users", 6040), ("items", 3416), ("width", 64), ("threads", 1), ("repeats", 9)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rng = np.random.default_rng(0)
    states = rng.standard_normal((args.users, args.width)).astype(np.float32)
    table = rng.standard_normal((args.items + 2, args.width)).astype(np.float32)
    target = rng.integers(2, args.items + 2, args.users)
    left, right = torch.from_numpy(states), torch.from_numpy(table).T
    room = torch.empty((args.users, args.items + 2))
    scores = (left @ right).numpy()
    times = alternate(
        {
            "product": lambda: torch.mm(left, right),
            "product_into": lambda: torch.mm(left, right, out=room),
            "rank_by_dot": lambda: rank_by_dot(states, table, target),
            "rank_dense": lambda: rank_dense(scores, target),
            "judged": lambda: judged(left, right[:, 2:], torch.from_numpy(target - 2), 1024),
        },
        args.repeats,
    )
    times |= alternate(
        {
            "argsort": lambda: np.argsort(scores, axis=1),
            "bootstrap_21_metrics_1000_draws": lambda: Bootstrap(np.arange(args.users), 1000, 0.95, 0).means(
                rng.random((args.users, 21))
            ),
        },
        1,
    )
    pairs = [(name, other) for name in ("rank_by_dot", "judged") for other in ("product", "product_into")]
    record = {
        "machine": machine(),
        "settings": {name: value for name, value in vars(args).items() if name != "json"},
        "cpu_s": {name: round(min(found), 4) for name, found in times.items()},
        "ratio": {f"{name} / {other}": ratio(times, name, other) for name, other in pairs},
    }
    print(json.dumps(record, indent=2))
    if args.json:
        write_json(args.json, record)


if __name__ == "__main__":
    main()
