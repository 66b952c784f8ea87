"""Taking a source into the workspace: conform, drop duplicates, append to day files, quarantine, catalogue.

A kill at any moment leaves whole day files, and the next run ends in the same bytes; a day without news is not
rewritten. Every row is accounted for. Never here: judging a batch as a whole (`validation`), DVC, schedules.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from components.errors import ConservationError, DataError
from components.events.catalogue import conform_items, conform_users, write_table
from components.events.contract import ITEM_SCHEMA
from components.events.conveyor import conformed
from components.events.days import day_files
from components.events.ledger import Entry, Ledger, attributes_key
from components.events.live import read_cursor
from components.events.merge import Window, merge_days
from components.events.parts import Part, every_part
from components.events.quarantine import Quarantine
from components.events.sources import Format, format_of
from components.events.spill import BUFFER_ROWS, Spill
from components.events.times import from_text
from components.events.tombstones import Tombstones
from components.events.units import UnitWatch
from components.params import Params
from components.workspace import Workspace

_FUTURE_RULE = "timestamp_in_future"


@dataclass(frozen=True)
class IngestReport:
    """What became of the rows of one ingest: rows_in = kept + quarantined + duplicates + left_out + erased.

    Attributes
    ----------
    rows_in : rows that the source gave, or is known to give where nothing changed
    kept : events that are in the log now and were not before (replaced days: all of theirs)
    quarantined : rows that broke a rule, of which `newly_quarantined` distinct records were unknown
    duplicates : rows whose event the log had, or that the source gave twice
    left_out : sound rows outside the days that were asked for
    erased : rows of users who were forgotten, from before they were
    purged : events of such users that the log had, and has no more
    days_written : day files that changed or went, but for what was purged
    parts_read, parts_skipped : files (or other parts of the source) that were read, or known unchanged
    live_offset : up to which place of the live log the log holds all that came in live; 0 where nothing was collected
    until : the cut that it was held to; None: none
    """

    rows_in: int
    kept: int
    quarantined: int
    newly_quarantined: int
    duplicates: int
    left_out: int
    erased: int
    purged: int
    days_written: int
    parts_read: int
    parts_skipped: int
    live_offset: int
    until: dt.date | None


def ingest(
    root: Path,
    params: Params,
    until: dt.date | None = None,
    now: dt.datetime | None = None,
    replace: tuple[dt.date, dt.date] | None = None,
    buffer_rows: int = BUFFER_ROWS,
) -> IngestReport:
    """Take what is new from the source; the caller holds the workspace.

    Parameters
    ----------
    root : Path
        The workspace.
    params : Params
        Source and rules.
    until : date, optional
        Take events before this day (UTC); else `params.events.until`, else all.
    now : datetime, optional
        Aware; rows later than this plus the tolerance are refused. Else the clock.
    replace : (date, date), optional
        Take these days, both included, anew: what they hold now goes.
    buffer_rows : int
        Rows in memory before they are spilled to the disk.

    Returns
    -------
    IngestReport

    Raises
    ------
    DataError, SchemaError, ConfigError
        The source cannot be read, or most of it came in another unit.
    ConservationError
        A row is unaccounted for.
    """
    params = _cut(params, until)
    source, workspace = format_of(params), Workspace(root)
    _clean(workspace)
    ledger, now = Ledger(root), now or dt.datetime.now(dt.UTC)
    collected, tombstones = read_cursor(root), Tombstones.read(root)
    purged = 0 if ledger.has_erased(tombstones.digest) else tombstones.erase_log(root)
    job = _Job(params, now, Window(params.events.until, replace), workspace, tombstones, buffer_rows)
    parts = every_part(params, root, tombstones.digest)
    for part in parts:
        known = ledger.find(part.key, params.events.until, now) if replace is None else None
        if known is None:
            job.read(part, lambda entry, key=part.key: ledger.put(key, entry))  # type: ignore[misc]
        else:
            job.skip(known)
    report = job.finish(purged, collected.offset)
    attributes = attributes_key(params, root, [part.key for part in parts])
    if not ledger.has_attributes(attributes) or report.parts_read:
        _take_attributes(source, params, root, tombstones)
    if report.parts_read or not (ledger.has_attributes(attributes) and ledger.has_erased(tombstones.digest)):
        ledger.write(attributes, tombstones.digest)
    return report


def is_up_to_date(root: Path, params: Params, until: dt.date | None = None) -> bool:
    """Whether an ingest would find nothing new, without reading the source's rows."""
    params = _cut(params, until)
    ledger, tombstones = Ledger(root), Tombstones.read(root)
    keys = [part.key for part in every_part(params, root, tombstones.digest)]
    now = dt.datetime.now(dt.UTC)
    known = all(ledger.find(key, params.events.until, now) is not None for key in keys)
    erased = ledger.has_erased(tombstones.digest)
    return known and erased and ledger.has_attributes(attributes_key(params, root, keys))


def _cut(params: Params, until: dt.date | None) -> Params:
    """Params with another `events.until`."""
    if until is None:
        return params
    return params.model_copy(update={"events": params.events.model_copy(update={"until": until})})


