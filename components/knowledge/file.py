"""Vectors that somebody else made (of images, sound, a graph): a Parquet file of `item_id` and numbers.

The numbers are one column of lists of one length, or columns of floats. Never makes a vector itself.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import ConfigError, DataError, SchemaError
from components.knowledge.described import Described
from components.params import Section

Floats = NDArray[np.float32]


class FileOptions(Section):
    """Options of the kind."""

    path: str  # Parquet; below the workspace unless absolute


def file_vectors(items: Described, options: FileOptions, root: Path) -> tuple[Floats, NDArray[np.bool_]]:
    """(V, m) vectors of the items in the file, and (V,) which are there.

    Raises
    ------
    ConfigError
        There is no such file.
    SchemaError
        It is not a Parquet file with `item_id` and numbers.
    DataError
        An item stands twice, lists differ in length, or a number is missing or not finite.
    """
    path = root / options.path
    ids, values = _read(path)
    row_of = {name: row for row, name in enumerate(ids)}
    if len(row_of) < len(ids):
        raise DataError(
            f"one row an item in {path}", found=f"{len(ids) - len(row_of)} repeated", do="Keep one of each."
        )
    row = np.array([row_of.get(name, -1) for name in items.ids], np.int64)
    known = row >= 0
    if not np.isfinite(values[row[known]]).all():
        raise DataError(f"finite numbers in {path}", found="NaN, infinity or nothing", do="Leave such items out.")
    return np.where(known[:, None], values[row], np.float32(0)).astype(np.float32), known


def _read(path: Path) -> tuple[list[str], Floats]:
    """Ids and vectors of a file; a last row of zeros stands for items that it lacks."""
    if not path.is_file():
        raise ConfigError(f"vectors at {path}", found="no file", do="Mend `path` under features.vectors.")
    try:
        table = pl.read_parquet(path, glob=False)
    except pl.exceptions.PolarsError as error:
        raise SchemaError(f"a Parquet file at {path}", found=f"{error!s:.200}", do="Write it again.") from error
    numbers = [name for name, kind in table.schema.items() if name != "item_id" and kind.is_float()]
    lists = [name for name, kind in table.schema.items() if isinstance(kind, pl.List | pl.Array)]
    if "item_id" not in table.columns or (len(lists) != 1 if lists else not numbers):
        found = ", ".join(f"{name} {kind}" for name, kind in table.schema.items())
        raise SchemaError(
            f"`item_id` and one column of lists, or columns of floats, in {path}", found=found, do="Mend it."
        )
    ids = table["item_id"].cast(pl.String).to_list()
    if lists:
        columns = table[lists[0]].cast(pl.List(pl.Float32))
        lengths = columns.list.len().unique().to_list()
        if len(lengths) != 1 or not lengths[0]:
            raise DataError(
                f"lists of one length in {path}", found=f"lengths {sorted(map(str, lengths))[:5]}", do="Mend them."
            )
        values = columns.explode().to_numpy().reshape(len(ids), lengths[0])
    else:
        values = table.select(pl.col(numbers).cast(pl.Float32)).to_numpy()
    return ids, np.concatenate([values.astype(np.float32), np.zeros((1, values.shape[1]), np.float32)])
