"""What may be searched: keys that exist, values that they take, and nothing that changes the question."""

from __future__ import annotations

from typing import Any

import pytest

from components.errors import ConfigError
from components.params import Params, parse_params
from components.presets import preset
from components.search.space import meant, patched, spaces, value_at, words
from tests.unit.search.conftest import SPACE, search_record

RATE = {"kind": "float", "low": 0.001, "high": 0.01, "log": True}


def params_of(space: dict[str, Any], **changes: Any) -> Params:
    return parse_params(search_record(space=space, **changes), "here")


def test_the_space_of_the_demonstration_is_one_of_its_params() -> None:
    for params in (parse_params(preset("city"), "preset"), params_of(SPACE)):
        assert set(spaces(params)) == set(params.search.models)


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("memory.priro", "priro"),
        ("training.models.transfromer.network.width", "transfromer"),
        ("memory.components", "section"),
        ("windows.test", "what is asked"),
        ("training.models.memory.overrides.epoch", "epoch"),
    ],
)
def test_a_key_that_is_none_is_told_before_anything_runs(key: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        spaces(params_of({key: RATE}))


def test_a_value_that_a_key_does_not_take_is_told() -> None:
    with pytest.raises(ConfigError, match=r"memory\.max_pairs.*0\.5"):
        spaces(params_of({"memory.max_pairs": {"kind": "float", "low": 0.5, "high": 3.0, "log": False}}))
    with pytest.raises(ConfigError, match=r"training\.loop\.crops.*sideways"):
        spaces(params_of({"training.loop.crops": {"kind": "categorical", "choices": ["last", "sideways"]}}))


@pytest.mark.parametrize(
    "change", [{"low": 2.0, "high": 1.0}, {"low": 0.0, "log": True}, {"step": 1}, {"kind": "real"}]
)
def test_a_range_that_is_none(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"search\.space"):
        params_of({"memory.prior": {**RATE, **change}})


def test_an_unknown_learner() -> None:
    with pytest.raises(ConfigError, match="nobody"):
        spaces(params_of(SPACE, models=["nobody"]))


def test_each_model_has_its_own_keys_and_the_common_ones() -> None:
    record = preset("city")
    record["search"]["models"] = ["transformer", "gru"]
    record["search"]["space"] = {
        "training.loop.optimiser.learning_rate": RATE,
        "training.models.gru.network.width": {"kind": "int", "low": 8, "high": 64, "log": False},
    }
    found = spaces(parse_params(record, "here"))
    assert set(found["gru"]) == set(record["search"]["space"])
    assert set(found["transformer"]) == {"training.loop.optimiser.learning_rate"}


def test_a_knob_that_a_model_does_not_override_yet_may_be_searched() -> None:
    key = "training.models.memory.overrides.epochs"
    record = search_record()
    assert value_at(record, key) is None
    assert patched(record, {key: 3})["training"]["models"]["memory"]["overrides"] == {"epochs": 3}
    assert record["training"]["models"]["memory"]["overrides"] == {}


def test_choices_come_back_as_they_were() -> None:
    choices = [[0, 5], [0], None, True, 1, "last"]
    one = params_of({"memory.history_buckets": {"kind": "categorical", "choices": choices}}).search.space
    ranged = one["memory.history_buckets"]
    for choice, word in zip(choices, words(choices), strict=True):
        back = meant(ranged, word)
        assert (type(back), back) == (type(choice), choice)