def _clean(workspace: Workspace) -> None:
    """Remove the half-written files of a run that was killed."""
    for folder in (workspace.events, workspace.catalogue, workspace.quarantine):
        for path in folder.glob(".*.parquet.*"):
            path.unlink()


class _Job:
    """One ingest under way."""

    def __init__(
        self,
        params: Params,
        now: dt.datetime,
        window: Window,
        workspace: Workspace,
        tombstones: Tombstones,
        buffer_rows: int,
    ) -> None:
        self._params, self._now, self._window, self._workspace = params, now, window, workspace
        self._tombstones = tombstones
        cross_day = "timestamp" not in params.events.identity
        self._spill = Spill(workspace.state / "ingest", cross_day, buffer_rows)
        self._quarantine = Quarantine(workspace.quarantine)
        self._watch = UnitWatch(params.events, now)
        self._notes: list[Callable[[], None]] = []
        self._rows = self._left_out = self._erased = self._read = 0
        self._known: list[Entry] = []

    def skip(self, entry: Entry) -> None:
        """Count a part that is known."""
        self._known.append(entry)

    def read(self, part: Part, note: Callable[[Entry], None]) -> None:
        """Read one part; `note` is told once everything is on the disk."""
        rows = quarantined = left_out = erased = 0
        future_s: list[float] = []
        for chunk, sound, refused in conformed(part.read(), part.params.events, self._now):
            kept, rejected = self._tombstones.kept(sound), self._tombstones.rejected(refused)
            rows += chunk.height
            quarantined += rejected.height
            erased += chunk.height - kept.height - rejected.height
            if (rejected["rule"] == _FUTURE_RULE).any():
                future_s.append(self._sound_from_s(chunk))
            self._watch.add(chunk, not rejected.is_empty())
            self._quarantine.add(rejected)
            inside = self._window.of(kept)
            left_out += kept.height - inside.height
            self._spill.add(inside)
        self._rows += rows
        self._left_out += left_out
        self._erased += erased
        self._read += 1
        cut = self._params.events.until
        cut_text = cut.isoformat() if cut else None
        entry = Entry(rows, quarantined, left_out, erased, cut_text, min(future_s, default=None))
        if self._window.replace is None:
            self._notes.append(lambda: note(entry))

    def _sound_from_s(self, chunk: pl.DataFrame) -> float:
        """When the first of the chunk's future rows ceases to be refused, in seconds since 1970."""
        moments = chunk["timestamp"]
        if moments.dtype == pl.String:
            moments = from_text(moments)
        seconds = moments.dt.epoch("ms").cast(pl.Float64) / 1e3 - self._params.events.future_tolerance_s
        return float(seconds.filter(seconds > self._now.timestamp()).min())  # type: ignore[arg-type]

    def finish(self, purged: int, live_offset: int) -> IngestReport:
        """Write everything, and account for every row."""
        self._watch.check()
        merged = merge_days(self._workspace.events, self._spill, self._window)
        new = self._quarantine.write()
        self._spill.clear()
        for note in self._notes:
            note()
        quarantined, left_out, erased = self._quarantine.rows, self._left_out, self._erased
        _conserve(self._rows, merged.kept, quarantined, merged.duplicates, left_out, erased)
        known = self._known
        return IngestReport(
            rows_in=self._rows + sum(entry.rows for entry in known),
            kept=merged.kept,
            quarantined=quarantined + sum(entry.quarantined for entry in known),
            newly_quarantined=new,
            duplicates=merged.duplicates + sum(entry.duplicates for entry in known),
            left_out=left_out + sum(entry.left_out for entry in known),
            erased=erased + sum(entry.erased for entry in known),
            purged=purged,
            days_written=merged.days_written,
            parts_read=self._read,
            parts_skipped=len(known),
            live_offset=live_offset,
            until=self._params.events.until,
        )


def _conserve(rows: int, kept: int, quarantined: int, duplicates: int, left_out: int, erased: int) -> None:
    if rows != kept + quarantined + duplicates + left_out + erased:
        raise ConservationError(
            f"{rows:,} rows accounted for",
            found=f"{kept:,} kept + {quarantined:,} quarantined + {duplicates:,} duplicates + {left_out:,} left out "
            f"+ {erased:,} erased",
            do="Another program may have changed data/events meanwhile: run the ingest again; if it stays, report it.",
        )


def _take_attributes(source: Format, params: Params, root: Path, tombstones: Tombstones) -> None:
    """Bring items and users into the catalogue; both files are always there, if only with their columns."""
    folder = Workspace(root).catalogue
    items, users = source.items(params, root), source.users(params, root)
    empty_items = pl.DataFrame(schema=dict(ITEM_SCHEMA))
    empty_users = pl.DataFrame(schema={"user_id": pl.String})
    write_table(folder / "items.parquet", empty_items if items is None else conform_items(items), "item_id")
    known = empty_users if users is None else tombstones.unknown(conform_users(users))
    write_table(folder / "users.parquet", known, "user_id")


def require_days(root: Path) -> list[dt.date]:
    """The days of the log, oldest first.

    Raises
    ------
    DataError
        There is none.
    """
    days = list(day_files(Workspace(root).events))
    if not days:
        raise DataError("a log", found=f"no day in {Workspace(root).events}", do="Run `chronotope ingest`.")
    return days
