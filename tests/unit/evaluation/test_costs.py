"""What rules cost, against figures that are written out here."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from components.evaluation.costs import _jackknife, rules_cost
from components.evaluation.judge import judge
from components.evaluation.judgement import Judgement
from components.evaluation.metrics import coverage
from components.evaluation.protocol import Protocol
from components.evaluation.significance import Bootstrap
from components.params import load_params
from components.predictor import NoTracker, Window
from components.ranking.rules.judged import Ruled
from tests.conftest import ROOT
from tests.property.test_rules_properties import PLAIN, POLICY
from tests.toy import toy_store
from tests.unit.evaluation.simple import Counts

PARAMS = load_params(ROOT / "params.yaml")
SEGMENTS = ("new", "active", "returning")


def judged(**rule: object) -> tuple[Judgement, np.ndarray]:
    store = toy_store(n_users=40, pattern="habit")
    one = Counts("habits", 0.8)
    one.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    rules = dict.fromkeys(SEGMENTS, PLAIN.model_copy(update=rule))
    also = Ruled(POLICY.model_copy(update={"rules": rules}))
    protocol = Protocol.of(PARAMS.evaluation)
    found = judge(one, Window(store, "test"), protocol, max_queries=1000, seed=0, also=also)
    return found, store.encoding.catalogue.category


def bootstrap(found: Judgement) -> Bootstrap:
    return Bootstrap(found.user, 200, 0.95, 0)


def test_rules_that_change_nothing_cost_nothing() -> None:
    found, category = judged()
    cost = rules_cost(found, category, bootstrap(found), SEGMENTS)
    assert cost is not None
    for one in cost["figures"].values():
        assert one["before"] == one["after"]
        assert set(one["difference"].values()) == {0}
    assert all(one["changed"] == 0 for one in cost["segments"])
    assert sum(one["queries"] for one in cost["segments"]) == len(found)
    plain, top = found.matrix("plain"), found.matrix("top")
    value = found.metric("ndcg@10")
    assert cost["figures"]["ndcg@10"]["before"]["value"] == pytest.approx(value.mean(), abs=0.01)  # but for ties
    assert (np.sort(plain, axis=1) == np.sort(top, axis=1)).mean() > 0.9


def test_every_figure_is_what_it_says() -> None:
    found, category = judged(order="diverse", weight=0.3)
    cost = rules_cost(found, category, bootstrap(found), SEGMENTS)
    assert cost is not None
    figures, lists = cost["figures"], found.matrix("ruled").astype(int)
    hits, gains, pairs = [], [], []
    for shown, target in zip(lists.tolist(), found.targets.tolist(), strict=True):
        hits.append(target in shown)
        gains.append(1 / np.log2(shown.index(target) + 2) if target in shown else 0.0)
        kinds = [category[code] for code in shown]
        pairs.append(np.mean([a != b for n, a in enumerate(kinds) for b in kinds[n + 1 :]]))
    assert figures["hr@10"]["after"]["value"] == pytest.approx(np.mean(hits))
    assert figures["ndcg@10"]["after"]["value"] == pytest.approx(np.mean(gains))
    assert figures["diversity"]["after"]["value"] == pytest.approx(np.mean(pairs))
    assert figures["coverage"]["after"]["value"] == pytest.approx(coverage(lists, found.n_items))
    assert figures["diversity"]["difference"]["low"] > 0
    assert figures["ndcg@10"]["difference"]["high"] < 0


def test_calibration_brings_lists_nearer_to_tastes() -> None:
    found, category = judged(order="calibrated", weight=0.5)
    cost = rules_cost(found, category, bootstrap(found), SEGMENTS)
    assert cost is not None
    assert cost["figures"]["off_taste"]["difference"]["high"] < 0
    before, after = found.column("off_taste"), found.column("ruled_off_taste")
    assert (after <= before + 1e-6).all()


def test_a_judgement_without_a_policy_has_no_cost() -> None:
    found, category = judged()
    names = [name for name in found.table.columns if name not in {"ruled", "plain", "segment"}]
    bare = Judgement(found.model, found.window, found.protocol, found.n_items, found.table.select(names), found.about)
    assert rules_cost(bare, category, bootstrap(found), SEGMENTS) is None
    plain = POLICY.model_copy(update={"rules": dict.fromkeys(SEGMENTS, PLAIN)})
    assert Ruled.of(plain) is None
    assert Ruled.of(POLICY) is not None  # the demonstration has rules
    assert isinstance(found.table, pl.DataFrame)


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.random.default_rng(0).normal(0, 1, 50)
    rest = (values.sum() - values) / 49
    found = _jackknife(float(values.mean()), rest, 0.95)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * values.std(ddof=1) / np.sqrt(50), rel=1e-3)
    assert np.isnan(_jackknife(0.5, rest[:1], 0.95).low)
