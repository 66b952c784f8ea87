"""From trained models to a champion: on a small workspace whose stages have run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from components import learners
from components.errors import PromotionError
from components.features.store import Store
from components.files import read_json
from components.params import Params
from components.predictor import NoTracker
from components.registry import contest, decisions, promote, promotions, results, trial
from components.registry.artifact import load_artifact
from components.registry.lineage import window_record, windows_of
from components.registry.reconcile import reconcile
from components.registry.tracking import runs, versions
from components.registry.tracking.client import connect, experiment
from components.training.train import fit_and_save
from components.workspace import Settings, Workspace
from tests.workspaces import few_counters, run_stages, small_params


def params_of(root: Path) -> Params:
    return Workspace(root).load_params()


def test_a_champion_is_judged_on_new_days_as_its_own_stage_judged_it(promoted: Path) -> None:
    """The rescored champion on its own window gives what the evaluate stage wrote, query by query."""
    params = run_stages(promoted, small_params(**few_counters("popularity", "markov", "user_frequency")), days=35)
    entry = promotions.current(promoted)
    assert entry is not None
    champion = load_artifact(Workspace(promoted).artifact(entry.digest), entry.digest, catch_up=False)
    judged, own = contest.rescore(promoted, params, Store.load(Workspace(promoted).features), champion)
    written = contest.judgement_of(promoted, "memory")
    assert np.array_equal(own["item"], Store.load(Workspace(promoted).features)["item"])
    assert judged.table.select("row", "user", "ranks").equals(written.table.select("row", "user", "ranks"))


def test_a_better_model_replaces_the_champion_and_can_be_rolled_back(promoted: Path) -> None:
    params = params_of(promoted)
    first = promotions.current(promoted)
    assert first is not None
    decision = trial.run_gate(promoted, params)
    assert decision.outcome == "promote"
    assert decision.champion == "memory"
    assert any(check.name.startswith("slice history") for check in decision.checks)
    assert not any("explore" in check.name for check in decision.checks)
    entry = promote.promote(promoted, params, decision)
    assert (entry.sequence, entry.previous) == (2, first.digest)
    assert entry.params is not None
    assert "user_markov" in entry.params["text"]
    again = trial.run_gate(promoted, params)
    assert again.outcome == "nothing"
    assert "is the champion of entry 2" in again.summary
    aliases = versions.read(promoted, "small").aliases
    assert aliases == {"champion": entry.digest, "previous": first.digest}

    back = promote.rollback(promoted, params)
    assert (back.kind, back.digest, back.returns_to) == ("rollback", first.digest, 1)
    assert versions.read(promoted, "small").aliases == {"champion": first.digest}
    refused = trial.run_gate(promoted, params)
    assert refused.outcome == "nothing"
    assert "was rolled back" in refused.summary
    assert promotions.current(promoted) == back


def test_a_window_that_was_judged_has_nothing_more_to_promote(promoted: Path) -> None:
    params = params_of(promoted)
    promote.promote(promoted, params, trial.run_gate(promoted, params))
    artifacts = sorted(Workspace(promoted).artifacts.iterdir())
    other = run_stages(promoted, small_params(**few_counters("popularity", "markov", "user_hour")), days=37)
    decision = trial.run_gate(promoted, other)
    assert decision.outcome == "nothing"
    assert "already judged for entry 2" in decision.summary
    assert sorted(Workspace(promoted).artifacts.iterdir()) == artifacts
    with pytest.raises(PromotionError, match="a decision to promote"):
        promote.promote(promoted, other, decision)


def test_a_refused_challenger_is_shown_as_such_and_not_judged_twice(promoted: Path) -> None:
    worse = run_stages(promoted, small_params(**few_counters("popularity", "markov")), days=37)
    decision = trial.run_gate(promoted, worse)
    assert decision.outcome == "refuse"
    assert "worse" in decision.summary
    shown = versions.read(promoted, "small")
    assert shown.aliases["challenger"] == decision.digest
    again = trial.run_gate(promoted, worse)
    assert again.outcome == "nothing"
    assert again.summary.startswith("The same challenger was refused on the same window before")
    window = str(decision.window["digest"])
    assert decisions.looks(promoted, window, "another") == 2
    assert reconcile(promoted) == []
    assert versions.read(promoted, "small").aliases["challenger"] == decision.digest


def test_the_candidate_that_is_best_before_the_window_is_the_challenger(
    promoted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params, workspace = params_of(promoted), Workspace(promoted)
    store = Store.load(workspace.features)
    fit_and_save(promoted, params, learners.build("popularity", params), NoTracker())
    good, poor = (contest.Contestant(name, workspace.model(name)) for name in ("memory", "popularity"))
    chosen, values = contest.choose(promoted, [poor, good], store, params)
    assert chosen == good
    assert values["memory"] > values["popularity"]
    asked: list[str] = []
    monkeypatch.setattr(contest, "_on_blend", lambda one, *_: asked.append(one.name) or 0.5)
    assert contest.choose(promoted, [poor, good], store, params) == (good, values)
    assert asked == []
    (good.folder / "other").write_text("another model")
    assert contest.choose(promoted, [poor, good], store, params)[1]["memory"] == 0.5
    assert asked == ["memory"]
    assert contest.candidates(promoted, params) == [good]


def test_groups_of_users_are_guarded(promoted: Path) -> None:
    params, workspace = params_of(promoted), Workspace(promoted)
    users = [str(one) for one in Store.load(workspace.features).users]
    half = {name: "left" if n % 2 else "right" for n, name in enumerate(users[:-1])}
    table = pl.DataFrame({"user_id": list(half), "half": list(half.values())})
    table.write_parquet(workspace.catalogue / "users.parquet")
    evaluation = params.evaluation.model_copy(update={"groups": ["half"]})
    gate = params.gate.model_copy(update={"min_slice_queries": 10})
    changed = params.model_copy(update={"evaluation": evaluation, "gate": gate})
    decision = trial.run_gate(promoted, changed)
    assert {"slice user half: left", "slice user half: right"} <= {check.name for check in decision.checks}
    judged = contest.judgement_of(promoted, "memory")
    masks = contest.guarded(promoted, judged, Store.load(workspace.features), changed)
    of_query = np.array([half.get(users[row], "not told") for row in judged.user])
    assert np.array_equal(masks["user half: left"], of_query == "left")


def test_a_first_champion_is_compared_with_every_counter_that_was_judged(promoted: Path) -> None:
    params = params_of(promoted)
    found = contest.baselines(promoted, params)
    assert {one.name for one in found} == {"popularity", "markov"}
    assert set(contest.unscored(found, params)) == set(params.memory.components) - {"popularity", "markov"}


def test_curves_are_logged_at_their_own_steps(promoted: Path) -> None:
    params = params_of(promoted)
    curves = "step,epoch,loss_item,tune_ndcg@10\n50,0,3.5,\n120,1,,0.25\n"
    (Workspace(promoted).model("memory") / "curves.csv").write_text(curves)
    run_id = results.log_runs(promoted, params)[0]
    with connect(promoted) as client:
        points = {name: client.get_metric_history(run_id, name) for name in ("loss_item", "tune_ndcg_at_10")}
    assert [(one.step, one.value) for one in points["loss_item"]] == [(50, 3.5)]
    assert [(one.step, one.value) for one in points["tune_ndcg_at_10"]] == [(120, 0.25)]


def test_each_result_is_logged_once(promoted: Path) -> None:
    params = params_of(promoted)
    first = results.log_runs(promoted, params)
    assert results.log_runs(promoted, params) == first
    with connect(promoted) as client:
        where = experiment(client, promoted, "small")
        names = sorted(run.info.run_name for run in client.search_runs([where]))
        assert names == ["evaluate", "evaluate", "train memory", "train memory"]
        run = client.get_run(first[1])
        written = read_json(Workspace(promoted).reports / "metrics.json")
        assert run.data.metrics["memory/ndcg_at_10"] == pytest.approx(written["memory"]["ndcg@10"])
        kept = {one.path for one in client.list_artifacts(first[1])}
        assert {"report.html", "evaluation.json"} <= kept
        assert len(run.inputs.dataset_inputs) == 1


def test_lineage_and_card_tell_where_a_model_comes_from(promoted: Path) -> None:
    entry = promotions.current(promoted)
    assert entry is not None
    folder = Workspace(promoted).artifact(entry.digest)
    record = read_json(folder / "lineage.json")
    assert record["content"] == entry.content
    assert record["model"] == "memory"
    assert set(record["windows"]) == {"train", "tune", "blend", "test"}
    assert record["windows"]["train"]["stop_s"] < record["windows"]["tune"]["start_s"]
    assert record["run_id"]
    text = (folder / "card.md").read_text()
    for part in ("What it is for", "Data", "How good it is", "Groups", "Calibration", "Limits", "Lineage"):
        assert f"\n## {part}" in text
    assert "markov" in text
    assert record["run_id"] in text


def test_a_window_is_known_by_who_did_something_when(promoted: Path) -> None:
    store = Store.load(Workspace(promoted).features)
    record = window_record(store, "test")
    assert record["events"] == windows_of(store)["test"]["events"]
    params = run_stages(promoted, small_params(**few_counters("popularity", "markov")), days=37)
    same = Store.load(Workspace(promoted).features)
    assert window_record(same, "test") == record
    assert params.features.min_item_events == 1


def test_people_score_through_mlflow(promoted: Path) -> None:
    entry = promotions.current(promoted)
    assert entry is not None
    with connect(promoted):
        import mlflow

        assert mlflow.get_tracking_uri() == Settings().tracking_uri(promoted)
        model = mlflow.pyfunc.load_model("models:/small@champion")
    loaded = load_artifact(Workspace(promoted).artifact(entry.digest), entry.digest)
    user = str(loaded.histories.users[0])
    item = str(loaded.encoding.vocabularies["item"].ids[5])
    told = f'[{{"item_id": "{item}", "action": "view", "timestamp": "2025-04-01T10:00:00Z"}}]'
    frame = pd.DataFrame({"user_id": [user, "nobody", None], "history": [None, None, told]})
    table = model.predict(frame, params={"k": 4})
    assert table["row"].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert table["rank"].tolist() == [1, 2, 3, 4] * 3
    assert table.groupby("row")["probability"].is_monotonic_decreasing.all()
    assert set(table["item_id"]) <= set(loaded.encoding.vocabularies["item"].ids[2:])
    assert table[table["row"] == 0]["item_id"].tolist() != table[table["row"] == 1]["item_id"].tolist()


def test_an_alias_that_a_person_moved_is_reported_and_taken_over_only_on_request(promoted: Path) -> None:
    params = params_of(promoted)
    first = promotions.current(promoted)
    assert first is not None
    with pytest.raises(PromotionError, match="moved to another version"):
        promote.adopt(promoted, params)
    second = promote.promote(promoted, params, trial.run_gate(promoted, params))
    version = versions.read(promoted, "small").versions[first.digest]
    with connect(promoted) as client:
        client.set_registered_model_alias("small", "champion", version)
    findings = reconcile(promoted)
    assert len(findings) == 1
    assert "alias champion was moved by hand" in findings[0]
    assert versions.read(promoted, "small").aliases["champion"] == first.digest
    assert promotions.current(promoted) == second
    entry = promote.adopt(promoted, params)
    assert (entry.kind, entry.digest, entry.previous) == ("adopt", first.digest, second.digest)
    assert reconcile(promoted) == []


def test_a_tracker_reports_while_a_training_goes_on(promoted: Path) -> None:
    with runs.MlflowTracker(promoted, "small", "live", {"width": 4}) as tracker:
        for step in range(5):
            tracker.log({"loss": 1 / (step + 1), "ndcg@10": float("nan")}, step)
    with connect(promoted) as client:
        run = client.get_run(tracker.run_id)
        assert run.info.status == "FINISHED"
        assert run.data.params == {"width": "4"}
        assert [one.value for one in client.get_metric_history(tracker.run_id, "loss")] == [1, 0.5, 1 / 3, 0.25, 0.2]
        assert "ndcg_at_10" not in run.data.metrics
    with pytest.raises(ZeroDivisionError), runs.MlflowTracker(promoted, "small", "sick", {}) as tracker:
        raise ZeroDivisionError
    with connect(promoted) as client:
        assert client.get_run(tracker.run_id).info.status == "FAILED"
