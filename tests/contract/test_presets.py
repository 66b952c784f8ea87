"""Every shipped preset is complete and valid: it knows the same keys as the repository's own params.yaml."""

from __future__ import annotations

import datetime as dt
from importlib import resources
from typing import Any

import polars as pl
import pytest
import yaml

from components.params import parse_params
from components.presets import merged, preset
from tests.conftest import ROOT

NAMES = sorted(
    one.name.removesuffix(".yaml")
    for one in resources.files("components.presets").iterdir()
    if one.name.endswith(".yaml")
)


def keys(record: Any, path: str = "") -> set[str]:
    """Dotted names of everything in a record, but of what a user names himself."""
    if not isinstance(record, dict) or path in {
        "memory.components",
        "training.models",
        "training.baselines",
        "training.rankers",
        "training.ensembles",
        "search.space",
        "features.numbers",
        "validation.region",
    }:
        return {path}
    return {path, *(name for key, value in record.items() for name in keys(value, f"{path}.{key}" if path else key))}


def test_the_default_preset_has_the_keys_of_the_repositorys_params() -> None:
    assert keys(preset("default")) == keys(yaml.safe_load((ROOT / "params.yaml").read_text()))


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_is_valid_and_changes_only_keys_that_exist(name: str) -> None:
    parse_params(preset(name), name)
    assert keys(preset(name)) == keys(preset("default"))


def test_a_log_of_mere_order_keeps_no_counter_that_is_measured_in_time() -> None:
    from components.events.contract import SCHEMA
    from components.presets import fitted_to

    start = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    rows = [
        {"user_id": "a", "item_id": str(n), "action": "event", "timestamp": start + dt.timedelta(seconds=n)}
        for n in range(5)
    ]
    events = pl.DataFrame(rows, schema={k: SCHEMA[k] for k in rows[0]})
    params = fitted_to(preset("sequences", {"events": {"time_kind": "ordinal"}}), events, None, "here")
    found = params.memory.components
    assert {"popularity", "markov", "user_frequency", "user_markov"} <= set(found)
    assert not {"recent_popularity", "user_hour", "user_recency", "user_pause"} & set(found)
    assert not {name for one in found.values() for name in one.options} & {"half_life_days", "max_gap_h", "sigma_gap"}
    assert set(params.evaluation.baselines) <= set(found)


def test_what_the_caller_says_wins() -> None:
    found = preset("foursquare", {"features": {"session_gap_s": 60}, "events": {"source": {"path": "x"}}})
    assert (found["features"]["session_gap_s"], found["features"]["cells"]) == (
        60,
        preset("default")["features"]["cells"],
    )
    assert found["events"]["source"]["format"] == "foursquare"
    assert merged({"a": [1, 2]}, {"a": [3]}) == {"a": [3]}


@pytest.mark.parametrize(("items", "copies"), [(["x", "y", "x", "x"], True), (["x", "y", "z", "w"], False)])
def test_a_network_copies_only_where_people_come_back(items: list[str], copies: bool) -> None:
    from components.events.contract import SCHEMA
    from components.presets import fitted_to

    start = dt.datetime(2025, 1, 1, 9, tzinfo=dt.UTC)
    rows = [
        {"user_id": "a", "item_id": item, "action": "event", "timestamp": start + dt.timedelta(hours=n)}
        for n, item in enumerate(items)
    ]
    events = pl.DataFrame(rows, schema={k: SCHEMA[k] for k in rows[0]})
    network = fitted_to(preset("delimited"), events, None, "here").training.models["transformer"].network
    assert network is not None
    assert (network.copy_heads > 0, network.item_bias, network.distance) == (copies, copies, False)
