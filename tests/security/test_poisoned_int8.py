"""Compressed models made to harm: refused before anything in them is believed, and nothing in them is ever run."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from components import learners
from components.compression.predictor import CompressedPredictor
from components.errors import DataError, IntegrityError, UnsafeFileError
from components.registry.artifact import compose, load_artifact
from tests.artifacts import LINEAGE
from tests.compressed import entry, made, network_of, params_of
from tests.security.test_poisoned_weights import Bomb
from tests.toy import toy_store

STORE = toy_store(n_users=6)
TABLE = "embedding.table.item.weight"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compressed") / "m"
    params = params_of(epochs=1, m=entry("small", int8="products"))
    made("m", params, STORE, network_of("small", params, STORE)).save(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "m"))


def test_the_untouched_model_loads_alone_and_as_an_artifact(folder: Path, tmp_path: Path) -> None:
    assert learners.load(folder).name == "m"
    packed = compose(tmp_path / "artifacts", folder, STORE, name="m", history=20, lineage=LINEAGE, card="# m\n")
    loaded = load_artifact(tmp_path / "artifacts" / packed.digest, packed.digest)
    assert isinstance(loaded.predictor, CompressedPredictor)


def test_a_flipped_code_of_an_artifact_is_refused(folder: Path, tmp_path: Path) -> None:
    packed = compose(tmp_path / "artifacts", folder, STORE, name="m", history=20, lineage=LINEAGE, card="# m\n")
    weights = tmp_path / "artifacts" / packed.digest / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-40] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(IntegrityError, match="digest"):
        load_artifact(tmp_path / "artifacts" / packed.digest, packed.digest)


def test_a_pickle_under_another_name_is_not_run(folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes(pickle.dumps(Bomb(folder / "mark")))
    with pytest.raises(UnsafeFileError):
        learners.load(folder)
    assert not (folder / "mark").exists()


def test_torn_and_missing_files_are_refused(folder: Path) -> None:
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(IntegrityError):
        CompressedPredictor.load(folder)
    weights.unlink()
    with pytest.raises(DataError, match="nothing there"):
        CompressedPredictor.load(folder)


def _float(tensors: dict[str, torch.Tensor]) -> None:
    tensors[TABLE] = tensors[TABLE].float()


def _no_scale(tensors: dict[str, torch.Tensor]) -> None:
    del tensors[f"{TABLE}.scale"]


def _negative_scale(tensors: dict[str, torch.Tensor]) -> None:
    tensors[f"{TABLE}.scale"][2] = -1.0


def _zero_scale(tensors: dict[str, torch.Tensor]) -> None:
    tensors[f"{TABLE}.scale"][2] = 0.0


def _infinite_scale(tensors: dict[str, torch.Tensor]) -> None:
    tensors[f"{TABLE}.scale"][2] = float("inf")


def _short_scale(tensors: dict[str, torch.Tensor]) -> None:
    tensors[f"{TABLE}.scale"] = tensors[f"{TABLE}.scale"][:-1].clone()


def _out_of_range(tensors: dict[str, torch.Tensor]) -> None:
    tensors[TABLE][3, 1] = -128


def _shape(tensors: dict[str, torch.Tensor]) -> None:
    tensors[TABLE] = tensors[TABLE][:-1].clone()


def _extra(tensors: dict[str, torch.Tensor]) -> None:
    tensors["backdoor.scale"] = torch.ones(1)


def _nan(tensors: dict[str, torch.Tensor]) -> None:
    tensors["embedding.start"][3] = float("nan")


def _category(tensors: dict[str, torch.Tensor]) -> None:
    tensors["embedding.table.category"][3] = 1 << 20


@pytest.mark.parametrize(
    "change",
    [
        _float, _no_scale, _negative_scale, _zero_scale, _infinite_scale, _short_scale, _out_of_range, _shape, _extra,
        _nan, _category,
    ],
)  # fmt: skip
def test_tensors_that_are_not_the_models_are_refused(
    folder: Path, change: Callable[[dict[str, torch.Tensor]], None]
) -> None:
    weights = folder / "weights.safetensors"
    tensors = load_file(weights)
    change(tensors)
    save_file(tensors, weights)
    with pytest.raises(IntegrityError):
        CompressedPredictor.load(folder)


@pytest.mark.parametrize("value", ["none", "os.system", None, 8])
def test_a_configuration_that_says_another_way_of_storing_is_refused(folder: Path, value: object) -> None:
    path = folder / "config.json"
    record = json.loads(path.read_text())
    record["int8"] = value
    path.write_text(json.dumps(record))
    with pytest.raises(IntegrityError):
        CompressedPredictor.load(folder)


def test_a_plain_network_is_not_taken_for_a_compressed_one(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"compressed"', '"network"'))
    with pytest.raises(IntegrityError):
        learners.load(folder)
