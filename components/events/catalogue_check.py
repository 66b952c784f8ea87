"""Faults of the catalogue that no later stage could mend: repeated ids, and items at impossible places.

Never here: events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from components.errors import SchemaError

#: Fault → what is needed instead.
FAULTS: Mapping[str, str] = {
    "items_repeated": "each `item_id` once in data/catalogue/items.parquet",
    "items_misplaced": "items at latitudes within ±90 and longitudes within ±180 degrees, both or neither",
    "users_repeated": "each `user_id` once in data/catalogue/users.parquet",
}


@dataclass(frozen=True)
class CatalogueCheck:
    """Rows of the catalogue, and those with each fault.

    Attributes
    ----------
    rows : file → rows; 0 where there is no file
    faults : name of FAULTS → the offending rows, in the file's order
    """

    rows: Mapping[str, int]
    faults: Mapping[str, pl.DataFrame]

    def counts(self) -> dict[str, int]:
        """Fault → offending rows."""
        return {name: len(rows) for name, rows in self.faults.items()}


def check_catalogue(folder: Path) -> CatalogueCheck:
    """Look for the faults in `items.parquet` and `users.parquet`.

    Raises
    ------
    SchemaError
        A table has no column for its ids.
    """
    items, users = _read(folder / "items.parquet", "item_id"), _read(folder / "users.parquet", "user_id")
    faults = {
        "items_repeated": items.filter(pl.col("item_id").is_duplicated()),
        "items_misplaced": _misplaced(items),
        "users_repeated": users.filter(pl.col("user_id").is_duplicated()),
    }
    return CatalogueCheck({"items": len(items), "users": len(users)}, faults)


def _read(path: Path, key: str) -> pl.DataFrame:
    if not path.is_file():
        return pl.DataFrame(schema={key: pl.String})
    table = pl.read_parquet(path)
    if key not in table.columns:
        raise SchemaError(
            f"the column `{key}` in {path}",
            found=f"the columns {', '.join(table.columns)}",
            do="Map it in `events.source.options`, and ingest the catalogue again.",
        )
    return table


def _misplaced(items: pl.DataFrame) -> pl.DataFrame:
    if not {"latitude", "longitude"} <= set(items.columns):
        return items.clear()
    lat, lon = pl.col("latitude"), pl.col("longitude")
    outside = lat.is_between(-90, 90).not_() | lon.is_between(-180, 180).not_()
    return items.filter(outside.fill_null(False) | (lat.is_null() != lon.is_null()))
