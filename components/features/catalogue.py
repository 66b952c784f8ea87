"""Attributes of the items of a vocabulary: from the item table, and places from training where it has none.

Items that the table knows and training never saw are not here: no model has a code for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.features.encoding import Catalogue, Vocabulary
from components.features.place import E7

_ATTRIBUTES = {
    "category": pl.String,
    "title": pl.String,
    "text": pl.String,
    "latitude": pl.Float64,
    "longitude": pl.Float64,
    "price": pl.Float64,
}


def located_items(items: pl.DataFrame | None) -> list[str]:
    """Ids of the items whose coordinates the item table knows."""
    if items is None or not {"latitude", "longitude"} <= set(items.columns):
        return []
    known = pl.col("latitude").is_finite() & pl.col("longitude").is_finite()
    return items.filter(known)["item_id"].to_list()


def catalogue_of(
    item: Vocabulary, items: pl.DataFrame | None, places: Sequence[pl.DataFrame]
) -> tuple[Vocabulary, Catalogue]:
    """The vocabulary of categories and the catalogue of V items.

    Parameters
    ----------
    item : Vocabulary
    items : pl.DataFrame or None
        Columns of the item contract; of several rows of one item the first counts.
    places : list of pl.DataFrame
        `item, latitude, longitude` (1e-7 degrees) and `n` training events there, of items that the table does not
        locate: they get the lower median of each coordinate, so that a venue keeps its place among stray fixes.

    Returns
    -------
    Vocabulary
        Categories by (−items of the vocabulary, id).
    Catalogue
    """
    table = pl.DataFrame({"item_id": list(item.ids)}, schema={"item_id": pl.String})
    if items is not None:
        table = table.join(items.unique("item_id", keep="first"), on="item_id", how="left", maintain_order="left")
    table = table.with_columns(
        (pl.col(name) if name in table.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in _ATTRIBUTES.items()
    )
    counts = Counter(table["category"].drop_nulls().to_list())
    category = Vocabulary.of(sorted(counts, key=lambda name: (-counts[name], name)))
    codes = category.encode(table["category"]).copy()
    codes[2:] = np.where(codes[2:] == 0, 1, codes[2:])  # a real item without a category is of unknown category
    codes[:2] = 0
    latitude, longitude = (_with_training(name, table, item, places) for name in ("latitude", "longitude"))
    blank = (np.isnan(latitude) | np.isnan(longitude)).nonzero()[0]
    latitude[blank] = longitude[blank] = np.nan
    return category, Catalogue(
        category=codes,
        latitude=latitude,
        longitude=longitude,
        price=table["price"].fill_null(np.nan).to_numpy().astype(np.float32),
        title=np.array(table["title"].fill_null("").to_list(), dtype=object),
        text=np.array(table["text"].fill_null("").to_list(), dtype=object),
    )


def _with_training(
    name: str, table: pl.DataFrame, item: Vocabulary, places: Sequence[pl.DataFrame]
) -> NDArray[np.float32]:
    """(V,) one coordinate of every item in degrees: the table's, else the lower median of training's."""
    column = table[name].fill_null(np.nan).to_numpy().astype(np.float32)
    if not places:
        return column
    counted = pl.concat(places).group_by("item", name).agg(pl.col("n").sum()).sort("item", name)
    total, reached = pl.col("n").sum().over("item"), pl.col("n").cum_sum().over("item")
    medians = counted.filter(reached * 2 >= total).group_by("item", maintain_order=True).agg(pl.col(name).first())
    codes = item.encode(medians["item"])
    known = codes > 1
    column[codes[known]] = medians[name].to_numpy()[known] / E7
    return column
