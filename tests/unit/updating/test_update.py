"""The champion learns new days: from its weights, judged by the gate like any challenger, or it says why not."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import yaml

from components.errors import NoUpdate
from components.features.build import build
from components.features.store import Store
from components.files import read_json, sha256_tree
from components.params import Params, load_params
from components.ranking.blend import BlendPredictor
from components.ranking.stage import fit_blends
from components.registry import contest, promote, promotions, results, trial
from components.registry.lineage import window_record
from components.registry.tracking.client import connect
from components.updating.update import gate, update
from components.workspace import Workspace
from tests.city import clean_log, small_city
from tests.workspaces import FIRST_DAY, run_stages, small_params

NETWORK = {"width": 8, "max_history": 20, "dropout": 0.1}


def record_of(**network: Any) -> dict[str, Any]:
    """Two models that are small, and their blend."""
    record = small_params()
    whole = yaml.safe_load((Path(__file__).resolve().parents[3] / "params.yaml").read_text())
    gru = whole["training"]["models"]["gru"]
    gru["overrides"], gru["network"] = {"epochs": 2}, {**gru["network"], **NETWORK, **network}
    record["training"]["models"]["gru"] = gru
    record["training"]["blend"] |= {"parts": ["memory", "gru"], "candidate": True, "em_steps": 5}
    record["memory"]["components"] = {
        name: record["memory"]["components"][name] for name in ("popularity", "markov", "user_frequency")
    }
    record["update"] = {"replay": 0.3, "epochs": 1, "learning_rate": 0.001}
    record["evaluation"]["groups"] = []
    return record


def crowned(root: Path, params: Params, name: str) -> None:
    """Make a trained model the champion, whatever the gate says."""
    results.log_runs(root, params)
    store = Store.load(Workspace(root).features)
    one = next(one for one in contest.candidates(root, params) if one.name == name)
    told = read_json(root / "reports" / "evaluation.json")
    challenger = trial.Challenger(one, contest.judgement_of(root, name), told, None)
    promote.promote(root, params, replace(trial.gate_of(root, params, store, challenger), outcome="promote"))


def more_days(root: Path, params: Params, days: int) -> None:
    """The log of the first `days` days, and its features; nothing is trained."""
    workspace = Workspace(root)
    log = clean_log(small_city(users=100, items=200, events_per_user_day=2.5))
    log = log.filter(pl.col("timestamp").dt.date() < FIRST_DAY + dt.timedelta(days=days))
    log.write_parquet(workspace.events / "all.parquet")
    log.write_parquet(workspace.validated / "events.parquet")
    build(root, params)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose champion is a blend, and two days that came since; not to be changed."""
    from components.evaluate import evaluate

    patch = pytest.MonkeyPatch()
    patch.setattr("components.registry.contest._TIMED", 20)
    root = tmp_path_factory.mktemp("update") / "small"
    (root / "reports").mkdir(parents=True)
    patch.setattr("tests.workspaces.evaluate", lambda *_: None)
    params = run_stages(root, record_of(), days=33)
    fit_blends(root, params)
    evaluate(root, params)
    crowned(root, params, "blend")
    more_days(root, params, days=36)
    patch.undo()
    return root


