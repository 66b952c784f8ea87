"""The stage: a workspace's features and params in, one model's folder out, the same bytes each time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from components.errors import TrainingError
from components.features.store import Store
from components.files import read_json, sha256_tree
from components.params import Params, load_params
from components.predictor import NoTracker
from components.training.network import NetworkPredictor
from components.training.train import train
from tests.networks import with_columns
from tests.toy import toy_store

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    record = yaml.safe_load((ROOT / "params.yaml").read_text())
    record["training"]["loop"] |= {"epochs": 2, "tokens_per_batch": 512, "device": "cpu"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(record))
    toy_store().save(tmp_path / "data" / "features")
    return tmp_path


def _params(root: Path) -> Params:
    return load_params(root / "params.yaml")


def test_a_model_appears_and_repeats_byte_for_byte(workspace: Path) -> None:
    train(workspace, _params(workspace), "gru", NoTracker())
    folder = workspace / "models" / "gru"
    first = sha256_tree(folder)
    assert set(first) == {"weights.safetensors", "config.json", "curves.csv"}
    columns = (folder / "curves.csv").read_text().splitlines()[0].split(",")
    assert columns[:2] == ["step", "epoch"]
    assert {"learning_rate", "loss_action", "tune_ndcg@10", "ece_item_before", "ece_item_after"} <= set(columns)
    assert NetworkPredictor.load(folder).capabilities == {"item", "action", "time", "place"}
    assert read_json(workspace / ".chronotope" / "timings" / "gru.json")["fit_seconds"] > 0
    assert not list((workspace / ".chronotope" / "checkpoints").iterdir())
    train(workspace, _params(workspace), "gru", NoTracker())
    assert sha256_tree(folder) == first


def test_a_failed_training_leaves_the_model_that_stood(workspace: Path) -> None:
    train(workspace, _params(workspace), "gru", NoTracker())
    before = sha256_tree(workspace / "models" / "gru")
    store = Store.load(workspace / "data" / "features")
    with_columns(store, item=store["item"] * 0 + 1).save(workspace / "data" / "features")
    with pytest.raises(TrainingError):
        train(workspace, _params(workspace), "gru", NoTracker())
    assert sha256_tree(workspace / "models" / "gru") == before


def test_the_command_names_what_is_wrong(workspace: Path) -> None:
    command = [sys.executable, "-m", "components.train", "--workspace", str(workspace), "--model", "nobody"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert "nobody" in done.stderr
    assert "Traceback" not in done.stderr
