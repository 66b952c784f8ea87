"""From the live state to the data that the next ingest reads: `chronotope collect`.

What came in since the last time is written block by block as segments (`components.events.live`), and users who asked
to be forgotten are erased from those that are there. A kill at any moment neither loses nor doubles a record: a block
counts as collected when the cursor says so, and what of it was written already is known by the names of its segments.
Never here: day files (`components.events.ingest`), or what may enter the live state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from components.errors import IntegrityError
from components.events import live
from components.events.live import SEGMENTS, Cursor
from components.events.tombstones import SCHEMA as TOMBSTONE
from components.events.tombstones import Tombstones
from components.files import digest_of, fault
from components.params import Params
from components.serving.state.open import open_state
from components.serving.state.protocol import State, Stored
from components.serving.state.record import Record
from components.workspace import Settings, Workspace

#: Records that are in memory at once (about 1 kB each).
BLOCK = 20_000


@dataclass(frozen=True)
class Collected:
    """What a collection brought.

    Attributes
    ----------
    records : kind → how many were written
    forgotten : tombstones that were found
    erased : records of forgotten users, those that came too late and those that had been collected before
    offset : how far the live state has been collected now
    """

    records: dict[str, int]
    forgotten: int
    erased: int
    offset: int


def collect(root: Path, state: State, block: int = BLOCK) -> Collected:
    """Bring what is new in a live state into the workspace's data; the caller holds the workspace.

    Parameters
    ----------
    root : the workspace
    state : where live records are kept
    block : records in memory at once

    Raises
    ------
    IntegrityError
        The state is not the one that was collected before.
    """
    cursor = live.read_cursor(root)
    _check_same(state, cursor)
    live.clean(root)
    tombstones = Tombstones.read(root)
    written: Counter[str] = Counter()
    forgotten = erased = 0
    while batch := state.after(cursor.offset, block):
        graves = [one for one in batch if one.record.kind == "tombstone"]
        if graves:
            tombstones = tombstones.plus(_reach(root, graves))
            tombstones.write(root)
        for kind in SEGMENTS:
            kept, gone = _write(root, kind, batch, cursor, tombstones)
            written[kind] += kept
            erased += gone
        if graves:
            erased += tombstones.erase_segments(root)
        fault("before-cursor")
        cursor = Cursor(batch[-1].offset, _mark(batch[-1].record))
        live.write_cursor(root, cursor)
        forgotten += len(graves)
    return Collected({kind: written[kind] for kind in SEGMENTS}, forgotten, erased, cursor.offset)


def existing_state(root: Path, params: Params) -> State | None:
    """The live state of a workspace, if it has one; None where nothing was ever taken live. Makes none.

    Raises
    ------
    ServiceError
        CHRONOTOPE_STATE names a server that does not answer.
    """
    address = Settings().state
    if address is None and not Workspace(root).live.is_dir():
        return None
    url = address.get_secret_value() if address is not None else None
    return open_state(root, params.live, url, params.workspace.name)


def is_collected(root: Path, state: State) -> bool:
    """Whether nothing came in since the last time."""
    return state.head() == live.read_cursor(root).offset


def let_go(root: Path, state: State, before_us: int) -> int:
    """Drop what happened before a time from a live state, as far as it was collected.

    Returns
    -------
    int
        Records that were dropped.
    """
    return state.expire(before_us, live.read_cursor(root).offset)


def _write(root: Path, kind: str, batch: Sequence[Stored], cursor: Cursor, tombstones: Tombstones) -> tuple[int, int]:
    """Write a block's records of one kind as a segment; how many, and how many were of forgotten users."""
    last = max((one.last for one in live.segments(root, kind)), default=0)
    begin = max(last, cursor.offset)  # a killed run may have written this kind and not moved the cursor
    rows = _table(kind, [one for one in batch if one.record.kind == kind and one.offset > begin])
    kept = tombstones.kept(rows)
    if kept.height:
        live.write_segment(root, kind, begin + 1, batch[-1].offset, kept)
    return kept.height, rows.height - kept.height


def _table(kind: str, records: Sequence[Stored]) -> pl.DataFrame:
    """(n, …) columns of SEGMENTS[kind]; a payload's other fields are left out."""
    names = list(SEGMENTS[kind])[4:]
    data = {
        "offset": [one.offset for one in records],
        "id": [one.record.id for one in records],
        "user_id": [one.record.user_id for one in records],
        "timestamp": [one.record.time_us for one in records],
    } | {name: [one.record.payload.get(name) for one in records] for name in names}
    schema = {**SEGMENTS[kind], "timestamp": pl.Int64}
    rows = pl.DataFrame(data, schema=schema, strict=False)
    return rows.with_columns(pl.from_epoch("timestamp", "us").dt.replace_time_zone("UTC"))


def _reach(root: Path, graves: Sequence[Stored]) -> pl.DataFrame:
    """(n, 3) rows of tombstones; a user's event that a fast clock dated after the tombstone goes with the others."""
    rows = pl.DataFrame(
        [(one.record.user_id, one.record.time_us, one.offset) for one in graves], schema=dict(TOMBSTONE), orient="row"
    )
    paths = [one.path for one in live.segments(root, "event")]
    if not paths:
        return rows
    before = (
        pl.scan_parquet(paths, glob=False)
        .select("user_id", pl.col("timestamp").dt.epoch("us").alias("event_us"), pl.col("offset").alias("event_offset"))
        .join(rows.lazy(), on="user_id")
        .filter(pl.col("event_offset") < pl.col("offset"))
        .select("user_id", pl.col("event_us").alias("time_us"), "offset")
    )
    return pl.concat([rows, before.collect()])


def _check_same(state: State, cursor: Cursor) -> None:
    """Compare the last record that was collected with what is there now, where it still is."""
    if not cursor.offset:
        return
    head = state.head()
    found = state.after(cursor.offset - 1, 1)
    same = not found or found[0].offset != cursor.offset or _mark(found[0].record) == cursor.mark
    if head < cursor.offset or not same:
        raise IntegrityError(
            f"the live state that was collected up to offset {cursor.offset:,}",
            found=f"another one, which has come to {head:,}",
            do="Bring it back, or set CHRONOTOPE_STATE as it was; else end what uses it, empty it, and start again.",
        )


def _mark(record: Record) -> str:
    return digest_of([record.kind, record.id, record.user_id, record.time_us])
