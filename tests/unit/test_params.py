"""params.yaml: strict, without defaults, and of one mind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.errors import ConfigError
from components.params import check_agreement, load_params, parse_params

ROOT = Path(__file__).resolve().parents[2]


def record() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "params.yaml").read_text())


def test_the_demonstration_is_valid_and_agrees() -> None:
    check_agreement(load_params(ROOT / "params.yaml"))


def test_a_missing_key_is_named() -> None:
    changed = record()
    del changed["gate"]["margin"]
    with pytest.raises(ConfigError, match=r"gate\.margin"):
        parse_params(changed, "here")


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(ConfigError, match=r"features\.sesion_gap_s"):
        parse_params(record() | {"features": record()["features"] | {"sesion_gap_s": 1}}, "here")


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan"), "many"])
def test_a_value_out_of_range_is_named(value: object) -> None:
    changed = record()
    changed["validation"]["max_quarantined"] = value
    with pytest.raises(ConfigError, match=r"validation\.max_quarantined"):
        parse_params(changed, "here")


def test_yaml_cannot_make_objects(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("workspace: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(ConfigError, match="plain YAML"):
        load_params(tmp_path / "params.yaml")


def test_a_network_trained_for_another_question_is_refused() -> None:
    changed = record()
    changed["training"]["models"]["gru"]["network"]["target_time"] = "hidden"
    with pytest.raises(ConfigError, match=r"models\.gru\.network\.target_time"):
        check_agreement(parse_params(changed, "here"))


@pytest.mark.parametrize("key", ["memory", "network"])
def test_a_service_that_keeps_less_than_a_model_reads_is_refused(key: str) -> None:
    changed = record()
    kept = changed["serving"]["history"]
    section = changed["memory"] if key == "memory" else changed["training"]["models"]["gru"]["network"]
    section["max_history"] = kept
    check_agreement(parse_params(changed, "here"))
    section["max_history"] = kept + 1
    with pytest.raises(ConfigError, match=rf"serving\.history.*{key}\.max_history"):
        check_agreement(parse_params(changed, "here"))


def test_shuffled_ties_are_for_benchmarks() -> None:
    changed = record()
    changed["evaluation"]["ties"] = "shuffled"
    with pytest.raises(ConfigError, match="chronotope benchmark"):
        check_agreement(parse_params(changed, "here"))
