"""Rows that ingest refused, by the rule that caught them: one file per rule, each record once.

Never here: why a rule is a rule (`rules`), or batches that were refused as a whole (`validation`).
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from components.events.contract import REJECTED_SCHEMA
from components.files import write_with

_COMPACT_ROWS = 500_000


class Quarantine:
    """Collects rejected rows and keeps them beside those of earlier ingests.

    Parameters
    ----------
    folder : Path
        Of the quarantine.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: list[pl.DataFrame] = []
        self.rows = 0

    def add(self, rejected: pl.DataFrame) -> None:
        """Take (r, 2) rows of REJECTED_SCHEMA."""
        if rejected.is_empty():
            return
        self.rows += rejected.height
        self._parts.append(rejected)
        if sum(part.height for part in self._parts) > _COMPACT_ROWS:
            self._parts = [pl.concat(self._parts).unique()]

    def write(self) -> int:
        """Write what is new.

        Returns
        -------
        int
            Records that were not in quarantine before.
        """
        new = 0
        for (rule,), part in pl.concat(self._parts).unique().group_by("rule") if self._parts else ():
            path = self._folder / f"{rule}.parquet"
            old = pl.read_parquet(path, glob=False) if path.exists() else pl.DataFrame(schema=dict(REJECTED_SCHEMA))
            fresh = part.join(old, on="record", how="anti")
            if fresh.is_empty():
                continue
            new += fresh.height
            whole = pl.concat([old, fresh]).sort("record").rechunk()
            write_with(path, whole.write_parquet)
        return new
