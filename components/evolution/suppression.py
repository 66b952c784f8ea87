"""Numbers about a handful of people are blanked, and others with them where a total would betray those.

Never here: what is counted, or how few are too few.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


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
