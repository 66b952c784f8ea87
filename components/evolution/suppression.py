"""Numbers about a handful of people are blanked, and others with them where a total would betray those.

Never here: what is counted, or how few are too few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray


def suppress(
    table: pl.DataFrame, users: str, numbers: Sequence[str], least: int, within: Sequence[str]
) -> pl.DataFrame:
    """Blank the numbers of rows about fewer than `least` users, and of others where a total would betray them.

    Parameters
    ----------
    table : any
    users : column of how many users a row is about; 0 is no one's secret
    numbers : columns that become null along with it
    least : ≥ 1; 1 blanks nothing
    within : columns whose equal values make a group with a known total; where a row of it is blanked, the next
        smallest are too until those blanked are about `least` users or more, and last of all the zeros

    Returns
    -------
    pl.DataFrame
        With a column `suppressed`.

    References
    ----------
    Hundepool et al. (2012), Statistical Disclosure Control, chapter 4 (primary and secondary suppression).
    """
    small = (pl.col(users) > 0) & (pl.col(users) < least)
    marked = table.with_columns(suppressed=small)
    if within:
        smaller = pl.col(users).cum_sum().over(within) - pl.col(users)
        ordered = marked.with_row_index("_row").sort(pl.col(users) == 0, users, maintain_order=True)
        betrayed = pl.col("suppressed").any().over(within) & (smaller < least)
        marked = ordered.with_columns(suppressed=pl.col("suppressed") | betrayed).sort("_row").drop("_row")
    return marked.with_columns(pl.when(~pl.col("suppressed")).then(pl.col(name)) for name in (users, *numbers))


@dataclass(frozen=True)
class Line:
    """Cells of which a reader knows that they sum to another one.

    Attributes
    ----------
    parts : (m,) cells
    whole : the cell they sum to; None: the sum is told elsewhere
    unseen : whether a part is in no table, which hides something by itself
    """

    parts: NDArray[np.int64]
    whole: int | None = None
    unseen: bool = False


def linked(users: NDArray[np.int64], lines: Sequence[Line], least: int) -> NDArray[np.bool_]:
    """(C,) which cells of tables that share sums to hide, so that no line betrays one of a few users.

    Parameters
    ----------
    users : (C,) how many users a cell is about; 0 is no one's secret
    lines : whatever sums to something that is told
    least : ≥ 1; 1 hides nothing

    Notes
    -----
    A line that hides anything hides two cells at least and, where its sum is told, one of enough users, the smallest
    there is: the users of two cells may be the same, so that they do not add up. That one may betray itself in another
    line, hence until nothing changes. Lines are looked at one by one, not all that follows from them together.
    """
    hidden = (users > 0) & (users < least)
    owner = np.repeat(np.arange(len(lines)), [len(line.parts) + (line.whole is not None) for line in lines])
    cells = [np.append(line.parts, [] if line.whole is None else line.whole) for line in lines]
    cell = np.concatenate([*cells, np.zeros(0)]).astype(np.int64)
    by_cell = np.argsort(cell, kind="stable")
    bounds = np.searchsorted(cell[by_cell], np.arange(len(users) + 1))
    touched = {*owner[hidden[cell]].tolist(), *(number for number, line in enumerate(lines) if line.unseen)}
    while touched:
        line = lines[touched.pop()]
        while (more := _betrayed(line, users, hidden, least)) is not None:
            hidden[more] = True
            touched |= set(owner[by_cell[bounds[more] : bounds[more + 1]]].tolist())
    return hidden


def _betrayed(line: Line, users: NDArray[np.int64], hidden: NDArray[np.bool_], least: int) -> int | None:
    """The next cell of a line to hide; None where it betrays nothing."""
    covered = hidden[line.parts]
    no_sum = line.whole is not None and bool(hidden[line.whole])
    count = int(covered.sum()) + no_sum + line.unseen
    if not count or (count >= 2 and (no_sum or users[line.parts[covered]].max(initial=0) >= least)):
        return None
    told = line.parts[~covered]
    some = told[users[told] > 0]
    if len(some):
        return int(some[users[some].argmin()])
    if count >= 2:
        return None  # everybody of the line is hidden
    if len(told):
        return int(told[0])
    return None if no_sum else line.whole
