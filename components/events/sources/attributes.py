"""Attributes of items and users: from their own file, whatever its type, or from columns of the log.

Never here: which of several rows of one item stays (`events.catalogue`), or the layout of a known data set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import orjson
import polars as pl

from components.errors import ConfigError, SchemaError
from components.events.contract import ITEM_SCHEMA
from components.events.sources.common import existing, located
from components.events.sources.text import table
from components.params import Params

#: Reads a file of the log as it is.
Reader = Callable[[Path], Iterator[pl.DataFrame]]


def attribute_files(params: Params, root: Path) -> list[Path]:
    """The files that params name for items and users."""
    named = (params.events.source.catalogue, params.events.source.users)
    return [existing(located(name, root)) for name in named if name is not None]


def attributes(
    params: Params, root: Path, kind: Literal["item", "user"], log: Sequence[Path], raw: Reader | None
) -> pl.DataFrame | None:
    """Attributes of items or users, one or more rows for each.

    Parameters
    ----------
    params, root : Params, Path
        `events.source.catalogue` or `users` names a file; options `item_mapping` or `user_mapping` name its columns
        (attribute: column). Without a file, the mapping names columns of the log.
    kind : {"item", "user"}
        Which.
    log : sequence of Path
        Files of the log.
    raw : callable, optional
        Reads one of them; None where the log holds no attributes.

    Returns
    -------
    pl.DataFrame or None
        Columns of ITEM_SCHEMA, or `user_id` and any; None when params name neither.
    """
    source = params.events.source
    name = source.catalogue if kind == "item" else source.users
    mapping = source.options.get(f"{kind}_mapping", {})
    if not isinstance(mapping, dict) or (kind == "item" and set(mapping) - set(ITEM_SCHEMA)):
        raise ConfigError(
            f"a mapping from {', '.join(ITEM_SCHEMA)} to columns at `events.source.options.item_mapping`",
            found=repr(mapping),
            do="Mend params.yaml.",
        )
    if name is not None:
        path = existing(located(name, root))
        return _renamed(pl.concat(any_table(path, source.options), how="diagonal_relaxed"), mapping, f"{kind}_id", path)
    if not mapping or raw is None:
        return None
    key = f"{kind}_id"
    mapping = {key: source.mapping.get(key, key), **mapping}
    parts = [_picked(chunk, mapping, path).unique() for path in log for chunk in raw(path)]
    return pl.concat(parts, how="diagonal_relaxed").unique() if parts else None


def _picked(chunk: pl.DataFrame, mapping: Mapping[str, str], path: Path) -> pl.DataFrame:
    missing = sorted(set(mapping.values()) - set(chunk.columns))
    if missing:
        raise SchemaError(
            f"the columns {', '.join(missing)} in {path}",
            found=", ".join(chunk.columns),
            do="Mend `item_mapping` or `user_mapping` at `events.source.options`.",
        )
    return chunk.select(pl.col(column).alias(name) for name, column in mapping.items())


def _renamed(frame: pl.DataFrame, mapping: Mapping[str, str], key: str, path: Path) -> pl.DataFrame:
    """Mapped columns under their attribute's name; the others keep theirs."""
    if mapping:
        taken = _picked(frame, mapping, path)
        rest = [name for name in frame.columns if name not in {*mapping.values(), *mapping}]
        frame = pl.concat([taken, frame.select(rest)], how="horizontal")
    if key not in frame.columns:
        raise SchemaError(
            f"the column `{key}` in {path}",
            found=", ".join(frame.columns),
            do=f"Set `events.source.options.{key.removesuffix('_id')}_mapping` ({key}: column of the file).",
        )
    return frame


def any_table(path: Path, options: Mapping[str, Any]) -> list[pl.DataFrame]:
    """Chunks of an attribute file by its name: Parquet, JSON Lines, a JSON object of records by id, or delimited."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return [pl.read_parquet(path)]
    if name.endswith((".jsonl", ".ndjson")):
        return [pl.read_ndjson(path, infer_schema_length=None)]
    if name.endswith(".json"):
        return [_json_object(path)]
    separator = "\t" if name.endswith(".tsv") else ","
    return list(table(path, separator, quote=options.get("quote", '"'), encoding=options.get("encoding", "utf-8")))


def _json_object(path: Path) -> pl.DataFrame:
    """`{"id": {attribute: value}}`, or `{"id": [tag, …]}`, as rows with the id in `item_id`."""
    try:
        record = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise SchemaError(f"JSON in {path}", found=str(error), do="Mend the file.") from error
    if not isinstance(record, dict) or not record:
        raise SchemaError(f"an object of items by id in {path}", found=type(record).__name__, do="Mend the file.")
    rows = [
        {"item_id": key, **(value if isinstance(value, dict) else {"tags": value})} for key, value in record.items()
    ]
    return pl.DataFrame(rows, infer_schema_length=None)
