"""Order-only logs of the sequential-recommendation literature: one `user item` per line, oldest first.

There are no times: a user's k-th line is k seconds after `events.earliest` (`time_kind: ordinal`), and the row number
breaks no tie because there is none. `movies.dat` and `users.dat` beside the file describe MovieLens ids; where the
file numbers ids anew, `original_items.txt` and `original_users.txt` (`new original` per line) lead back.
Never here: splits of the literature (`evaluation`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from components.events.rules import MALFORMED
from components.events.sources.common import Layout, event_path, existing, files_in, located, numbered, options_of
from components.events.sources.movielens import movies, people
from components.events.sources.text import lines
from components.params import Params

PATTERNS = ("sequences.txt", "sequences.txt.gz", "*.txt.gz")
ACTIONS = ("interact",)
TIME_KIND = "ordinal"
_LAYOUT = Layout({}, {"action": "interact"})


def files(params: Params, root: Path) -> list[Path]:
    """The file of sequences."""
    return files_in(event_path(params, root), PATTERNS)


def _pairs(path: Path, first: str, second: str) -> Iterator[pl.DataFrame]:
    """Two fields per line, separated by blanks; other lines are malformed."""
    for text in lines(path):
        fields = text.str.strip_chars().str.extract_groups(rf"^(?<{first}>\S+)\s+(?<{second}>\S+)$").struct.unnest()
        broken = fields[first].is_null()
        yield fields.with_columns(text.set(~broken, None).alias(MALFORMED)) if broken.any() else fields


def read(params: Params, root: Path, path: Path | None) -> Iterator[pl.DataFrame]:
    """Chunks of the sequences, times by position."""
    options_of(params, ())
    return numbered(_pairs(path or files(params, root)[0], "user_id", "item_id"), params, _LAYOUT)


def _file(params: Params, root: Path, named: str | None, name: str) -> Path | None:
    if named is not None:
        return existing(located(named, root))
    folder = event_path(params, root)
    path = (folder if folder.is_dir() else folder.parent) / name
    return path if path.is_file() else None


def attribute_files(params: Params, root: Path) -> list[Path]:
    """Movies, users, and the files that lead back to their ids."""
    source = params.events.source
    found = [
        _file(params, root, source.catalogue, "movies.dat"),
        _file(params, root, source.users, "users.dat"),
        _file(params, root, None, "original_items.txt"),
        _file(params, root, None, "original_users.txt"),
    ]
    return [path for path in found if path is not None]


def _renumbered(frame: pl.DataFrame, key: str, originals: Path | None) -> pl.DataFrame:
    """Rows under the ids of the sequences."""
    if originals is None:
        return frame
    pairs = pl.concat(_pairs(originals, "new", "original"), how="diagonal").select("new", "original")
    return frame.join(pairs, left_on=key, right_on="original").with_columns(pl.col("new").alias(key)).drop("new")


def items(params: Params, root: Path) -> pl.DataFrame | None:
    """Titles and genres, under the ids of the sequences."""
    path = _file(params, root, params.events.source.catalogue, "movies.dat")
    originals = _file(params, root, None, "original_items.txt")
    return None if path is None else _renumbered(movies(path), "item_id", originals)


def users(params: Params, root: Path) -> pl.DataFrame | None:
    """Gender, age, occupation, zip code, under the ids of the sequences."""
    path = _file(params, root, params.events.source.users, "users.dat")
    originals = _file(params, root, None, "original_users.txt")
    return None if path is None else _renumbered(people(path), "user_id", originals)
