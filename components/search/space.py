"""What a search may change: dotted keys of params.yaml, checked before anything runs, and laid over the params.

Never here: which values are tried (`search.study`), and whether a combination of them is any good.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from components.errors import ConfigError
from components.params import Choices, Params, Range, TrainParams, parse_params

Record = dict[str, Any]
Values = Mapping[str, Any]
#: Sections that a model is made from. All others say what is asked, and an answer to another question is no better one.
ROOMS = ("training", "memory")


def spaces(params: Params) -> dict[str, dict[str, Range]]:
    """Model → the keys that its search changes: all of the space but those of the other models searched.

    Raises
    ------
    ConfigError
        A model or a key does not exist, or a value that may be tried is not one that the key takes.
    """
    record = params.model_dump(mode="json")
    known = {*params.training.models, *params.training.mixed, *params.training.baselines, *params.memory.components}
    unknown = sorted(set(params.search.models) - known)
    if unknown:
        raise ConfigError(
            f"learners among {', '.join(sorted(known))} at `search.models`",
            found=f"`{unknown[0]}`",
            do="Name one that params.yaml describes.",
        )
    for key, one in params.search.space.items():
        _check(key, one, record)
    found = {}
    for model in params.search.models:
        others = tuple(f"training.models.{name}." for name in params.search.models if name != model)
        found[model] = {key: one for key, one in params.search.space.items() if not key.startswith(others)}
        if not found[model]:
            raise ConfigError(
                f"keys at `search.space` that change `{model}`", found="none", do="Add some, or do not search it."
            )
    return found


def _check(key: str, one: Range, record: Record) -> None:
    if key.partition(".")[0] not in ROOMS:
        raise ConfigError(
            f"keys below {' or '.join(ROOMS)} at `search.space`",
            found=f"`{key}`, which changes what is asked, not how it is answered",
            do="Remove it.",
        )
    value_at(record, key)
    for value in tried(one):
        try:
            parse_params(patched(record, {key: value}), f"`search.space.{key}`")
        except ConfigError as error:
            raise ConfigError(
                f"values of `{key}` that params.yaml takes",
                found=f"{value!r}: {error.found}",
                do="Mend `search.space`.",
            ) from error


def tried(one: Range) -> list[Any]:
    """The values of a range that stand for all: its ends, or every choice."""
    return list(one.choices) if isinstance(one, Choices) else [one.low, one.high]


def value_at(record: Record, key: str) -> Any:
    """The value at a dotted key; None for a knob of the loop that a model does not override yet.

    Raises
    ------
    ConfigError
        There is no such key, or it is a whole section.
    """
    found: Any = record
    *path, last = key.split(".")
    for depth, name in enumerate([*path, last]):
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif name == last and depth == len(path) and path[-1] == "overrides" and name in TrainParams.model_fields:
            return None
        else:
            there = sorted(found) if isinstance(found, dict) else []
            raise ConfigError(
                f"a key of params.yaml at `search.space.{key}`",
                found=f"no `{name}`" + (f" among {', '.join(there)}" if there else ""),
                do="Mend its name (docs/params.md tells them all).",
            )
    if isinstance(found, dict):
        raise ConfigError(
            f"a single value at `search.space.{key}`", found="a section", do=f"Name a key below it: {', '.join(found)}."
        )
    return found


def patched(record: Record, values: Values) -> Record:
    """`record` with other values at some dotted keys; only what is on their paths is copied.

    Examples
    --------
    >>> patched({"a": {"b": 1, "c": 2}}, {"a.b": 3})
    {'a': {'b': 3, 'c': 2}}
    """
    out = dict(record)
    for key, value in values.items():
        at = out
        *path, last = key.split(".")
        for name in path:
            at[name] = dict(at[name])
            at = at[name]
        at[last] = value
    return out


def words(choices: list[Any]) -> list[Any]:
    """Choices as Optuna keeps them: plain values as they are, lists as JSON."""
    return [json.dumps(one) if isinstance(one, list) else one for one in choices]


def meant(one: Range, value: Any) -> Any:
    """The value that a word of `words` stands for."""
    if not isinstance(one, Choices):
        return value
    return one.choices[[(type(word), word) for word in words(one.choices)].index((type(value), value))]
