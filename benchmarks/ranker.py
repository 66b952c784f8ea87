"""Speed of the ranker: one query in one process, step by step (catalogue 10,000, history 200, 200 candidates).

    OMP_NUM_THREADS=1 python -m benchmarks.ranker [--network] [--times 300]

A toy log of users who repeat and follow; a memory with the counters of the repository's params, a Transformer of the
same params with `--network` (trained for one step: its weights are of no account to its speed), 150 trees. Times are
of the processor (this process alone), in milliseconds: median and 99th percentile. The steps do not add up to the
whole: what one of them makes, the next finds made.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from components import learners
from components.evaluation.protocol import Protocol
from components.features.store import Store
from components.memory.replay import ask_online
from components.params import Params, RankerParams, load_params
from components.predictor import NoTracker, Predictor, Queries, Window
from components.presets import preset
from components.ranking.candidates import choose
from components.ranking.evidence import gather
from components.ranking.features import features, of_query
from components.ranking.forest import begun
from components.ranking.ranker import RankerPredictor
from components.ranking.stage import blend_of
from tests.toy import toy_store

ROOT = Path(__file__).resolve().parents[1]


def measured(work: Callable[[Queries], object], queries: Queries, times: int) -> str:
    """Median and 99th percentile of the processor time of one query, after a few to warm up."""
    taken = []
    for n in range(-10, times):
        one = queries[slice(n % len(queries), n % len(queries) + 1)]
        begin = time.process_time_ns()
        work(one)
        if n >= 0:
            taken.append((time.process_time_ns() - begin) / 1e6)
    return f"{np.median(taken):8.3f} {np.percentile(taken, 99):8.3f}"


def fitted(store: Store, params: Params, names: list[str], method: str) -> RankerPredictor:
    """A ranker over fitted parts; trees as many as the params have rounds."""
    parts: dict[str, Predictor] = {}
    for name in names:
        parts[name] = learners.build(name, params)
        parts[name].fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    changed = {"parts": names, "method": method, "ablation": False, "max_queries": 1500}
    ranker = RankerParams.model_validate({**preset("city")["training"]["rankers"]["ranker"], **changed})
    training = params.training.model_copy(update={"rankers": {"ranker": ranker}})
    made = blend_of("ranker", parts, params.model_copy(update={"training": training}), Protocol.of(params.evaluation))
    made.fit_weights(Window(store, "blend"))
    assert isinstance(made, RankerPredictor)
    return made


def report(store: Store, ranker: RankerPredictor, times: int) -> None:
    """Print the whole, and its steps."""
    queries = ask_online(Window(store, "test"), True).queries
    looker, parts = ranker.looker, ranker.parts
    print(f"{ranker.ranker.method} over {', '.join(parts)}; history {np.mean(queries.stop - queries.start):.0f}")
    print(f"  the whole               {measured(ranker.score, queries, times)}")
    for name, part in parts.items():
        print(f"  {name + ' alone':24}{measured(part.score, queries, times)}")
    print(f"  what voices say         {measured(lambda q: gather(parts, q, 500), queries, times)}")
    print(f"  … of items alone        {measured(lambda q: gather(parts, q, 500, items_only=True), queries, times)}")
    print(f"  … and mixed             {measured(lambda q: looker.weigh(parts, q, True), queries, times)}")
    if ranker.ranker.method == "gate" or ranker._forest is None:
        return
    print(f"  … and candidates' rows  {measured(lambda q: looker.look(parts, q, True), queries, times)}")
    one = queries[:1]
    evidence, mixture = looker.weigh(parts, one, True)
    found = choose(evidence, mixture, looker.params)
    items = looker._items_of(store.encoding)
    table, forest = features(evidence, mixture, found, items), ranker._forest
    own = mixture[found.query, found.item].astype(float)
    steps = {
        "a query described": lambda _: of_query(evidence.ask),
        "candidates": lambda _: choose(evidence, mixture, looker.params),
        "columns": lambda _: features(evidence, mixture, found, items),
        f"{len(forest.root)} trees": lambda _: forest.predict(table),
        "probabilities": lambda _: ranker.spread.of(begun(own) + forest.predict(table), mixture.copy(), found),
    }
    for name, work in steps.items():
        print(f"    {name:22}{measured(work, queries, times)}")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", action="store_true")
    parser.add_argument("--times", type=int, default=300)
    options = parser.parse_args()
    params = load_params(ROOT / "params.yaml")
    loop = params.training.loop.model_copy(update={"epochs": 1})
    models = {
        name: one.model_copy(update={"overrides": {}} | ({"network": one.network} if one.network else {}))
        for name, one in params.training.models.items()
    }
    params = params.model_copy(update={"training": params.training.model_copy(update={"loop": loop, "models": models})})
    store = toy_store(60, 10_000, 250, pattern="markov")
    names = ["memory", "transformer"] if options.network else ["memory"]
    print(f"{'':26}{'median':>8} {'p99':>8}  ms of processor")
    for method in ("trees", "gate"):
        report(store, fitted(store, params, names, method), options.times)


if __name__ == "__main__":
    main()
