"""Weight files made to harm: refused before anything in them is believed, and nothing in them is ever run."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from components.errors import DataError, IntegrityError, UnsafeFileError
from components.training.network import NetworkPredictor
from tests.networks import fitted, predictor
from tests.toy import toy_store


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("network") / "m"
    fitted(toy_store(n_users=6), predictor("gru", loop={"epochs": 1})).save(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    for path in saved.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


class Bomb:
    """Writes a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.write_text, (self.path, "boom")


def test_the_untouched_model_loads(folder: Path) -> None:
    assert NetworkPredictor.load(folder).name == "toy"


@pytest.mark.parametrize("archive", [True, False])
def test_a_pickle_under_another_name_is_not_run(folder: Path, archive: bool) -> None:
    mark = folder / "mark"
    weights = folder / "weights.safetensors"
    if archive:
        torch.save({"x": Bomb(mark)}, weights)
    else:
        weights.write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(UnsafeFileError):
        NetworkPredictor.load(folder)
    assert not mark.exists()


def test_a_giant_header_is_refused_unread(folder: Path) -> None:
    weights = folder / "weights.safetensors"
    weights.write_bytes((1 << 40).to_bytes(8, "little") + b"{" + weights.read_bytes()[9:])
    with pytest.raises(UnsafeFileError, match="header"):
        NetworkPredictor.load(folder)


@pytest.mark.parametrize("size", [0, 5, 8, 200, -1])
def test_a_torn_file_is_refused(folder: Path, size: int) -> None:
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    with pytest.raises(IntegrityError):
        NetworkPredictor.load(folder)


def test_missing_weights_are_said(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()
    with pytest.raises(DataError, match="nothing there"):
        NetworkPredictor.load(folder)


def _shape(tensors: dict[str, torch.Tensor]) -> None:
    tensors["embedding.table.item.weight"] = tensors["embedding.table.item.weight"][:-1].clone()


def _dtype(tensors: dict[str, torch.Tensor]) -> None:
    tensors["embedding.start"] = tensors["embedding.start"].double()


def _missing(tensors: dict[str, torch.Tensor]) -> None:
    del tensors["embedding.start"]


def _extra(tensors: dict[str, torch.Tensor]) -> None:
    tensors["backdoor"] = torch.zeros(1)


def _nan(tensors: dict[str, torch.Tensor]) -> None:
    tensors["embedding.start"][3] = float("nan")


def _category(tensors: dict[str, torch.Tensor]) -> None:
    tensors["embedding.table.category"][3] = 1 << 20


@pytest.mark.parametrize("change", [_shape, _dtype, _missing, _extra, _nan, _category])
def test_tensors_that_are_not_the_models_are_refused(
    folder: Path, change: Callable[[dict[str, torch.Tensor]], None]
) -> None:
    weights = folder / "weights.safetensors"
    tensors = load_file(weights)
    change(tensors)
    save_file(tensors, weights)
    with pytest.raises(IntegrityError):
        NetworkPredictor.load(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("items", 10**13),  # 640 TB of weights, were they allocated
        ("items", "many"),
        ("encoder", "__import__"),
        ("options", {"layers": 10**9}),
        ("options", {"layers": "2"}),
        ("width", -4),
    ],
)
def test_a_configuration_that_lies_is_refused_cheaply(folder: Path, key: str, value: object) -> None:
    path = folder / "config.json"
    record = json.loads(path.read_text())
    record["model"][key] = value
    path.write_text(json.dumps(record))
    with pytest.raises(IntegrityError):
        NetworkPredictor.load(folder)


@pytest.mark.parametrize("text", ["[]", "{}", "null", '{"format": 1, "kind": "network"}', "{", '{"format": 99}'])
def test_a_file_that_is_no_configuration_is_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(IntegrityError):
        NetworkPredictor.load(folder)


def test_an_unknown_key_is_refused(folder: Path) -> None:
    path = folder / "config.json"
    record = json.loads(path.read_text())
    record["model"]["module"] = "os"
    path.write_text(json.dumps(record))
    with pytest.raises(IntegrityError, match="module"):
        NetworkPredictor.load(folder)
