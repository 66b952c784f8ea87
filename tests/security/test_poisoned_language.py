"""Artifacts that read with a language model, made to harm: no code, no kernels, no size and no token is believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from components.errors import IntegrityError
from components.training.network import NetworkPredictor
from tests.languages import lm, tiny
from tests.networks import fitted, predictor
from tests.toy import toy_store


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("network")
    base = tiny(folder / "base")
    fitted(toy_store(n_users=6), predictor("gru", encoder=lm(base), loop={"epochs": 1})).save(folder / "m")
    return folder / "m"


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    for path in saved.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def poison(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    record = json.loads(path.read_text())
    record["model"]["language"]["architecture"] |= changes
    path.write_text(json.dumps(record))


def test_what_an_architecture_asks_to_run_is_not_run(folder: Path) -> None:
    (folder / "own.py").write_text("raise SystemExit('this ran')")
    poison(
        folder,
        auto_map={"AutoModel": "own.Model"},
        _attn_implementation="somebody/kernels",
        attn_implementation="somebody/kernels",
        quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True},
    )
    reader: Any = NetworkPredictor.load(folder).model.encoder
    assert reader.language.config._attn_implementation == "sdpa"


@pytest.mark.parametrize(
    "changes",
    [{"model_type": "no-such-model"}, {"vocab_size": 10**12}, {"num_hidden_layers": 1}, {"hidden_size": 32}],
)
def test_an_architecture_that_is_not_that_of_the_weights_is_refused(folder: Path, changes: dict[str, Any]) -> None:
    poison(folder, **changes)
    with pytest.raises(IntegrityError):
        NetworkPredictor.load(folder)


def test_tokens_that_do_not_exist_are_refused(folder: Path) -> None:
    tensors = load_file(folder / "weights.safetensors")
    name = next(name for name in tensors if name.startswith("encoder.texts.piece_"))
    tensors[name] = torch.full_like(tensors[name], 1_000_000)
    save_file(tensors, folder / "weights.safetensors")
    with pytest.raises(IntegrityError, match="token ids below"):
        NetworkPredictor.load(folder)
