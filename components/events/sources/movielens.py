"""MovieLens as GroupLens ships it: `ratings.dat` (1M, 10M), `u.data` (100K) or `ratings.csv` (20M and later).

Layouts: the README of each archive at grouplens.org/datasets/movielens. A rating is an event with a value.
Never here: the same ratings in other people's formats (`recbole`, `sequences`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from components.events.sources.common import Layout, event_path, existing, files_in, located, numbered, options_of
from components.events.sources.text import split_lines, table
from components.params import Params

PATTERNS = ("ratings.dat", "u.data", "ratings.csv", "ratings.dat.gz", "u.data.gz", "ratings.csv.gz")
ACTIONS = ("rate",)
TIME_KIND = "real"
_LAYOUT = Layout(
    {"user_id": "userId", "item_id": "movieId", "value": "rating", "timestamp": "timestamp"},
    {"action": "rate"},
    time_unit="s",
)
_RATING = ["userId", "movieId", "rating", "timestamp"]
_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
_MOVIE_FILES = ("movies.dat", "u.item", "movies.csv")
_USER_FILES = ("users.dat", "u.user")


def files(params: Params, root: Path) -> list[Path]:
    """The file of ratings."""
    return files_in(event_path(params, root), PATTERNS)


def _chunks(path: Path) -> Iterator[pl.DataFrame]:
    name = path.name.removesuffix(".gz")
    if name.endswith(".dat"):
        return split_lines(path, "::", _RATING)
    if name.endswith(".csv"):
        return table(path, ",")
    return table(path, "\t", _RATING, quote=None)


def read(params: Params, root: Path, path: Path | None) -> Iterator[pl.DataFrame]:
    """Chunks of ratings."""
    options_of(params, ())
    return numbered(_chunks(path or files(params, root)[0]), params, _LAYOUT)


def beside(params: Params, root: Path, named: str | None, known: tuple[str, ...]) -> Path | None:
    """The attribute file that params name, else the first known one beside the log."""
    if named is not None:
        return existing(located(named, root))
    folder = event_path(params, root)
    folder = folder if folder.is_dir() else folder.parent
    return next((folder / name for name in known if (folder / name).is_file()), None)


def attribute_files(params: Params, root: Path) -> list[Path]:
    """The files of movies and users."""
    source = params.events.source
    found = [beside(params, root, source.catalogue, _MOVIE_FILES), beside(params, root, source.users, _USER_FILES)]
    return [path for path in found if path is not None]


def movies(path: Path) -> pl.DataFrame:
    """item_id, title, category (the first genre) and tags (all genres) of a file of movies."""
    if path.name.endswith(".dat"):
        frame = pl.concat(split_lines(path, "::", ["item_id", "title", "genres"], "latin-1"), how="diagonal")
        frame = frame.select("item_id", "title", pl.col("genres").str.split("|").alias("tags"))
    elif path.name.endswith(".csv"):
        frame = pl.concat(table(path, ",")).select(
            pl.col("movieId").alias("item_id"), "title", pl.col("genres").str.split("|").alias("tags")
        )
    else:
        names = ["item_id", "title", "released", "video", "url", *_GENRES]
        frame = pl.concat(table(path, "|", names, quote=None, encoding="latin-1"))
        flags = [pl.when(pl.col(genre) == "1").then(pl.lit(genre)) for genre in _GENRES]
        frame = frame.select("item_id", "title", pl.concat_list(flags).list.drop_nulls().alias("tags"))
    return frame.with_columns(pl.col("tags").list.first().alias("category"))


def people(path: Path) -> pl.DataFrame:
    """user_id, gender, age, occupation and zip_code of a file of users."""
    if path.name.endswith(".dat"):
        names = ["user_id", "gender", "age", "occupation", "zip_code"]
        return pl.concat(split_lines(path, "::", names, "latin-1"), how="diagonal").select(names)
    return pl.concat(table(path, "|", ["user_id", "age", "gender", "occupation", "zip_code"], quote=None))


def items(params: Params, root: Path) -> pl.DataFrame | None:
    """Titles and genres."""
    path = beside(params, root, params.events.source.catalogue, _MOVIE_FILES)
    return None if path is None else movies(path)


def users(params: Params, root: Path) -> pl.DataFrame | None:
    """Gender, age, occupation, zip code."""
    path = beside(params, root, params.events.source.users, _USER_FILES)
    return None if path is None else people(path)
