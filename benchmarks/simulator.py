"""How fast the city is simulated, and what can be known about it: `python -m benchmarks.simulator`.

Prints events a second (one thread pool, strings and all, nothing written), then, for the default city, what
popularity, user frequency, a first-order Markov chain, the observer and the oracle reach on the last tenth of the
events: full ranking, time given, history online. Never here: the judge (`components.evaluation`).
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.events.simulator import simulate
from components.files import write_json
from components.observers import observers
from components.params import SimulationParams, load_params
from components.predictor import Queries
from tests.city import clean_log, queries_of, store_of


def speed(simulation: SimulationParams, seed: int, days: int) -> dict[str, float]:
    """Events a second of wall clock and of processor time."""
    last = simulation.start + dt.timedelta(days=days - 1)
    wall, cpu = time.perf_counter(), time.process_time()
    n = sum(len(chunk) for chunk in simulate(simulation, seed, simulation.start, last))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"events": n, "seconds": wall, "per_second": n / wall, "per_cpu_second": n / cpu}


def counters(queries: Queries) -> dict[str, NDArray[np.float64]]:
    """(q, V) scores of the simplest predictors, counted online on everything before each query."""
    store = queries.store
    item, time_s = np.asarray(store["item"]), np.asarray(store["time_s"])
    order = np.argsort(time_s, kind="stable")
    previous = np.where(np.asarray(store["gap_s"]) < 0, 0, np.roll(item, 1))
    n, v = len(queries), store.encoding.n_items
    found = {name: np.zeros((n, v)) for name in ("popularity", "markov", "user_frequency")}
    popularity, pairs, at = np.zeros(v), np.zeros((v, v)), 0
    for q in range(n):
        while at < len(order) and time_s[order[at]] < queries.time_s[q]:
            popularity[item[order[at]]] += 1
            pairs[previous[order[at]], item[order[at]]] += 1
            at += 1
        small = 1e-3 * popularity / popularity.sum()
        last = item[queries.stop[q] - 1] if queries.stop[q] > queries.start[q] else 0
        found["popularity"][q] = popularity
        found["markov"][q] = pairs[last] + small
        found["user_frequency"][q] = np.bincount(item[queries.start[q] : queries.stop[q]], minlength=v) + small
    return found


def judged(score: NDArray, target: NDArray[np.integer]) -> dict[str, float]:
    """HR@1, HR@10, NDCG@10, MRR of full ranking; ties count half."""
    own = score[np.arange(len(target)), target][:, None]
    rank = 1 + (score[:, 2:] > own).sum(axis=1) + 0.5 * ((score[:, 2:] == own).sum(axis=1) - 1)
    top = rank <= 10
    return {
        "hr@1": float((rank <= 1).mean()),
        "hr@10": float(top.mean()),
        "ndcg@10": float(np.where(top, 1 / np.log2(1 + rank), 0).mean()),
        "mrr": float((1 / rank).mean()),
    }


def table(simulation: SimulationParams, seed: int) -> list[tuple[str, dict[str, float]]]:
    """The score of everybody on the last tenth of the default city's events; also without the bots' events."""
    store = store_of(clean_log(simulation, seed), simulation, seed)
    queries, target = queries_of(store, 0.1)
    human = np.asarray(store["device"])[queries.stop] != store.encoding.vocabularies["device"].code_of.get("bot", -1)
    rows = []
    scores: dict[str, NDArray] = dict(counters(queries))
    for one in observers(simulation, seed):
        begun = time.perf_counter()
        scores[one.name] = one.score(queries).item
        print(f"{one.name}: {len(queries) / (time.perf_counter() - begun):,.0f} queries a second")
    for name, score in scores.items():
        rows.append((name, judged(score, target) | {"hr@10 people": judged(score[human], target[human])["hr@10"]}))
        if name.startswith("city"):
            rows[-1][1]["log p"] = float(score[np.arange(len(target)), target].mean())
    return rows


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--only", choices=["speed", "table"])
    parser.add_argument("--json", type=Path, help="where the speed goes")
    args = parser.parse_args()
    params = load_params(args.params)
    if args.only != "table":
        big = params.simulation.model_copy(update={"users": args.users, "items": 10_000})
        found = speed(big, params.workspace.seed, args.days) | {"users": args.users, "days": args.days}
        print(f"{os.cpu_count()} cores:", {k: round(v, 1) for k, v in found.items()})
        if args.json:
            write_json(args.json, found)
    if args.only != "speed":
        for name, row in table(params.simulation, params.workspace.seed):
            print(f"{name:16}", "  ".join(f"{key} {value:.4f}" for key, value in row.items()))


if __name__ == "__main__":
    main()
