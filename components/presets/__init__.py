"""Params for data that nobody has described yet: sensible ones by format, cut to what the data has.

`preset` merges default.yaml, the format's own file and the caller's changes; `fitted_to` takes away what a log has
no ground for (a place head without places, hours without a clock). Both are shown in full by the benchmark's JSON
through their digest. Never here: tuning on any data set.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from importlib import resources
from typing import Any

import polars as pl
import yaml

from components.errors import ConfigError
from components.params import Params, parse_params

Record = dict[str, Any]
#: Kinds of counters that mean nothing without …
_NEED_PLACE = {"near", "near_hour", "gravity", "user_near"}
_NEED_HOUR = {"user_hour", "item_hour", "near_hour"}
_NEED_TIME = {"recent_popularity"}
#: Options of counters that are measured in time.
_TIME_OPTIONS = {"half_life_days", "max_gap_h", "sigma_gap"}
#: Files here that are no format's own.
_NO_FORMAT = {"default", "encoders"}
_PLACE_NUMBERS = ("distance_km", "speed_kmh")
#: Where fewer events repeat an item that the user knows, there is nothing to copy.
_REPEATS = 0.05


def preset(source_format: str, changes: Mapping[str, Any] | None = None) -> Record:
    """Params as a plain record: default.yaml, then `<format>.yaml` where there is one, then `changes`.

    Examples
    --------
    >>> preset("delimited", {"workspace": {"seed": 11}})["workspace"]["seed"]
    11
    """
    record = read("default")
    own = resources.files(__package__).joinpath(f"{source_format}.yaml")
    if source_format not in _NO_FORMAT and own.is_file():
        record = merged(record, read(source_format))
    return merged(merged(record, {"events": {"source": {"format": source_format}}}), changes or {})


def read(name: str) -> Record:
    """`<name>.yaml` of this package, as it stands there."""
    record = yaml.safe_load(resources.files(__package__).joinpath(f"{name}.yaml").read_text("utf-8"))
    if not isinstance(record, dict):
        raise ConfigError("a mapping", found=f"something else in the preset {name}", do="Reinstall Chronotope.")
    return record


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Record:
    """`base` with `changes` laid over it, mapping by mapping; lists and plain values are replaced whole.

    Examples
    --------
    >>> merged({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})
    {'a': {'b': 3, 'c': 2}}
    """
    out = dict(copy.deepcopy(dict(base)))
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(out.get(key), Mapping):
            out[key] = merged(out[key], value)
        else:
            out[key] = copy.deepcopy(value)
    return out


def fitted_to(record: Mapping[str, Any], events: pl.DataFrame, items: pl.DataFrame | None, where: str) -> Params:
    """Params without what the log has no ground for.

    Parameters
    ----------
    record : as `preset` makes it
    events : contract columns of the log
    items : contract columns of the catalogue, or None
    where : named in messages

    Returns
    -------
    Params
    """
    out = copy.deepcopy(dict(record))
    if out["events"]["time_kind"] == "real" and _whole_days(events):
        out["events"]["time_kind"] = "day"
    kind = out["events"]["time_kind"]
    placed = "latitude" in events.columns and events["latitude"].count() > 0
    categories = items is not None and "category" in items.columns and items["category"].n_unique() > 1
    several = events["action"].n_unique() > 1
    devices = "device" in events.columns and events["device"].count() > 0
    repeats = _repeats(events) >= _REPEATS
    drop_kinds = set() if placed else set(_NEED_PLACE)
    if kind != "real":
        drop_kinds |= _NEED_HOUR
    if kind == "ordinal":
        drop_kinds |= _NEED_TIME
    out["events"]["actions"] = sorted(events["action"].drop_nulls().unique().to_list())
    components = out["memory"]["components"]
    out["memory"]["components"] = {name: one for name, one in components.items() if one["kind"] not in drop_kinds}
    if kind == "ordinal":
        out["memory"]["components"] = _timeless(out["memory"]["components"])
    kept = out["memory"]["components"]
    gone = set(components) - set(kept)
    out["evaluation"]["baselines"] = [name for name in out["evaluation"]["baselines"] if name not in gone]
    if not placed:
        out["features"]["cells"] = []
    absent = () if placed else _PLACE_NUMBERS
    extra = tuple(name for name in ("duration_s", "value") if name not in events.columns or not events[name].count())
    numbers = out["features"]["numbers"]
    untimed = ("gap_s",) if kind == "ordinal" else ()
    out["features"]["numbers"] = {n: one for n, one in numbers.items() if n not in (*absent, *extra, *untimed)}
    lacking = {
        "action": not several,
        "numbers": not out["features"]["numbers"],
        "clock": kind == "ordinal",
        "cells": not placed,
        "device": not devices,
        "category": not categories,
    }
    if kind == "ordinal":
        out["evaluation"]["target_time"] = "hidden"
    heads = {
        "action": not several,
        "time": kind == "ordinal",
        "place": not placed,
        "place_coarse": not placed,
        "category": not categories,
    }
    for model in out["training"]["models"].values():
        if model["network"] is not None:
            network = model["network"]
            network["inputs"] = [name for name in network["inputs"] if not lacking.get(name, False)]
            network["heads"] = {name: weight for name, weight in network["heads"].items() if not heads.get(name, False)}
            network["target_time"] = out["evaluation"]["target_time"]
            network["copy_heads"] = network["copy_heads"] if repeats else 0
            network["distance"] = network["distance"] and placed
            # Beside a plain softmax the vectors learn what is popular, as in the published models.
            network["item_bias"] = network["item_bias"] and bool(network["copy_heads"] or network["distance"])
    return parse_params(out, where)


def _timeless(components: Mapping[str, Record]) -> dict[str, Record]:
    """Counters without what is measured in time; of those that this makes alike, the first stays."""
    found: dict[str, Record] = {}
    for name, one in components.items():
        options = {option: value for option, value in one["options"].items() if option not in _TIME_OPTIONS}
        bare = {"kind": one["kind"], "options": options}
        if bare not in found.values():
            found[name] = bare
    return found


def _repeats(events: pl.DataFrame) -> float:
    """Share of the events that bring a user back to an item."""
    known = events.select("user_id", "item_id").drop_nulls()
    return 1.0 - known.n_unique() / max(len(known), 1)


def _whole_days(events: pl.DataFrame) -> bool:
    """Whether every time is a midnight, as where a source writes dates only."""
    return bool((events["timestamp"].dt.epoch("s") % 86_400 == 0).all())
