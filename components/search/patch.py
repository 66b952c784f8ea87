"""The best values of a search as YAML: shown, and written into params.yaml by changing the least of its text.

A value is changed where it stands, or added to the mapping that lacks it; comments, order and anchors stay. The text
is believed only when it reads back as the old params with exactly those values: a key that is shared by an anchor
cannot be changed for one alone, and then the whole goes to `params.best.yaml` instead.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from components.errors import ConfigError
from components.files import write_text
from components.params import parse_params
from components.search.space import Values, patched

BEST = "params.best.yaml"


def as_yaml(values: Values) -> str:
    """Dotted keys as nested YAML."""
    nested: dict[str, Any] = {}
    for key, value in values.items():
        at = nested
        *path, last = key.split(".")
        for name in path:
            at = at.setdefault(name, {})
        at[last] = value
    return yaml.safe_dump(nested, sort_keys=False, allow_unicode=True)


def apply(path: Path, values: Values) -> Path:
    """Write values into params.yaml, atomically.

    Returns
    -------
    Path
        The file that was written: `path`, or `params.best.yaml` beside it where the text cannot be changed in place.
    """
    text = path.read_text()
    wanted = patched(yaml.safe_load(text), _whole(text, values))
    parse_params(wanted, str(path))
    for key, value in values.items():
        text = _changed(text, key.split("."), value)
    if yaml.safe_load(text) == wanted:
        write_text(path, text)
        return path
    beside = path.with_name(BEST)
    write_text(beside, "# params.yaml with the best of the last search.\n" + _dump(wanted))
    return beside


def _whole(text: str, values: Values) -> Values:
    """The values, checked to have mappings above them."""
    record = yaml.safe_load(text)
    for key in values:
        at = record
        for name in key.split(".")[:-1]:
            at = at.get(name) if isinstance(at, dict) else None
        if not isinstance(at, dict):
            raise ConfigError(f"a section above `{key}`", found="none", do="Mend params.yaml, and search again.")
    return values


def _dump(record: Any) -> str:
    return yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=110)


def _changed(text: str, path: list[str], value: Any) -> str:
    """The text with one value changed where it stands, or put into the mapping that is there; else as it was."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    for name in path[:-1]:
        node = _child(node, name)
        if node is None:
            return text
    if not isinstance(node, yaml.MappingNode):
        return text
    there = _child(node, path[-1])
    if isinstance(there, yaml.CollectionNode) and not there.flow_style:
        return text
    if there is not None:
        return text[: there.start_mark.index] + _word(value) + text[there.end_mark.index :]
    new = f"{path[-1]}: {_word(value)}"
    if not node.value:
        return text[: node.start_mark.index] + "{" + new + "}" + text[node.end_mark.index :]
    if node.flow_style:
        last = node.value[-1][1].end_mark.index
        return f"{text[:last]}, {new}{text[last:]}"
    first = node.value[0][0].start_mark
    return text[: first.index] + new + "\n" + " " * first.column + text[first.index :]


def _word(value: Any) -> str:
    """A value on one line; a float as YAML writes it, which takes JSON's 1e-05 for a word."""
    return _dump(value).partition("\n")[0] if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def _child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if key.value == name), None)
