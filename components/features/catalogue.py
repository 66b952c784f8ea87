"""Attributes of the items of a vocabulary: from the item table, and places from training where it has none.

Items that the table knows and training never saw are here where the vocabulary has them (`features.vocabulary`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.features.encoding import UNKNOWN, Catalogue, Encoding, Vocabulary
from components.features.place import E7
from components.knowledge.described import Described

#: Ids, and a table of `item` (index of the id), `latitude`, `longitude` (1e-7 degrees), `n` training events there.
Places = tuple[Sequence[str], pl.DataFrame]
_ATTRIBUTES: Mapping[str, pl.DataType] = {
    "category": pl.String(),
    "title": pl.String(),
    "text": pl.String(),
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    "price": pl.Float64(),
    "tags": pl.List(pl.String),
}


def located_items(items: pl.DataFrame | None) -> list[str]:
    """Ids of the items whose coordinates the item table knows."""
    if items is None or not {"latitude", "longitude"} <= set(items.columns):
        return []
    known = pl.col("latitude").is_finite() & pl.col("longitude").is_finite()
    return items.filter(known)["item_id"].to_list()


def catalogue_of(
    item: Vocabulary, items: pl.DataFrame | None, places: Sequence[Places]
) -> tuple[Vocabulary, Catalogue]:
    """The vocabulary of categories and the catalogue of V items.

    Parameters
    ----------
    item : Vocabulary
    items : pl.DataFrame or None
        Columns of the item contract; of several rows of one item the first counts.
    places : sequence of Places
        Of items that the table does not locate: they get the lower median of each coordinate, so that a venue
        keeps its place among stray fixes.

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
        tags=np.array(table["tags"].list.join("\n").fill_null("").to_list(), dtype=object),
    )


def described(encoding: Encoding) -> Described:
    """The V items of an encoding as plain columns; padding and unknown have nothing."""
    catalogue, words = encoding.catalogue, encoding.vocabularies["category"]
    code = np.arange(encoding.n_items)
    real = code > UNKNOWN
    known = catalogue.category > UNKNOWN
    return Described(
        ids=[str(name) for name in encoding.vocabularies["item"].ids],
        trained=real & (code < encoding.n_trained),
        title=[str(one or "") for one in catalogue.title],
        category=[str(words.ids[one]) if there else "" for one, there in zip(catalogue.category, known, strict=True)],
        text=[str(one or "") for one in catalogue.text],
        tags=[str(one or "") for one in catalogue.tags],
        latitude=catalogue.latitude,
        longitude=catalogue.longitude,
    )


def _with_training(name: str, table: pl.DataFrame, item: Vocabulary, places: Sequence[Places]) -> NDArray[np.float32]:
    """(V,) one coordinate of every item in degrees: the table's, else the lower median of training's."""
    column = table[name].fill_null(np.nan).to_numpy().astype(np.float32)
    parts = [np.zeros((3, 0), np.int64)]
    for names, found in places:
        code_of = np.array([item.code_of.get(one, 0) for one in names], np.int64)
        parts.append(np.stack([code_of[found["item"].to_numpy()], found[name].to_numpy(), found["n"].to_numpy()]))
    code, at_e7, n = np.concatenate(parts, axis=1)
    order = np.argsort((code << 32) + at_e7)
    code, at_e7, reached = code[order], at_e7[order], np.cumsum(n[order])
    known = np.unique(code[code > 1])
    before = np.concatenate([[0], reached])[np.searchsorted(code, known)]
    total = reached[np.searchsorted(code, known, side="right") - 1] - before
    column[known] = at_e7[np.searchsorted(reached, before + (total + 1) // 2)] / E7
    return column
