"""The best values in params.yaml: the least of its text changes, or another file is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.errors import ConfigError
from components.params import load_params
from components.search.patch import BEST, apply, as_yaml
from components.search.space import patched
from tests.conftest import ROOT

TEXT = (ROOT / "params.yaml").read_text()


def applied(tmp_path: Path, **values: Any) -> tuple[Path, str]:
    path = tmp_path / "params.yaml"
    path.write_text(TEXT)
    found = apply(path, values)
    return found, found.read_text()


@pytest.mark.parametrize(
    ("key", "value", "lines"),
    [
        ("training.loop.optimiser.learning_rate", 1e-05, 1),
        ("training.loop.epochs", 3, 1),
        ("memory.history_buckets", [0, 7], 1),
        ("training.models.transformer.network.width", 96, 1),  # inherited: one line more
        ("training.models.transformer.overrides.patience", 9, 1),
        ("training.models.memory.overrides.epochs", 9, 1),
        ("training.models.transformer.network.encoder.options.layers", 3, 1),
    ],
)
def test_one_value_changes_one_line(tmp_path: Path, key: str, value: Any, lines: int) -> None:
    path, text = applied(tmp_path, **{key: value})
    assert path.name == "params.yaml"
    assert yaml.safe_load(text) == patched(yaml.safe_load(TEXT), {key: value})
    before = TEXT.splitlines()
    assert len([line for line in text.splitlines() if line not in before]) == lines
    assert text.count("#") == TEXT.count("#")


def test_several_values(tmp_path: Path) -> None:
    values = {"memory.prior": 0.5, "training.loop.crops": "last", "training.models.gru.overrides.epochs": 2}
    path, text = applied(tmp_path, **values)
    assert yaml.safe_load(text) == patched(yaml.safe_load(TEXT), values)
    load_params(path)


def test_what_an_anchor_shares_is_not_changed_for_all(tmp_path: Path) -> None:
    path, _ = applied(tmp_path, **{"training.models.gru.network.width": 96})
    assert path.name == BEST
    assert (tmp_path / "params.yaml").read_text() == TEXT
    found = load_params(path).training.models
    assert found["gru"].network is not None
    assert found["transformer"].network is not None
    assert (found["gru"].network.width, found["transformer"].network.width) == (96, 48)


def test_a_value_that_params_do_not_take_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.loop\.epochs"):
        applied(tmp_path, **{"training.loop.epochs": 0})
    assert (tmp_path / "params.yaml").read_text() == TEXT


def test_dotted_keys_as_yaml() -> None:
    values = {"memory.prior": 0.5, "training.loop.epochs": 3, "training.loop.crops": "last"}
    assert yaml.safe_load(as_yaml(values)) == {
        "memory": {"prior": 0.5},
        "training": {"loop": {"epochs": 3, "crops": "last"}},
    }
