"""The collected live log: what came in live, as Parquet segments that ingest reads after the source's own files.

    data/live/<first>-<last>.parquet               events: the columns of the contract, and `offset`, `id`
    data/live/{impressions,feedback,positions}/…   the same for what else came in
    data/live/collected.json                       how far the live state has been collected

A segment is named after the offsets of the live state that it covers, is written whole, and is never written again but
to erase a user. Never here: the live state itself (`components.serving.state`), or what is sound (`contract`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from components.errors import IntegrityError
from components.events.contract import SCHEMA
from components.events.times import TIMESTAMP
from components.files import read_json, write_json, write_with
from components.params import Params
from components.workspace import Workspace

_HEAD: dict[str, Any] = {"offset": pl.Int64, "id": pl.String, "user_id": pl.String, "timestamp": TIMESTAMP}
#: Kind of record → columns of its segments; `offset` is the record's place in the live log.
SEGMENTS: Mapping[str, Mapping[str, Any]] = {
    "event": _HEAD | {name: dtype for name, dtype in SCHEMA.items() if name != "event_key"},
    "impression": _HEAD
    | {
        "item_id": pl.String,
        "position": pl.Int32,
        "probability": pl.Float64,
        "list_id": pl.String,
        "arm": pl.String,
        "policy": pl.String,
    },
    "feedback": _HEAD | {"question": pl.String, "answer": pl.String, "value": pl.Float64, "item_id": pl.String},
    "position": _HEAD | {"latitude": pl.Float64, "longitude": pl.Float64, "accuracy_m": pl.Float64},
}
_FOLDERS = {"event": "", "impression": "impressions", "feedback": "feedback", "position": "positions"}
_NAME = re.compile(r"(\d{12,})-(\d{12,})\.parquet")


@dataclass(frozen=True)
class Segment:
    """A file of records with offsets from `first` to `last`."""

    path: Path
    first: int
    last: int


@dataclass(frozen=True)
class Cursor:
    """How far the live state has been collected.

    Attributes
    ----------
    offset : of the last record that was looked at; 0: none was
    mark : digest of that record, by which another state under the same address is told
    """

    offset: int
    mark: str


def segments(root: Path, kind: str) -> list[Segment]:
    """The segments of one kind, in the order of their offsets."""
    folder = Workspace(root).live_log / _FOLDERS[kind]
    found = [(path, _NAME.fullmatch(path.name)) for path in sorted(folder.glob("[0-9]*.parquet"))]
    return [Segment(path, int(name[1]), int(name[2])) for path, name in found if name]


def every_segment(root: Path) -> Iterator[Segment]:
    """The segments of all kinds."""
    for kind in SEGMENTS:
        yield from segments(root, kind)


def write_segment(root: Path, kind: str, first: int, last: int, rows: pl.DataFrame) -> Path:
    """Write the records of one kind with offsets from `first` to `last`.

    Parameters
    ----------
    rows : (n, …) columns of SEGMENTS[kind]
    """
    path = Workspace(root).live_log / _FOLDERS[kind] / f"{first:012d}-{last:012d}.parquet"
    put(path, rows.select(list(SEGMENTS[kind])))
    return path


def put(path: Path, rows: pl.DataFrame) -> None:
    """Write one table whole or not at all."""
    whole = rows.rechunk()
    write_with(path, lambda temporary: whole.write_parquet(temporary, compression="zstd", compression_level=1))


def clean(root: Path) -> None:
    """Remove what a killed run left half-written; the caller holds the workspace."""
    for path in Workspace(root).live_log.rglob(".*.*"):
        path.unlink()


def read_segment(path: Path) -> pl.DataFrame:
    """One segment or table of the live log.

    Raises
    ------
    IntegrityError
        The file is damaged.
    """
    try:
        return pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise IntegrityError(
            f"a whole Parquet file at {path}", found=str(error)[:200], do="Bring it back from a copy of data/live."
        ) from error


def read_cursor(root: Path) -> Cursor:
    """How far the live state has been collected; offset 0 where nothing was."""
    path = Workspace(root).live_log / "collected.json"
    if not path.exists():
        return Cursor(0, "")
    record = read_json(path)
    try:
        return Cursor(int(record["offset"]), str(record["mark"]))
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"offset and mark in {path}", found=repr(record)[:80], do="Bring it back.") from error


def write_cursor(root: Path, cursor: Cursor) -> None:
    """Note how far the live state has been collected."""
    write_json(Workspace(root).live_log / "collected.json", {"offset": cursor.offset, "mark": cursor.mark})


def events_of(path: Path) -> Iterator[pl.DataFrame]:
    """One chunk: the events of a segment under the contract's names."""
    yield read_segment(path).drop("offset", "id")


def ratings_of(path: Path, params: Params) -> Iterator[pl.DataFrame]:
    """One chunk: the answers of a feedback segment that `live.feedback` makes events, each an action with a value."""
    actions = params.live.feedback
    rated = read_segment(path).filter(
        pl.col("question").is_in(list(actions)) & pl.col("value").is_not_null() & pl.col("item_id").is_not_null()
    )
    yield rated.select(
        "user_id", "item_id", "timestamp", "value", pl.col("question").replace_strict(actions).alias("action")
    )


def rules(params: Params) -> Params:
    """Params by which live events are conformed: what is an action already is not mapped to another."""
    renamed = {name: action for name, action in params.events.action_map.items() if name not in params.events.actions}
    return params.model_copy(update={"events": params.events.model_copy(update={"action_map": renamed})})
