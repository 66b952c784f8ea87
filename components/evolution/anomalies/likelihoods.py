"""How likely a model found what each user did: of all events, of the least likely, before and after a day.

Never here: the model. Its log-likelihoods come as a table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import SchemaError
from components.events.times import from_text
from components.evolution.log import Log

Floats = NDArray[np.float64]
_LEAST_TENTH = 0.1


@dataclass(frozen=True, eq=False)
class Likelihoods:
    """Attributes
    ----------
    mean, least : (U,) mean log-likelihood of a user's events, nats, and of the least likely tenth; NaN: not told
    user, day, of_day : (n,) by user and day (UTC, since 1970): mean of the events of that day; empty without times
    """

    mean: Floats
    least: Floats
    user: NDArray[np.int64]
    day: NDArray[np.int64]
    of_day: Floats

    def fallen(self, user: NDArray[np.int64], since: NDArray[np.int64]) -> Floats:
        """(V,) mean of the days before `since` less that of the days from it on; NaN where either is missing.

        Parameters
        ----------
        user : (V,) rows
        since : (V,) days since 1970; -1 = none
        """
        place = np.full(len(self.mean), -1, np.int64)
        place[user] = np.arange(len(user))
        row = place[self.user]
        known = row >= 0
        row, late = row[known], self.day[known] >= since[row[known]]
        means = []
        for part in (~late, late):
            days = np.bincount(row[part], minlength=len(user))
            total = np.bincount(row[part], self.of_day[known][part], len(user))
            means.append(np.where(days > 0, total / np.maximum(days, 1), np.nan))
        return np.where(since >= 0, means[0] - means[1], np.nan)


def likelihoods(table: pl.DataFrame, log: Log) -> Likelihoods:
    """What a table of log-likelihoods says of each user.

    Parameters
    ----------
    table : user_id and log_likelihood (nats), a row for each event that some model was asked about; timestamp (UTC;
        moments, or ISO 8601 as a CSV has them), where it is told

    Raises
    ------
    SchemaError
        A column is missing, or there are times that are none.
    """
    missing = {"user_id", "log_likelihood"} - set(table.columns)
    if missing:
        found = f"none named {', '.join(sorted(missing))}"
        raise SchemaError("columns user_id and log_likelihood", found=found, do="Correct the file.")
    value = pl.col("log_likelihood").cast(pl.Float64)
    least = value.sort().head((pl.len() * _LEAST_TENTH).ceil().cast(pl.Int64)).mean().alias("least")
    users = pl.DataFrame({"user_id": [str(one) for one in log.users]}).with_row_index("row")
    rows = table.drop_nulls(["user_id", "log_likelihood"]).join(users, on="user_id")
    told = rows.group_by("row").agg(value.mean().alias("mean"), least)
    joined = users.join(told, on="row", how="left", maintain_order="left")
    mean, few = joined.select("mean", "least").cast(pl.Float64).fill_null(np.nan).to_numpy().T
    if "timestamp" not in rows.columns:
        return Likelihoods(mean, few, np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    dated = rows.with_columns(_moments(rows["timestamp"]).cast(pl.Date).cast(pl.Int64).alias("day")).drop_nulls("day")
    days = dated.group_by("row", "day").agg(value.mean().alias("of_day")).sort("row", "day")
    return Likelihoods(mean, few, *(days[name].to_numpy() for name in ("row", "day", "of_day")))


def _moments(told: pl.Series) -> pl.Series:
    """Times as such: a CSV has them as text, in UTC where it names no zone."""
    moments = from_text(told) if told.dtype == pl.String else told
    wrong = told.filter(moments.is_null() & told.is_not_null()) if moments.dtype.is_temporal() else told.drop_nulls()
    if len(wrong):
        raise SchemaError("times in column timestamp", found=f"{wrong[0]}", do="Write them as ISO 8601, in UTC.")
    return moments
