"""What rules on the final list cost and gain, over a grid of weights, and what they cost in time.

    python -m benchmarks.rules --source recbole --path ml-100k.inter [--models memory,transformer] [--json OUT]
    python -m benchmarks.rules --source foursquare --path train.csv.gz

Each model is fitted as its preset says (networks with `benchmarks/configs/reasons.yaml`, small) and judged once on the
test window; every rule shapes the same answers, 10 items from 200 candidates, for everybody alike. Figures are those of
the report: NDCG and hit rate within the list, diversity (share of pairs of different categories), `off_taste`
(divergence of the categories of the list from those of the user, nats), coverage; each before, after and paired
difference with 95 % intervals. Time is CPU of one question at a time, k = 10 and 100, with the pick of the candidates.
"""

from __future__ import annotations

import argparse
import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from components import learners
from components.benchmark.load import Options, load_log
from components.evaluation.costs import rules_cost
from components.evaluation.judge import Columns, Pairs, judge
from components.evaluation.judgement import Judgement
from components.evaluation.protocol import Protocol, make_queries
from components.evaluation.significance import Bootstrap
from components.features.build import frame_to_store
from components.features.store import Store
from components.features.windows import Split
from components.files import write_json
from components.params import Params, PolicyParams, RuleParams
from components.predictor import NoTracker, Predictor, Queries, Scores, Window
from components.ranking.rules.judged import Ruled
from components.ranking.rules.policy import shape
from components.ranking.rules.segment import SEGMENTS

_CONFIG = Path(__file__).parent / "configs" / "reasons.yaml"
WEIGHTS = (0.9, 0.7, 0.5, 0.3)
_TIMED = 100


def grid(plain: RuleParams, placed: bool) -> dict[str, RuleParams]:
    """Name → rule; `placed`: whether items have places, by which they can be alike."""
    found = {}
    for weight in WEIGHTS:
        for order in ("diverse", "calibrated"):
            found[f"{order} {weight}"] = plain.model_copy(update={"order": order, "weight": weight})
    if placed:
        both = {"order": "diverse", "weight": 0.7, "alike": ["category", "place"]}
        found["diverse 0.7, by place too"] = plain.model_copy(update=both)
    for most in (2, 4):
        found[f"at most {most} of a category"] = plain.model_copy(update={"max_per_category": most})
    return found


def policy_of(base: PolicyParams, rule: RuleParams) -> PolicyParams:
    """The same rule for everybody."""
    return base.model_copy(update={"rules": dict.fromkeys(SEGMENTS, rule)})


@dataclass(frozen=True)
class Several:
    """Several policies on the same answers; columns of each under its name."""

    policies: dict[str, PolicyParams]

    def __call__(self, queries: Queries, scores: Scores, seen: Pairs | None) -> Columns:
        """As `Ruled`."""
        return {
            f"{name}|{column}": values
            for name, policy in self.policies.items()
            for column, values in Ruled(policy)(queries, scores, seen).items()
        }


def one_of(judgement: Judgement, name: str) -> Judgement:
    """The judgement with the columns of one policy."""
    names = {column: column.partition("|")[2] for column in judgement.table.columns if column.startswith(f"{name}|")}
    return replace(judgement, table=judgement.table.rename(names))


def milliseconds(predictor: Predictor, store: Store, policy: PolicyParams, params: Params, k: int) -> float:
    """Median CPU milliseconds of the rules for one question."""
    queries, _ = make_queries(Window(store, "test"), Protocol.of(params.evaluation))
    queries = queries[np.linspace(0, len(queries) - 1, _TIMED).astype(np.int64)]
    log_p = predictor.score(queries).item
    allowed = np.arange(log_p.shape[1]) > 1
    spent = []
    for b in range(len(queries)):
        part = slice(b, b + 1)
        begin = time.thread_time()
        shape(policy, queries[part], log_p[part], allowed, k, queries.time_s[part])
        spent.append(time.thread_time() - begin)
    return round(1000 * float(np.median(spent)), 3)


def run(options: Options, names: list[str]) -> dict[str, Any]:
    """Load, fit, judge once, shape many times."""
    params, log, items, users = load_log(options, logging.info)
    store = frame_to_store(log, items, users, params, Split("temporal"))
    placed = bool(np.isfinite(store.encoding.catalogue.latitude).any())
    rules = grid(params.policy.rules["active"], placed)
    policies = {name: policy_of(params.policy, rule) for name, rule in rules.items()}
    rows = []
    for name in names:
        predictor = learners.build(name, params)
        predictor.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
        evaluation = params.evaluation
        found = judge(
            predictor, Window(store, "test"), Protocol.of(evaluation), max_queries=evaluation.max_queries,
            seed=params.workspace.seed, also=Several(policies),
        )  # fmt: skip
        bootstrap = Bootstrap(found.user, evaluation.bootstrap, evaluation.confidence, params.workspace.seed)
        for rule, policy in policies.items():
            cost = rules_cost(one_of(found, rule), store.encoding.catalogue.category, bootstrap, SEGMENTS)
            assert cost is not None
            price = {f"ms_k{k}": milliseconds(predictor, store, policy, params, k) for k in (10, 100)}
            rows.append({"model": name, "rule": rule, **cost["figures"], **price})
            logging.info("%s", _line(rows[-1]))
    return {"source": options.source, "queries": len(found), "items": found.n_items, "rows": rows}


def _line(row: dict[str, Any]) -> str:
    def change(name: str) -> str:
        if name not in row:
            return f"{name} –"
        one = row[name]["difference"]
        return f"{name} {row[name]['before']['value']:.3f} {one['value']:+.4f} ({one['low']:+.3f}…{one['high']:+.3f})"

    figures = "  ".join(change(name) for name in ("ndcg@10", "diversity", "off_taste", "coverage"))
    return f"{row['model']:>12} {row['rule']:<24} {figures}  {row['ms_k10']}/{row['ms_k100']} ms"


def main() -> None:
    """Run, say, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True)
    parser.add_argument("--path", type=Path, required=True)
    parser.add_argument("--models", default="memory")
    parser.add_argument("--config", type=Path, default=_CONFIG)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    record = run(Options(source=asked.source, path=asked.path, params=asked.config), asked.models.split(","))
    if asked.json:
        write_json(asked.json, record)


if __name__ == "__main__":
    main()
