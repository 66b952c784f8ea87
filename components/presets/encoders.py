"""An entry of `training.models` for every encoder family, cut to what the log has, for those who name one.

Never lays an entry under params that have one of that name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from components.errors import ConfigError
from components.presets import merged, read

Record = dict[str, Any]
#: What an item head mixes in besides the softmax, switched off.
_OFF: Mapping[str, Any] = {"copy_heads": 0, "transitions": {"lags": 0}, "item_bias": False, "distance": False}
#: What a word of `bias` or `gates` looks at, and the word for what is left of it.
_LOOKS = {"time": {"time"}, "space": {"place"}, "both": {"time", "place"}}
_LEFT = {frozenset(): "none", frozenset({"time"}): "time", frozenset({"place"}): "space"}


def with_encoders(record: Record, names: Iterable[str], events: pl.DataFrame) -> Record:
    """`record` with an entry for each encoder family among `names` that its `training.models` lacks.

    Parameters
    ----------
    record : as `preset` makes it
    names : that somebody asked for; those that are no encoder are left alone
    events : contract columns of the log

    Returns
    -------
    dict
        A new record; each added entry is that of `gru` or `transformer` but for the encoder and what that cannot have
        or bear.

    Raises
    ------
    ConfigError
        That entry has no network.
    """
    models, families = record["training"]["models"], read("encoders")
    taken = {*models, *record["training"]["baselines"], *record["memory"]["components"]}
    ground = {"time"} if record["events"]["time_kind"] != "ordinal" else set()
    if record["features"]["cells"] and "latitude" in events.columns and events["latitude"].count():
        ground.add("place")
    wanted = [name for name in names if name in families and name not in taken]
    loop = record["training"]["loop"]
    added = {name: _entry(name, families[name], models, loop, ground) for name in wanted}
    return merged(record, {"training": {"models": added}})


def _entry(name: str, family: Record, models: Record, loop: Record, ground: set[str]) -> Record:
    base = models[family["like"]]
    if not base["network"]:
        raise ConfigError(
            f"a network `{family['like']}` under training.models, which `{name}` is like",
            found="an entry without one",
            do=f"Describe `{name}` under training.models, or give `{family['like']}` its network back.",
        )
    off = {name: _OFF[name] for name in family["without"] if name in base["network"]}
    network = merged(base["network"], off) | {"encoder": _cut(family["encoder"], ground)}
    overrides = dict(base["overrides"])
    for knob, most in family.get("most", {}).items():
        if knob in network:
            network[knob] = min(network[knob], most)
        else:
            overrides[knob] = min(overrides.get(knob, loop[knob]), most)
    return dict(base) | {"network": network, "overrides": overrides}


def _cut(encoder: Record, ground: set[str]) -> Record:
    options = dict(encoder["options"])
    for name in ("bias", "gates"):
        looks = _LOOKS.get(options.get(name, ""), set())
        if looks - ground:
            options[name] = _LEFT[frozenset(looks & ground)]
    if options.get("gates") == "none":  # nothing opens or closes them: what is left is an LSTM
        return {"kind": "lstm", "options": {"layers": options["layers"]}}
    return {"kind": encoder["kind"], "options": options}
