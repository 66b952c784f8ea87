"""Every encoder can be asked for by its name, on any log, without a params file."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest
import yaml

from components.errors import ConfigError
from components.events.contract import SCHEMA
from components.models.config import grounds
from components.models.encoders import ENCODERS
from components.params import NetworkParams, Params, parse_params
from components.presets import fitted_to, preset, read
from components.presets.encoders import with_encoders
from tests.conftest import ROOT

PLACED = {"latitude": 48.8, "longitude": 2.3}


def log(**more: Any) -> pl.DataFrame:
    """Two users who come back to things at odd times of days."""
    start = dt.datetime(2025, 1, 1, 9, tzinfo=dt.UTC)
    rows = [
        {
            "user_id": user,
            "item_id": item,
            "action": "event",
            "timestamp": start + dt.timedelta(hours=n, minutes=7),
            **more,
        }
        for user in "ab"
        for n, item in enumerate("xyxzxy")
    ]
    return pl.DataFrame(rows, schema={name: SCHEMA[name] for name in rows[0]})


def params_for(events: pl.DataFrame, changes: dict[str, Any]) -> Params:
    return fitted_to(with_encoders(preset("delimited", changes), ENCODERS, events), events, None, "here")


def network(params: Params, name: str) -> NetworkParams:
    found = params.training.models[name].network
    assert found is not None
    return found


def test_every_encoder_has_an_entry_of_its_kind() -> None:
    families = {*read("encoders"), *preset("default")["training"]["models"]}
    assert set(ENCODERS) <= families
    assert {name: one["encoder"]["kind"] for name, one in read("encoders").items()} == {
        name: name for name in set(ENCODERS) - {"gru", "transformer"}
    }


@pytest.mark.parametrize(
    ("more", "kind", "ground"),
    [
        (PLACED, "real", {"time", "place"}),
        ({}, "real", {"time"}),
        (PLACED, "ordinal", {"place"}),
        ({}, "ordinal", set()),
    ],
    ids=["times and places", "times", "places", "order alone"],
)
def test_an_entry_asks_for_nothing_that_the_log_lacks(more: dict[str, float], kind: str, ground: set[str]) -> None:
    params = params_for(log(**more), {"events": {"time_kind": kind}})
    for name in ("hstu", "st_lstm"):
        assert grounds(network(params, name).encoder.options) == ground
    assert network(params, "hstu").encoder.kind == "hstu"
    assert network(params, "st_lstm").encoder.kind == ("st_lstm" if ground else "lstm")


def test_an_entry_is_like_the_one_it_names_but_for_the_encoder() -> None:
    changes = {"training": {"models": {"transformer": {"overrides": {"epochs": 3}, "network": {"width": 24}}}}}
    params = params_for(log(**PLACED), changes)
    for name, like in (("rnn", "gru"), ("hstu", "transformer")):
        mine, other = network(params, name).model_dump(), network(params, like).model_dump()
        assert mine.pop("encoder") != other.pop("encoder")
        assert mine == other
        assert params.training.models[name].overrides == params.training.models[like].overrides
    plain = network(params, "seq2seq")
    assert (plain.width, plain.copy_heads, plain.item_bias, plain.distance) == (24, 0, False, False)


def test_an_entry_bears_no_more_than_it_can() -> None:
    changes = {
        "training": {
            "loop": {"tokens_per_batch": 4096},
            "models": {"transformer": {"overrides": {"epochs": 3}, "network": {"max_history": 200}}},
        }
    }
    entry = params_for(log(), changes).training.models["lm"]
    assert entry.network is not None
    assert (entry.network.max_history, entry.overrides) == (32, {"epochs": 3, "tokens_per_batch": 512})
    small = {"training": {"loop": {"tokens_per_batch": 64}, "models": {"transformer": {"network": {"max_history": 8}}}}}
    entry = params_for(log(), small).training.models["lm"]
    assert entry.network is not None
    assert (entry.network.max_history, entry.overrides["tokens_per_batch"]) == (8, 64)


def test_what_the_params_describe_stands() -> None:
    own = {"training": {"models": {"rnn": preset("default")["training"]["models"]["gru"]}}}
    params = params_for(log(), own)
    assert network(params, "rnn").encoder.kind == "gru"
    assert "rnn" not in with_encoders(preset("delimited"), ["memory", "nobody"], log())["training"]["models"]


def test_an_entry_needs_a_network_to_be_like() -> None:
    record = preset("delimited", {"training": {"models": {"gru": {"kind": "memory", "network": None}}}})
    with pytest.raises(ConfigError, match="which `lstm` is like"):
        with_encoders(record, ["lstm"], log())


@pytest.mark.parametrize(
    ("page", "heading", "name"), [("params.md", "## Another encoder", "hstu"), ("language.md", "# ", "lm")]
)
def test_the_entry_that_the_docs_show_is_valid_in_a_workspace(page: str, heading: str, name: str) -> None:
    text = (ROOT / "docs" / page).read_text().partition(heading)[2]
    shown = text.partition("```yaml\n")[2].partition("```")[0]
    before, following, after = (ROOT / "params.yaml").read_text().partition("  compressed:")
    params = parse_params(yaml.safe_load(before + shown + following + after), "docs")
    assert network(params, name).encoder.model_dump() == read("encoders")[name]["encoder"]
    assert network(params, name).width == network(params, "gru").width
