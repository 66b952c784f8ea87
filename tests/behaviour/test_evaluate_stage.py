"""The stage evaluate on a small workspace: what it writes, that it writes it twice the same, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from components import learners
from components.errors import ConfigError, DataError
from components.evaluate import evaluate
from components.evaluation.judgement import Judgement
from components.features.store import WINDOWS, Store
from components.files import sha256_tree
from components.params import Params, load_params
from components.predictor import NoTracker, Window
from tests.conftest import ROOT
from tests.toy import toy_store


@pytest.fixture
def params() -> Params:
    found = load_params(ROOT / "params.yaml")
    source = found.events.source.model_copy(update={"format": "csv"})
    baselines = ["popularity", "recent_popularity", "markov", "user_frequency"]
    evaluation = found.evaluation.model_copy(update={"bootstrap": 200, "baselines": baselines})
    return found.model_copy(
        update={"events": found.events.model_copy(update={"source": source}), "evaluation": evaluation}
    )


@pytest.fixture
def workspace(tmp_path: Path, params: Params) -> Path:
    store = toy_store(pattern="markov", n_users=40)
    store.save(tmp_path / "data" / "features")
    for name, folder in (("memory", "memory"), ("trajectory", "transition")):
        model = learners.build(name, params)
        model.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
        model.save(tmp_path / "models" / folder)
    (tmp_path / "models" / "memory" / "curves.csv").write_text("step,epoch,tune_ndcg@10\n1,0,0.2\n2,1,0.3\n")
    return tmp_path


def test_it_writes_every_report_and_the_same_bytes_again(workspace: Path, params: Params) -> None:
    seen: list[str] = []
    evaluate(workspace, params, lambda name, done, total: seen.append(f"{name} {done}/{total}"))
    first = sha256_tree(workspace / "reports")
    assert {"evaluation.json", "metrics.json", "report.html", "ranks/memory.parquet", "plots/slices.csv"} <= set(first)
    assert any(line.startswith("user_frequency") for line in seen)
    evaluate(workspace, params)
    assert sha256_tree(workspace / "reports") == first

    record = json.loads((workspace / "reports" / "evaluation.json").read_text())
    judged = {row["model"]: row for row in record["models"]}
    assert [judged[name]["kind"] for name in ("memory", "popularity")] == ["model", "baseline"]
    assert judged["memory"]["curves"] == {"tune_ndcg@10": [[1.0, 0.2], [2.0, 0.3]]}
    # on a log where each item follows another, whoever knows that is far ahead, and the report says so
    assert judged["memory"]["metrics"]["ndcg@10"]["value"] > 2 * judged["popularity"]["metrics"]["ndcg@10"]["value"]
    assert record["verdict"]["baseline"] == "markov"

    kept = Judgement.load(workspace / "reports" / "ranks" / "memory.parquet")
    flat = json.loads((workspace / "reports" / "metrics.json").read_text())
    assert flat["memory"]["ndcg@10"] == pytest.approx(float(np.nanmean(kept.metric("ndcg@10"))))
    with (workspace / "reports" / "plots" / "metrics.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["model"] for row in rows} == set(judged)


def test_groups_of_users_are_slices_of_their_own(workspace: Path, params: Params) -> None:
    users = [str(name) for name in Store.load(workspace / "data" / "features").users]
    table = pl.DataFrame({"user_id": users, "age": ["young", "old"] * (len(users) // 2)})
    (workspace / "data" / "catalogue").mkdir()
    table.write_parquet(workspace / "data" / "catalogue" / "users.parquet")
    asked = params.evaluation.model_copy(update={"groups": ["age"], "baselines": ["popularity"]})
    evaluate(workspace, params.model_copy(update={"evaluation": asked}))
    record = json.loads((workspace / "reports" / "evaluation.json").read_text())
    for row in record["models"]:
        assert {one["name"] for one in row["slices"]["user age"]} == {"young", "old"}
        assert sum(one["queries"] for one in row["slices"]["user age"]) == record["data"]["queries"]
    unknown = asked.model_copy(update={"groups": ["shoe_size"]})
    with pytest.raises(ConfigError, match=r"'shoe_size' among age"):
        evaluate(workspace, params.model_copy(update={"evaluation": unknown}))


def test_a_model_may_not_have_the_name_of_a_baseline(workspace: Path, params: Params) -> None:
    (workspace / "models" / "transition").rename(workspace / "models" / "markov")
    with pytest.raises(ConfigError, match="markov as both"):
        evaluate(workspace, params)


def test_without_models_or_questions_it_says_what_is_missing(tmp_path: Path, workspace: Path, params: Params) -> None:
    store = toy_store()
    store.save(tmp_path / "empty" / "data" / "features")
    with pytest.raises(DataError, match="a trained model"):
        evaluate(tmp_path / "empty", params)
    store.columns["window"][store["window"] == WINDOWS["test"]] = WINDOWS["rest"]
    store.save(workspace / "data" / "features")
    with pytest.raises(DataError, match="test window"):
        evaluate(workspace, params)


def test_declared_groups_have_gaps_and_rules_have_costs(workspace: Path, params: Params) -> None:
    rule = params.policy.rules["active"].model_copy(update={"order": "calibrated", "weight": 0.5})
    policy = params.policy.model_copy(update={"rules": dict.fromkeys(params.policy.rules, rule)})
    asked = params.evaluation.model_copy(
        update={"groups": ["user.activity", "user.region", "item.popularity"], "baselines": ["popularity"]}
    )
    gate = params.gate.model_copy(update={"min_slice_queries": 20})
    evaluate(workspace, params.model_copy(update={"evaluation": asked, "policy": policy, "gate": gate}))
    record = json.loads((workspace / "reports" / "evaluation.json").read_text())
    judged = {row["model"]: row for row in record["models"]}
    for row in judged.values():
        assert {"user activity", "item popularity"} <= set(row["slices"])
        assert "popularity of the answer" in row["slices"]
        assert row["gaps"] == sorted(row["gaps"], key=lambda one: -one["value"])
    figures = judged["memory"]["rules"]["figures"]
    assert figures["off_taste"]["difference"]["high"] < 0
    assert {one["name"] for one in judged["memory"]["rules"]["segments"]} <= {"new", "active", "returning"}
    assert judged["popularity"]["rules"] is None
    kept = Judgement.load(workspace / "reports" / "ranks" / "memory.parquet")
    assert kept.matrix("ruled").shape == (len(kept), 10)
    page = (workspace / "reports" / "report.html").read_text()
    assert "after the rules" in page
    plain = dict.fromkeys(params.policy.rules, params.policy.rules["active"])
    policy = params.policy.model_copy(update={"rules": plain})
    evaluate(workspace, params.model_copy(update={"evaluation": asked, "policy": policy}))
    assert "what is ranked is what is shown" in (workspace / "reports" / "report.html").read_text()
