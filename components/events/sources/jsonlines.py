"""Any log as JSON Lines (gzip-aware), by the column mapping in params; `geo.lat` names a field of a nested object.

Options: those of time, `encoding`, `item_mapping`, `user_mapping`. Never here: a field of any known data set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from components.errors import SchemaError
from components.events.rules import MALFORMED
from components.events.sources.attributes import attribute_files, attributes
from components.events.sources.common import (
    TIME_OPTIONS,
    Layout,
    event_path,
    files_in,
    mapping_of,
    numbered,
    options_of,
)
from components.events.sources.text import lines
from components.params import Params

__all__ = ["ACTIONS", "OPTIONS", "TIME_KIND", "attribute_files", "decoded", "files", "items", "read", "users"]
PATTERNS = ("*.jsonl", "*.jsonl.gz", "*.ndjson", "*.ndjson.gz", "*.json", "*.json.gz")
OPTIONS = (*TIME_OPTIONS, "encoding", "item_mapping", "user_mapping")
ACTIONS: tuple[str, ...] = ()
TIME_KIND = "real"
#: Lines that are looked at to learn which fields there are.
_SAMPLE = 1000


def files(params: Params, root: Path) -> list[Path]:
    """Every file of events, by name."""
    return files_in(event_path(params, root), PATTERNS)


def decoded(text: pl.Series, schema: dict[str, Any]) -> tuple[pl.DataFrame, pl.Series]:
    """Fields of JSON lines.

    Parameters
    ----------
    text : pl.Series
        (n,) lines.
    schema : dict
        Field → polars type; a number asked for as text keeps its digits.

    Returns
    -------
    frame : pl.DataFrame
        (n, fields) null where a line has no such field, or is no object.
    broken : pl.Series
        (n,) bool, lines that are no JSON object.
    """
    kind = pl.Struct(schema)
    try:
        return text.str.json_decode(kind).struct.unnest(), pl.repeat(False, len(text), eager=True)
    except pl.exceptions.ComputeError:
        trimmed = text.str.strip_chars()
        broken = trimmed.str.json_path_match("$").is_null() | ~trimmed.str.starts_with("{")
        return text.set(broken, "{}").str.json_decode(kind).struct.unnest(), broken


def _wanted(named: Iterable[str]) -> dict[str, Any]:
    """Schema of the named fields, all text; dots go into nested objects."""
    tree: dict[str, list[str]] = {}
    for name in named:
        head, _, rest = name.partition(".")
        tree.setdefault(head, []).extend([rest] if rest else [])
    return {name: pl.Struct(_wanted(inner)) if inner else pl.String for name, inner in tree.items()}


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Nested objects as columns `outer.inner`."""
    while any(isinstance(kind, pl.Struct) for kind in frame.schema.values()):
        parts = [
            column.struct.unnest().select(pl.all().name.prefix(f"{column.name}."))
            if isinstance(column.dtype, pl.Struct)
            else column.to_frame()
            for column in frame
        ]
        frame = pl.concat(parts, how="horizontal")
    return frame


def _fields(path: Path, encoding: str) -> list[str]:
    """Fields of the first lines, those of nested objects with dots."""
    sample = next(lines(path, encoding)).head(_SAMPLE).str.strip_chars()
    sound = sample.filter(sample.str.json_path_match("$").is_not_null() & sample.str.starts_with("{"))
    if not len(sound):
        raise SchemaError(
            f"one JSON object per line in {path}",
            found=f"lines like {str(sample[0])[:80]!r}",
            do="Choose another format.",
        )
    return _flat(pl.read_ndjson("\n".join(sound.to_list()).encode(), infer_schema_length=None)).columns


def _chunks(path: Path, encoding: str, named: Iterable[str] | None) -> Iterator[pl.DataFrame]:
    """Chunks of the named fields of the file, all text; of every field where `named` is None."""
    schema = _wanted(_fields(path, encoding) if named is None else named)
    for text in lines(path, encoding):
        frame, broken = decoded(text, schema)
        frame = _flat(frame)
        if broken.any():
            frame = frame.with_columns(text.set(~broken, None).alias(MALFORMED))
        yield frame


def read(params: Params, root: Path, path: Path | None) -> Iterator[pl.DataFrame]:
    """Chunks of events of one file, under the contract's names."""
    encoding = options_of(params, OPTIONS).get("encoding", "utf-8")
    file = path or event_path(params, root)
    mapping = mapping_of(params, _fields(file, encoding), Layout())
    return numbered(_chunks(file, encoding, mapping.values()), params, Layout())


def items(params: Params, root: Path) -> pl.DataFrame | None:
    """Item attributes, from the catalogue file or from fields of the log."""
    encoding = options_of(params, OPTIONS).get("encoding", "utf-8")
    return attributes(params, root, "item", files(params, root), lambda path: _chunks(path, encoding, None))


def users(params: Params, root: Path) -> pl.DataFrame | None:
    """User attributes, from the users file or from fields of the log."""
    encoding = options_of(params, OPTIONS).get("encoding", "utf-8")
    return attributes(params, root, "user", files(params, root), lambda path: _chunks(path, encoding, None))
