"""Are the reasons reasons? Deletion and insertion curves of each method against random order.

    python -m benchmarks.reasons --source recbole --path ml-100k.inter [--models memory,gru] [--json OUT]
    python -m benchmarks.reasons --source foursquare --path train.csv.gz

Models are trained small (`benchmarks/configs/reasons.yaml`) and asked about the test window, time hidden; the item
that is explained is the first of each answer. Of every history the newest `--events` are looked at, and they are all
there is: at the end of deletion nothing is left. Methods: `left_out` (events left out one by one), `alone` (what each
brings by itself), `worth` (the mean of both, by which reasons are ordered), `gradients` (integrated, of the network or
of a blend's network), `newest` (recency alone: what a method must beat to be worth its price). Figures are areas
between a method's curve and the mean of `--draws` random orders, in nats of log-probability, with 95 % intervals (users
resampled), and how far `worth` is ahead of each other method. CPU seconds are per answer.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components import learners
from components.benchmark.load import Options, load_log
from components.evaluation.data import data_record
from components.evaluation.protocol import Protocol, make_queries, sample_users
from components.evaluation.significance import Bootstrap, paired_difference
from components.explanation.counters import parts_of
from components.explanation.faithfulness import Curves, curves, gain
from components.explanation.occlusion import occlude
from components.features.build import frame_to_store
from components.features.store import Store
from components.features.windows import Split
from components.files import write_json
from components.params import Params
from components.predictor import NoTracker, Predictor, Queries, Window
from components.ranking.blend import BlendPredictor
from components.training.network import NetworkPredictor

_CONFIG = Path(__file__).parent / "configs" / "reasons.yaml"
_FEWEST = 5  # events: with fewer, an order says little
Orders = dict[str, list[NDArray[np.int64]]]


def questions(store: Store, params: Params, events: int, most: int) -> Queries:
    """At most `most` questions of the test window, of users drawn by seed, over their newest `events`."""
    protocol = replace(Protocol.of(params.evaluation), target_time="hidden")
    window = Window(store, "test", "online")
    queries, _ = make_queries(window, protocol, sample_users(store, window.targets, 10 * most, params.workspace.seed))
    queries = queries[queries.stop - queries.start >= _FEWEST]
    queries = queries[np.linspace(0, len(queries) - 1, min(most, len(queries))).astype(np.int64)]
    return replace(queries, start=np.maximum(queries.start, queries.stop - events))


def models(names: list[str], store: Store, params: Params) -> Iterator[Predictor]:
    """Fit the models in their order; a blend mixes those that were fitted before it."""
    fitted: dict[str, Predictor] = {}
    for name in names:
        if name == "blend":
            parts = {part: fitted[part] for part in params.training.blend.parts}
            one: Predictor = BlendPredictor(parts, params.training.blend, Protocol.of(params.evaluation))
            one.fit_weights(Window(store, "blend"))  # type: ignore[attr-defined]
        else:
            one = learners.build(name, params)
            one.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
        fitted[name] = one
        yield one


def network_of(predictor: Predictor) -> NetworkPredictor | None:
    """The network itself, or that of a blend."""
    everyone = [predictor, *parts_of(predictor).values()]
    return next((one for one in everyone if isinstance(one, NetworkPredictor)), None)


def orders_of(
    predictor: Predictor, query: Queries, item: int, steps: int, rng: np.random.Generator, draws: int
) -> tuple[Orders, dict[str, float]]:
    """Orders of the events, most important first, and the CPU seconds of the methods that have a price."""
    n = int(query.stop[0] - query.start[0])
    asked = np.array([item])
    begin = time.process_time()
    taken = occlude(predictor, query, asked, n)
    spent = {"worth": time.process_time() - begin}
    newest = np.arange(n)[::-1]

    def by(effect: NDArray[np.float64]) -> list[NDArray[np.int64]]:
        return [newest[np.argsort(-effect[newest], kind="stable")]]

    found = {"worth": by(taken.worth[:, 0]), "left_out": by(taken.effect[:, 0]), "alone": by(taken.alone[:, 0])}
    found["newest"] = [newest]
    network = network_of(predictor)
    if network is not None:
        from components.explanation.gradients import integrated_gradients

        begin = time.process_time()
        gradients = integrated_gradients(network, query, asked, steps)
        spent["gradients"] = time.process_time() - begin
        whole = np.full(n, -np.inf)
        whole[gradients.event] = gradients.effect[:, 0]
        found["gradients"] = by(whole)
    found["random"] = [rng.permutation(n) for _ in range(draws)]
    return found, spent


def faithfulness(predictor: Predictor, queries: Queries, params: Params, steps: int, draws: int) -> dict[str, Any]:
    """Areas between curves of one model, with intervals, and the mean curves."""
    rng = np.random.default_rng(params.workspace.seed)
    user = queries.store.user[queries.start]
    kept: dict[str, list[Curves]] = {}
    seconds: dict[str, list[float]] = {}
    for b in range(len(queries)):
        query = queries[b : b + 1]
        item = int(np.argmax(predictor.score(query).item[0]))
        orders, spent = orders_of(predictor, query, item, steps, rng, draws)
        for name, one in curves(predictor, query, item, orders).items():
            kept.setdefault(name, []).append(one)
        for name, one in spent.items():
            seconds.setdefault(name, []).append(one)
    bootstrap = Bootstrap(user, params.evaluation.bootstrap, params.evaluation.confidence, params.workspace.seed)
    areas = {
        name: np.array([gain(one, chance) for one, chance in zip(several, kept["random"], strict=True)])
        for name, several in kept.items()
        if name != "random"
    }
    rows = {}
    for name, area in areas.items():
        rows[name] = {way: bootstrap.mean(area[:, at]).record() for at, way in enumerate(("deletion", "insertion"))}
        if name != "worth":
            rows[name]["worth_is_ahead_by"] = {
                way: paired_difference(areas["worth"][:, at], area[:, at], bootstrap).record()
                for at, way in enumerate(("deletion", "insertion"))
            }
        if name in seconds:
            rows[name]["median_cpu_s"] = round(float(np.median(seconds[name])), 4)
    shown = {
        name: {
            way: np.mean([getattr(one, way) for one in several], axis=0).round(4).tolist()
            for way in ("deletion", "insertion")
        }
        for name, several in kept.items()
    }
    return {"model": predictor.name, "methods": rows, "curves": shown}


def run(options: Options, names: list[str], events: int, most: int, steps: int, draws: int) -> dict[str, Any]:
    """Load, fit, ask, take away."""
    params, log, items, users = load_log(options, logging.info)
    store = frame_to_store(log, items, users, params, Split("temporal"))
    queries = questions(store, params, events, most)
    about = {
        "data": data_record(store)["digest"],
        "queries": len(queries),
        "users": len(np.unique(queries.store.user[queries.start])),
        "median_events": float(np.median(queries.stop - queries.start)),
        "events": events,
        "steps": steps,
        "draws": draws,
    }
    rows = []
    for predictor in models(names, store, params):
        logging.info("%s: fitted", predictor.name)
        rows.append(faithfulness(predictor, queries, params, steps, draws))
        for name, row in rows[-1]["methods"].items():
            logging.info("  %s", _line(name, row))
    return {"source": options.source, **about, "models": rows}


def _line(name: str, row: dict[str, Any]) -> str:
    parts = [
        f"{way} {row[way]['value']:+.3f} ({row[way]['low']:+.3f} to {row[way]['high']:+.3f})"
        for way in ("deletion", "insertion")
    ]
    price = f"  {1000 * row['median_cpu_s']:.0f} ms" if "median_cpu_s" in row else ""
    return f"{name:>10}  {'  '.join(parts)}{price}"


def main() -> None:
    """Run, say, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True)
    parser.add_argument("--path", type=Path, required=True)
    parser.add_argument("--models", default="memory,gru,transformer,blend")
    parser.add_argument("--config", type=Path, default=_CONFIG)
    parser.add_argument("--events", type=int, default=30, help="newest events of each history")
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--steps", type=int, default=16, help="points of the path of the gradients")
    parser.add_argument("--draws", type=int, default=5, help="random orders of each history")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = Options(source=asked.source, path=asked.path, params=asked.config)
    record = run(options, asked.models.split(","), asked.events, asked.queries, asked.steps, asked.draws)
    if asked.json:
        write_json(asked.json, record)


if __name__ == "__main__":
    main()
