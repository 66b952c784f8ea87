"""Sorts the rows of a snapshot into kept and quarantined, and counts while it does.

One pass over the chunks; a snapshot of one chunk is judged once and remembered. Never here: flags, batches, files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import polars as pl

from components.errors import ConservationError
from components.events.contract import SCHEMA
from components.events.reference import by_day
from components.events.snapshot import Snapshot
from components.events.suite import DAY, REPEATED, broken, row_suite
from components.params import Params


class Sieve:
    """Judges rows by the row expectations.

    Attributes
    ----------
    suite : row expectations in the order of blame
    days : the table of `reference.by_day`
    quarantine : (q, …) columns of the contract and `rule`
    sample : rows for Great Expectations, at most `validation.gx_rows` (those with the smallest keys)
    kept : rows that break nothing
    caught, broken : expectation → rows that it sent to quarantine, rows that break it
    missing : column of `validation.max_null` → kept rows without a value
    """

    def __init__(self, snapshot: Snapshot, params: Params) -> None:
        self.suite = row_suite(params)
        self.caught: Counter[str] = Counter()
        self.broken: Counter[str] = Counter()
        self.missing: Counter[str] = Counter(dict.fromkeys(params.validation.max_null, 0))
        self.kept = 0
        self._snapshot, self._params = snapshot, params
        keys = snapshot.keys
        day = pl.Series(DAY, list(snapshot.files), pl.Date).gather(
            np.repeat(np.arange(len(snapshot.files)), snapshot.sizes)
        )
        twice = pl.DataFrame({"event_key": keys, DAY: day}).filter(keys.is_duplicated() & keys.is_not_null())
        self._first_day = twice.group_by("event_key").agg(pl.col(DAY).min().alias("first_day"))
        self._only: pl.DataFrame | None = None  # the judged rows, when there is just one chunk
        limit = params.validation.gx_rows
        known = keys.drop_nulls().to_numpy()
        self._edge = None if len(keys) <= limit else np.partition(known, limit - 1)[limit - 1]
        self._sift()

    def _sift(self) -> None:
        days, refused, sample = [], [], []
        actions = list(self._params.events.actions)
        for chunk in self._snapshot.chunks():
            rows, counts = self._judge(chunk)
            self.broken.update(counts)
            bad = rows.filter(pl.col("rule").is_not_null())
            days.append(by_day(rows, actions))
            refused.append(bad.select(*SCHEMA, "rule"))
            sample.append(rows if self._edge is None else rows.filter(pl.col("event_key") <= self._edge))
            good = pl.col("rule").is_null()
            self.kept += len(rows) - len(bad)
            self.caught.update(dict(bad["rule"].value_counts().iter_rows()))
            if self.missing:
                empty = rows.select((pl.col(name).is_null() & good).sum() for name in self.missing)
                self.missing.update(empty.row(0, named=True))
            self._only = rows
        if len(days) > 1:
            self._only = None
        self.days, self.quarantine = pl.concat(days), pl.concat(refused)
        self.sample = pl.concat(sample).head(self._params.validation.gx_rows)
        if self.kept + len(self.quarantine) != self._snapshot.rows:
            raise ConservationError(
                f"{self._snapshot.rows:,} rows again after sorting them",
                found=f"{self.kept:,} kept and {len(self.quarantine):,} quarantined",
                do="This is a defect: report it with the snapshot.",
            )

    def judge(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Add REPEATED and `rule`: the first broken expectation of a row, null where it is kept.

        Parameters
        ----------
        rows : (n, …) columns of the contract and DAY, whole days, sorted
        """
        return self._judge(rows)[0]

    def _judge(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
        """The judged rows, and how many of them break each expectation."""
        rows = rows.with_columns(self._repeated(rows).alias(REPEATED))
        masks = rows.select(broken(line) for line in self.suite)
        counts = masks.sum().row(0, named=True)
        bad = masks.select(pl.any_horizontal(pl.all()).alias("bad"))["bad"]
        if not bad.any():
            return rows.with_columns(pl.lit(None, pl.String).alias("rule")), counts
        first = pl.coalesce(pl.when(pl.col(line.name)).then(pl.lit(line.name)) for line in self.suite)
        blamed = masks.filter(bad).select(bad.arg_true().alias("row"), first.alias("rule"))
        everywhere = pl.DataFrame({"row": pl.arange(len(rows), dtype=pl.UInt32, eager=True)})
        return rows.with_columns(everywhere.join(blamed, on="row", how="left", maintain_order="left")["rule"]), counts

    def _repeated(self, rows: pl.DataFrame) -> pl.Series:
        """(n,) whether an earlier row of the snapshot has the row's key, on an earlier day or in its own."""
        if not len(self._first_day):
            return pl.repeat(False, len(rows), eager=True)
        known = rows.select("event_key", DAY).join(self._first_day, on="event_key", how="left", maintain_order="left")
        later = pl.col(DAY) > pl.col("first_day")
        in_day = pl.col("first_day").is_not_null() & ~pl.struct("event_key", DAY).is_first_distinct()
        return known.select((later | in_day).fill_null(False).alias("again"))["again"]

    def kept_chunks(self) -> Iterator[pl.DataFrame]:
        """Kept rows chunk by chunk, oldest first, in the columns of the contract."""
        judged = [self._only] if self._only is not None else map(self.judge, self._snapshot.chunks())
        for rows in judged:
            yield rows.filter(pl.col("rule").is_null()).select(*SCHEMA)
