"""Speed of the judge: ranking everybody's answer against the bare matrix product, and the bootstrap.

    python -m benchmarks.evaluation [--users 6040 --items 3416 --width 64 --threads 1 --repeats 9] [--json OUT]

Budget (docs/architecture.md, DESIGN §7): ranks by dot product within 1.3 times the bare product. The product is
timed as a user would write it (`torch.mm`) and, more strictly, into memory that is already there; times are the best
of the repeats, in seconds of the wall and of the processor, so that a busy machine does not decide.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from components.evaluation.ranks import rank_by_dot, rank_dense
from components.evaluation.significance import Bootstrap
from components.files import write_json


def best(work: Callable[[], object], repeats: int) -> dict[str, float]:
    """Least wall and processor seconds of `repeats` runs."""
    wall, cpu = [], []
    for _ in range(repeats):
        begin, used = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - used)
    return {"wall_s": round(min(wall), 4), "cpu_s": round(min(cpu), 4)}


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
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
    found = {
        "product": best(lambda: torch.mm(left, right), args.repeats),
        "product_into": best(lambda: torch.mm(left, right, out=room), args.repeats),
        "rank_by_dot": best(lambda: rank_by_dot(states, table, target), args.repeats),
        "rank_dense": best(lambda: rank_dense(scores, target), args.repeats),
        "argsort": best(lambda: np.argsort(scores, axis=1), 1),
        "bootstrap_21_metrics_1000_draws": best(
            lambda: Bootstrap(np.arange(args.users), 1000, 0.95, 0).means(rng.random((args.users, 21))), 1
        ),
    }
    ratio = {
        f"rank_by_dot / {name}": {
            clock: round(found["rank_by_dot"][clock] / found[name][clock], 2) for clock in found[name]
        }
        for name in ("product", "product_into")
    }
    settings = {name: value for name, value in vars(args).items() if name != "json"}
    record = {"settings": settings, "seconds": found, "ratio": ratio}
    print(json.dumps(record, indent=2))
    if args.json:
        write_json(args.json, record)


if __name__ == "__main__":
    main()
