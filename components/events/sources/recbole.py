"""RecBole's atomic files: `NAME.inter` with `field:type` headers, and `NAME.item`, `NAME.user` beside it.

Layout: recbole.io/docs/user_guide/data/atomic_files.html. Ratings become events with a value.
Never here: other formats of the same data sets (`movielens`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from components.events.sources.common import (
    TIME_OPTIONS,
    Layout,
    event_path,
    existing,
    files_in,
    located,
    numbered,
    options_of,
)
from components.events.sources.text import table
from components.params import Params

PATTERNS = ("*.inter", "*.inter.gz")
OPTIONS = (*TIME_OPTIONS, "encoding")
ACTIONS = ("rate",)
TIME_KIND = "real"
_LAYOUT = Layout({"value": "rating"}, {"action": "rate"}, time_unit="s")
#: Item attribute → names that it has in published files.
_ITEM_NAMES = {
    "title": ("movie_title", "title", "name"),
    "category": ("categories", "category"),
    "tags": ("class", "genre", "genres", "categories"),
    "price": ("price",),
    "text": ("description",),
}


def files(params: Params, root: Path) -> list[Path]:
    """Every .inter file, by name."""
    return files_in(event_path(params, root), PATTERNS)


def _chunks(path: Path, params: Params) -> Iterator[pl.DataFrame]:
    """Chunks of an atomic file, columns without their `:type`."""
    for chunk in table(path, "\t", quote=None, encoding=options_of(params, OPTIONS).get("encoding", "utf-8")):
        yield chunk.rename(lambda name: name.partition(":")[0])


def read(params: Params, root: Path, path: Path | None) -> Iterator[pl.DataFrame]:
    """Chunks of interactions; the rating, where there is one, is the value."""
    return numbered(_chunks(path or event_path(params, root), params), params, _LAYOUT)


def _beside(params: Params, root: Path, named: str | None, suffix: str) -> list[Path]:
    """The attribute file that params name, else those beside the .inter files."""
    if named is not None:
        return [existing(located(named, root))]
    stems = [path.with_name(path.name.removesuffix(".gz").removesuffix(".inter")) for path in files(params, root)]
    names = [stem.with_name(f"{stem.name}{suffix}{gzip}") for stem in stems for gzip in ("", ".gz")]
    return [path for path in names if path.is_file()]


def attribute_files(params: Params, root: Path) -> list[Path]:
    """The .item and .user files."""
    source = params.events.source
    return [*_beside(params, root, source.catalogue, ".item"), *_beside(params, root, source.users, ".user")]


def items(params: Params, root: Path) -> pl.DataFrame | None:
    """Titles, categories, tags (token_seq fields are split at blanks) and prices."""
    parts = [
        chunk
        for path in _beside(params, root, params.events.source.catalogue, ".item")
        for chunk in _chunks(path, params)
    ]
    if not parts:
        return None
    frame = pl.concat(parts, how="diagonal_relaxed")
    names = {
        wanted: next((name for name in known if name in frame.columns), None) for wanted, known in _ITEM_NAMES.items()
    }
    columns = [pl.col(name).alias(wanted) for wanted, name in names.items() if name is not None]
    out = frame.select("item_id", *columns)
    if "tags" in out.columns:
        out = out.with_columns(pl.col("tags").str.split(" "))
        if "category" not in out.columns:
            out = out.with_columns(pl.col("tags").list.first().alias("category"))
    return out


def users(params: Params, root: Path) -> pl.DataFrame | None:
    """Every field of the .user file."""
    parts = [
        chunk for path in _beside(params, root, params.events.source.users, ".user") for chunk in _chunks(path, params)
    ]
    return pl.concat(parts, how="diagonal_relaxed") if parts else None
