"""Forgotten users: who is to be erased up to when, and the erasing of their rows from files.

`data/live/tombstones.parquet` has one row for each of them: `user_id`, `time_us` (events up to then go, UTC
microseconds) and `offset` (of the tombstone in the live log: records before it go too). It is all that stays of them,
so that a source that still has their rows cannot bring them back. Never here: who may forget whom.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from components.events import live
from components.events.days import day_files, read_day, write_day
from components.events.times import from_text
from components.files import digest_of
from components.workspace import Workspace

SCHEMA: Mapping[str, Any] = {"user_id": pl.String, "time_us": pl.Int64, "offset": pl.Int64}


class Tombstones:
    """Who is forgotten.

    Parameters
    ----------
    rows : (n, 3) of SCHEMA; of several of one user the latest time and offset count
    """

    def __init__(self, rows: pl.DataFrame) -> None:
        self._rows = rows.group_by("user_id").agg(pl.col("time_us").max(), pl.col("offset").max()).sort("user_id")
        self._users = frozenset(self._rows["user_id"].to_list())

    @classmethod
    def read(cls, root: Path) -> Tombstones:
        """Those of a workspace; none where nobody was forgotten."""
        path = _path(root)
        return cls(live.read_segment(path) if path.exists() else pl.DataFrame(schema=dict(SCHEMA)))

    @property
    def digest(self) -> str:
        """Of all of them; empty when there are none."""
        return digest_of(self._rows.rows()) if self._users else ""

    @property
    def offsets(self) -> dict[str, int]:
        """User → offset of the newest tombstone."""
        return dict(self._rows.select("user_id", "offset").iter_rows())

    def plus(self, rows: pl.DataFrame) -> Tombstones:
        """These and more: (n, 3) rows of SCHEMA."""
        return Tombstones(pl.concat([self._rows, rows.select(list(SCHEMA))]))

    def write(self, root: Path) -> None:
        """Keep them."""
        live.put(_path(root), self._rows)

    def kept(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows that stay.

        Parameters
        ----------
        rows : (n, …) with `user_id` and `timestamp`, and `offset` where they have a place in the live log
        """
        if not self._users or rows.is_empty():
            return rows
        suspect = rows["user_id"].is_in(self._users)
        if not suspect.any():
            return rows
        erased = rows.select("user_id").join(self._rows, on="user_id", how="left", maintain_order="left")
        gone = rows["timestamp"].dt.epoch("us") <= erased["time_us"]
        if "offset" in rows.columns:
            gone |= rows["offset"] < erased["offset"]
        return rows.filter(~gone.fill_null(False))

    def rejected(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The refused rows (n, 2; `contract.REJECTED_SCHEMA`) that stay; one whose time cannot be read goes."""
        if not self._users or rows.is_empty():
            return rows
        named = [_named(record) for record in rows["record"]]
        told = pl.DataFrame(named, schema={"user_id": pl.String, "text": pl.String}, orient="row")
        moments = from_text(told["text"].str.replace(r" ?UTC$", "Z")).dt.epoch("us")
        erased = told.select("user_id").join(self._rows, on="user_id", how="left", maintain_order="left")
        gone = erased["time_us"].is_not_null() & (moments.is_null() | (moments <= erased["time_us"]))
        return rows.filter(~gone.fill_null(False))

    def unknown(self, users: pl.DataFrame) -> pl.DataFrame:
        """The users (n, …, with `user_id`) that are not forgotten."""
        return users.filter(~pl.col("user_id").is_in(self._users)) if self._users else users

    def erase_log(self, root: Path) -> int:
        """Erase them from day files, quarantine and the table of users; events that went from the day files."""
        if not self._users:
            return 0
        workspace = Workspace(root)
        gone = sum(self._erase_day(path) for path in day_files(workspace.events).values())
        for path in sorted(workspace.quarantine.glob("[!.]*.parquet")):
            refused = live.read_segment(path)
            left = self.rejected(refused)
            if left.height < refused.height:
                live.put(path, left)
        path = workspace.catalogue / "users.parquet"
        if path.exists():
            users = live.read_segment(path)
            if (left := self.unknown(users)).height < users.height:
                live.put(path, left)
        return gone

    def _erase_day(self, path: Path) -> int:
        users = pl.read_parquet(path, columns=["user_id"], glob=False)["user_id"]
        if not users.is_in(self._users).any():
            return 0
        events = read_day(path)
        left = self.kept(events)
        if left.is_empty():
            path.unlink()
        elif left.height < events.height:
            write_day(path, left)
        return events.height - left.height

    def erase_segments(self, root: Path) -> int:
        """Erase them from what was collected; how many records of all kinds went."""
        gone = 0
        for segment in live.every_segment(root):
            rows = live.read_segment(segment.path)
            left = self.kept(rows)
            if left.height < rows.height:
                live.put(segment.path, left)  # an empty one too: its name tells what was collected
                gone += rows.height - left.height
        return gone


def _path(root: Path) -> Path:
    return Workspace(root).live_log / "tombstones.parquet"


def _named(record: str) -> tuple[str | None, str | None]:
    """User and time of a refused row; a user id that was read as a number loses its `.0`, as in the contract."""
    found = orjson.loads(record)
    user, moment = found.get("user_id"), found.get("timestamp")
    return (user.removesuffix(".0") if user else None), moment