@pytest.fixture
def root(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of one's own."""
    monkeypatch.setattr("components.registry.contest._TIMED", 20)
    return Path(shutil.copytree(template, tmp_path / "small"))


def params_of(root: Path) -> Params:
    return load_params(root / "params.yaml")


def test_the_champion_learns_on_and_is_judged_like_any_challenger(root: Path) -> None:
    before = {name: sha256_tree(root / name) for name in ("models", "blends", "reports", "promotions")}
    champion = promotions.current(root)
    assert champion is not None
    record = update(root, params_of(root))
    assert {name: sha256_tree(root / name) for name in before} == before, "what DVC made is left alone"
    assert (record["model"], record["from"], record["entry"]) == ("blend", champion.digest, 1)
    gru = record["networks"]["gru"]
    assert gru["events"]["new"] > 0
    assert 0 < gru["events"]["again"] < 0.6 * gru["events"]["older"]
    assert gru["weights"]["fresh"] == []
    assert gru["weights"]["rows"]["embedding.table.item.weight"].endswith("rows")

    decision = gate(root, params_of(root))
    store = Store.load(Workspace(root).features)
    assert decision.window["digest"] == window_record(store, contest.PROMOTION)["digest"]
    assert decision.champion == "blend"
    assert any(check.name.startswith("slice") for check in decision.checks)
    lineage = read_json(Workspace(root).artifact(decision.digest) / "lineage.json")
    assert lineage["updated_from"] == champion.digest
    with connect(root) as client:
        run = client.get_run(record["run"])
    assert run.data.tags["from"] == champion.digest
    assert run.data.params["networks.gru.events.new"] == str(gru["events"]["new"])

    entry = promote.promote(root, params_of(root), replace(decision, outcome="promote"))
    assert (entry.sequence, entry.previous) == (2, champion.digest)
    with pytest.raises(NoUpdate, match="training events"):
        update(root, params_of(root))


def test_it_begins_with_the_weights_of_the_champion(root: Path) -> None:
    from components import learners

    record = yaml.safe_load((root / "params.yaml").read_text())
    record["update"]["learning_rate"] = 1e-12
    (root / "params.yaml").write_text(yaml.safe_dump(record))
    entry = promotions.current(root)
    assert entry is not None
    update(root, params_of(root))
    old = learners.load(Workspace(root).artifact(entry.digest))
    new = learners.load(Workspace(root).update / "model")
    assert isinstance(old, BlendPredictor)
    assert isinstance(new, BlendPredictor)
    name = "encoder.recurrence.cells.weight_hh_l0"
    one, other = (each.parts["gru"].model.state_dict()[name] for each in (old, new))  # type: ignore[attr-defined]
    assert one.numpy() == pytest.approx(other.numpy(), abs=1e-6)
    assert new.parts["memory"].tables.count.sum() > old.parts["memory"].tables.count.sum()  # type: ignore[attr-defined]


def test_no_champion_no_update(root: Path) -> None:
    shutil.rmtree(root / "promotions")
    with pytest.raises(NoUpdate, match="chronotope run"):
        update(root, params_of(root))


@pytest.mark.parametrize(
    "change",
    [
        lambda training: training["models"]["gru"]["network"].update(width=16),
        lambda training: training["blend"].update(parts=["gru"]),
        lambda training: training["models"].pop("gru"),
    ],
    ids=["width", "parts", "gone"],
)
def test_another_model_in_params_is_told(root: Path, change: Callable[[dict], None]) -> None:
    record = yaml.safe_load((root / "params.yaml").read_text())
    change(record["training"])
    (root / "params.yaml").write_text(yaml.safe_dump(record))
    with pytest.raises(NoUpdate, match="as the champion has it"):
        update(root, params_of(root))
    assert not Workspace(root).update.exists()


@pytest.mark.parametrize("fall_back", [True, False])
def test_the_flow_retrains_where_there_is_nothing_to_update(
    root: Path, monkeypatch: pytest.MonkeyPatch, fall_back: bool
) -> None:
    from flows import update as module

    asked: list[str] = []

    def task(name: str, answer: Any) -> SimpleNamespace:
        return SimpleNamespace(with_options=lambda **_: lambda *_: asked.append(name) or answer)

    names = {"collect": None, "ingest": {}, "run_stage": {}, "renew": {"cannot": "No champion."}}
    stood = {name: task(name, one) for name, one in names.items()}
    monkeypatch.setattr(module, "tasks", SimpleNamespace(limits_of=module.tasks.limits_of, **stood))
    for name in ("prepare", "reconcile", "stages"):
        monkeypatch.setattr(module, name, SimpleNamespace(before_run=lambda _: None, stamp_code=lambda _: None))
    monkeypatch.setattr(module, "prepare", lambda _: None)
    told = {"decision": "of the retraining"}
    again = SimpleNamespace(fn=lambda *_, **__: asked.append("retrain") or told)
    monkeypatch.setattr(module, "retrain", again)
    found = module.update.fn(str(root), fall_back=fall_back)
    assert asked == ["collect", "ingest", "run_stage", "run_stage", "renew", *(["retrain"] if fall_back else [])]
    assert found["update"] == {"cannot": "No champion."}
    assert found["decision"] == ("of the retraining" if fall_back else None)
