"""A compressed model as a part of a workspace: made by its stage, compared, judged, chosen and exported by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import learners
from components.code import CODE
from components.compression.compare import compare
from components.compression.predictor import CompressedPredictor
from components.compression.stage import compress, load_network
from components.errors import ConfigError, DataError
from components.features.store import Store
from components.params import Params, check_agreement, parse_params
from components.predictor import NoTracker
from components.registry import contest
from components.training.train import train
from components.workspace import Workspace
from flows import stages
from flows.cli import compress as cli
from tests.compressed import DISTIL, ROOT, entry, params_of
from tests.toy import toy_store

ENTRIES = {
    "small8": entry("large", distil=DISTIL, int8="weights"),
    "pruned": entry("small8", prune={"share": 0.25, "what": "units", "epochs": 0}, candidate=False),
}


@pytest.fixture(scope="module")
def params() -> Params:
    return params_of(epochs=1, **ENTRIES)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, params: Params) -> Path:
    """A workspace with features and models; not to be changed."""
    folder = tmp_path_factory.mktemp("space")
    workspace = Workspace(folder)
    toy_store(n_users=30).save(workspace.features)
    workspace.params.write_text(yaml.safe_dump(params.model_dump(mode="json")))
    train(folder, params, "large", NoTracker())
    for name in ENTRIES:
        compress(folder, params, name, NoTracker())
    return folder


def test_each_entry_becomes_a_model_of_the_workspace(root: Path) -> None:
    for name in ENTRIES:
        folder = Workspace(root).model(name)
        assert isinstance(learners.load(folder), CompressedPredictor)
        assert {one.name for one in folder.iterdir()} == {"weights.safetensors", "config.json", "curves.csv"}
    assert load_network(Workspace(root).model("pruned")).model.config.width == 6
    assert not list(Workspace(root).checkpoints.glob("*"))


def test_the_same_inputs_give_the_same_bytes(root: Path, params: Params) -> None:
    weights = Workspace(root).model("small8") / "weights.safetensors"
    before = weights.read_bytes()
    compress(root, params, "small8", NoTracker())
    assert weights.read_bytes() == before


def test_bytes_times_and_losses_stand_side_by_side(root: Path, params: Params) -> None:
    store = Store.load(Workspace(root).features)
    record = compare(root, ["large", "small8"], params, store, learners.load)
    original, other = record["rows"]
    assert record["window"] == "blend"
    assert original["bytes"] / other["bytes"] == other["smaller"] > 1.5
    assert other["difference"]["low"] <= other["difference"]["value"] <= other["difference"]["high"]
    assert other["value"]["value"] - original["value"]["value"] == pytest.approx(other["difference"]["value"])
    assert other["lost_percent"]["value"] == pytest.approx(
        -100 * other["difference"]["value"] / original["value"]["value"]
    )
    assert 0 < other["p50_ms"] <= other["p99_ms"]
    json.dumps(record, allow_nan=False)


def test_it_is_a_candidate_where_it_says_so(root: Path, params: Params) -> None:
    alone = params.model_copy(
        update={"training": params.training.model_copy(update={"models": {"large": params.training.models["large"]}})}
    )
    assert [one.name for one in contest.candidates(root, alone)] == ["large", "small8"]
    assert [one.name for one in contest.candidates(root, alone, "small8")] == ["small8"]
    with pytest.raises(ConfigError, match="pruned"):
        contest.candidates(root, alone, "pruned")


def test_what_was_not_trained_is_told(tmp_path: Path, params: Params) -> None:
    with pytest.raises(DataError, match="a trained network"):
        compress(tmp_path, params, "small8", NoTracker())


def test_two_models_never_share_a_name(params: Params) -> None:
    training = params.training.model_copy(update={"compressed": {"large": params.training.compressed["small8"]}})
    with pytest.raises(ConfigError, match="large"):
        check_agreement(params.model_copy(update={"training": training}))


@pytest.mark.parametrize(("key", "value"), [("share", 1.0), ("what", "layers"), ("epochs", -1)])
def test_a_step_out_of_range_is_refused(key: str, value: object, params: Params) -> None:
    record: dict[str, Any] = params.model_dump(mode="json")
    record["training"]["compressed"]["pruned"]["prune"][key] = value
    with pytest.raises(ConfigError, match=f"prune.{key}"):
        parse_params(record, "a test")


def test_the_pipeline_has_a_stage_for_each_entry(root: Path, tmp_path: Path, params: Params) -> None:
    from dvc.repo import Repo

    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params.model_dump(mode="json")))
    (tmp_path / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    stages.stamp_code(tmp_path)
    Repo.init(str(tmp_path), no_scm=True)
    order = stages.stage_names(tmp_path)
    assert "compression" in CODE["compress"]
    assert order.index("train@large") < order.index("compress@small8") < order.index("compress@pruned")
    assert order.index("compress@pruned") < order.index("blend")


def test_the_command_line_compares_and_names_what_it_does_not_know(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(cli, "enter", lambda workspace: workspace)
    monkeypatch.setattr(stages, "stamp_code", lambda root: None)
    monkeypatch.setattr(stages, "reproduce", lambda root, stage, **how: asked.append(stage))
    command: Callable[..., None] = cli.compress
    command("small8", root, False, True)
    assert asked == ["compress@small8"]
    assert [row["model"] for row in json.loads(capsys.readouterr().out)["rows"]] == ["large", "small8"]
    with pytest.raises(ConfigError, match="pruned, small8"):
        command("large", root, False, True)


def test_export_takes_the_network_that_is_named(root: Path, params: Params) -> None:
    predictor, queries = cli._source(root, params, "small8")
    assert predictor.name == "small8"
    assert 2 <= len(queries) <= 64
    with pytest.raises(DataError, match="nothing"):
        cli._source(root, params, "gone")
