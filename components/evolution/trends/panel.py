"""Many series on one clock: a matrix that ends at one moment, and what each row counts.

Series that begin later than others are NaN before their first value, and nowhere else. Never here: where counts come
from (`counts`) or what follows them (`methods`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import DataError

Floats = NDArray[np.float64]
Step = Literal["hour", "day", "week"]
#: Cycles that people's behaviour may have at each step, in steps, the shortest first.
SEASONS: dict[Step, tuple[int, ...]] = {"hour": (24, 168), "day": (7,), "week": (1, 52)}


@dataclass(frozen=True, eq=False)
class Panel:
    """N series of up to T steps, aligned at their end.

    Attributes
    ----------
    values : (N, T) float64, NaN before a series begins
    keys : (N, k) what each row counts: one column for each dimension
    seasons : cycle lengths in steps, ascending; the first scales errors (1: none)
    step : length of a step; None where the clock is not known
    start : the beginning of step 0, UTC and aware for hours, by the clock of `zone` and naive for days and weeks
    zone : IANA name of the clock
    """

    values: Floats
    keys: pl.DataFrame
    seasons: tuple[int, ...]
    step: Step | None = None
    start: dt.datetime | None = None
    zone: str = "UTC"

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or not self.values.size:
            raise DataError("series with values", found=f"an array of shape {self.values.shape}", do="Count more days.")
        if self.keys.height != len(self.values):
            raise DataError(
                "one key for each series", found=f"{self.keys.height} keys, {len(self.values)} series", do="Match them."
            )
        missing = np.isnan(self.values)
        later = missing[:, 1:] & ~missing[:, :-1]
        if later.any() or missing[:, -1].any() or np.isinf(self.values).any():
            raise DataError(
                "series without gaps that all reach the last step",
                found=f"{int((later.any(1) | missing[:, -1]).sum())} of {len(self.values)} that do not",
                do="Fill what is missing (no event is a count of 0), or cut the panel where the series end.",
            )
        if not self.seasons or min(self.seasons) < 1 or sorted(set(self.seasons)) != list(self.seasons):
            raise DataError(
                "ascending cycle lengths from 1", found=f"{self.seasons}", do="Give (1,) where none is known."
            )

    @property
    def n(self) -> int:
        """Series."""
        return len(self.values)

    @property
    def steps(self) -> int:
        """T, of the longest series."""
        return self.values.shape[1]

    @property
    def length(self) -> NDArray[np.int64]:
        """(N,) steps of each series."""
        return np.asarray((~np.isnan(self.values)).sum(1), np.int64)

    def rows(self) -> list[Floats]:
        """Each series by itself, without what comes before it: N arrays (T_i,)."""
        return [row[self.steps - length :] for row, length in zip(self.values, self.length.tolist(), strict=True)]

    def until(self, steps_back: int) -> Panel:
        """The panel as it was `steps_back` steps before its end.

        Raises
        ------
        DataError
            A series had not begun.
        """
        if steps_back == 0:
            return self
        if steps_back >= int(self.length.min()):
            raise DataError(
                f"series of more than {steps_back} steps",
                found=f"one of {int(self.length.min())}",
                do="Use fewer origins, a shorter horizon, or leave short series out.",
            )
        return replace(self, values=self.values[:, :-steps_back])

    def after(self, steps_back: int, horizon: int) -> Floats:
        """(N, horizon) what followed the panel of `until(steps_back)`."""
        end = self.steps - steps_back
        if horizon > steps_back:
            raise DataError(f"{horizon} steps after the origin", found=f"{steps_back}", do="Ask an earlier origin.")
        return self.values[:, end : end + horizon]

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Panel:
        """Some of the series."""
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else np.asarray(rows)
        return replace(self, values=self.values[index], keys=self.keys[index])

    def total(self, by: Sequence[str] = ()) -> Panel:
        """Sums over every dimension but those of `by`; one series where that is none of them."""
        if not by:
            keys, row = pl.DataFrame({"total": ["all"]}), np.zeros(self.n, np.int64)
        else:
            keys = self.keys.select(by).unique(maintain_order=True).sort(by)
            order = {key: place for place, key in enumerate(keys.iter_rows())}
            row = np.array([order[key] for key in self.keys.select(by).iter_rows()])
        values = np.zeros((keys.height, self.steps))
        np.add.at(values, row, np.nan_to_num(self.values))
        started = np.zeros(values.shape, bool)
        np.logical_or.at(started, row, ~np.isnan(self.values))
        values[~started] = np.nan
        return replace(self, values=values, keys=keys)


def panel_of(series: Sequence[Sequence[float] | Floats], seasons: tuple[int, ...], names: Sequence[str]) -> Panel:
    """A panel of series that end together, of any lengths; nothing is known of their clock.

    Examples
    --------
    >>> panel_of([[1.0, 2.0, 3.0], [5.0]], (1,), ["a", "b"]).values.tolist()
    [[1.0, 2.0, 3.0], [nan, nan, 5.0]]
    """
    longest = max((len(one) for one in series), default=0)
    values = np.full((len(series), longest), np.nan)
    for row, one in enumerate(series):
        values[row, longest - len(one) :] = one
    return Panel(values, pl.DataFrame({"series": list(names)}), seasons)
