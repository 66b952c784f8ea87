"""The tables of items and users: one row each, of the contract's types, kept beside the log.

Newer attributes replace older ones of the same item or user. Never here: which file they came from.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from components.errors import SchemaError
from components.events.contract import ITEM_SCHEMA
from components.files import write_with

_NUMBERS = ("latitude", "longitude", "price")


def conform_items(items: pl.DataFrame) -> pl.DataFrame:
    """One row per item.

    Parameters
    ----------
    items : pl.DataFrame
        (n, …) any columns of ITEM_SCHEMA, any number of rows per item. Tags may be a list, or text separated by `|`.

    Returns
    -------
    pl.DataFrame
        (items, 8) ITEM_SCHEMA, sorted by id. Of several rows: the median of numbers, the commonest text (of equally
        common ones the least), the tags of all. A place needs both coordinates, in range.

    Raises
    ------
    SchemaError
        There is no item_id.
    """
    if "item_id" not in items.columns:
        raise SchemaError("a column item_id of items", found=", ".join(items.columns), do="Map one to it.")
    frame = items.select(_column(items, name).alias(name) for name in ITEM_SCHEMA if name in items.columns)
    frame = frame.filter(pl.col("item_id").is_not_null())
    out = frame.select("item_id").unique().sort("item_id")
    for name, kind in ITEM_SCHEMA.items():
        if name == "item_id":
            continue
        if name not in frame.columns:
            out = out.with_columns(pl.lit(None, dtype=kind).alias(name))
        elif name == "tags":
            out = out.join(_all_tags(frame), on="item_id", how="left", maintain_order="left")
        elif name in _NUMBERS:
            middle = frame.group_by("item_id").agg(pl.col(name).median())
            out = out.join(middle, on="item_id", how="left", maintain_order="left")
        else:
            out = out.join(_commonest(frame, "item_id", name), on="item_id", how="left", maintain_order="left")
    sound = (pl.col("latitude").abs() <= 90) & (pl.col("longitude").abs() <= 180)
    return out.with_columns(pl.when(sound).then(pl.col(name)).alias(name) for name in ("latitude", "longitude"))


def _column(items: pl.DataFrame, name: str) -> pl.Expr:
    found = items.schema[name]
    column = pl.col(name)
    if name == "tags" and found == pl.String:
        return column.str.split("|").list.eval(pl.element().filter(pl.element() != ""))
    if name == "tags":
        return column.cast(pl.List(pl.String))
    if name in _NUMBERS:
        number = column.str.strip_chars().cast(pl.Float64, strict=False) if found == pl.String else column
        number = number.cast(pl.Float64, strict=False)
        return pl.when(number.is_finite()).then(number)
    text = column.cast(pl.String)
    return pl.when(text != "").then(text)


def _commonest(frame: pl.DataFrame, key: str, name: str) -> pl.DataFrame:
    """(keys, 2) the commonest value of each key; of equally common ones the least."""
    counts = frame.filter(pl.col(name).is_not_null()).group_by(key, name).len()
    return counts.sort([key, "len", name], descending=[False, True, False]).unique(key, keep="first").drop("len")


def _all_tags(frame: pl.DataFrame) -> pl.DataFrame:
    tags = frame.select("item_id", "tags").explode("tags").filter(pl.col("tags").is_not_null()).unique()
    return tags.sort("item_id", "tags").group_by("item_id", maintain_order=True).agg("tags")


def conform_users(users: pl.DataFrame) -> pl.DataFrame:
    """One row per user, sorted by id, every attribute as it came; of several values the commonest."""
    if "user_id" not in users.columns:
        raise SchemaError("a column user_id of users", found=", ".join(users.columns), do="Map one to it.")
    frame = users.with_columns(pl.col("user_id").cast(pl.String)).filter(pl.col("user_id").is_not_null())
    out = frame.select("user_id").unique().sort("user_id")
    for name in frame.columns:
        if name != "user_id":
            out = out.join(_commonest(frame, "user_id", name), on="user_id", how="left", maintain_order="left")
    return out


def write_table(path: Path, new: pl.DataFrame, key: str) -> bool:
    """Merge a table into its file; a new row replaces the old one of its key.

    Returns
    -------
    bool
        Whether the file changed.
    """
    merged = new
    if path.exists():
        old = pl.read_parquet(path, glob=False)
        left = old.join(new.select(key), on=key, how="anti")
        merged = pl.concat([left, new], how="diagonal_relaxed").sort(key)
        if merged.equals(old) and merged.schema == old.schema:
            return False
    whole = merged.rechunk()
    write_with(path, lambda temporary: whole.write_parquet(temporary, compression="zstd", compression_level=1))
    return True
