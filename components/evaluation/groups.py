"""Groups of users by what is known of them: attributes of the catalogue that a model must treat alike.

Never here: which attributes count (`evaluation.groups` of the params says so), and any metric.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import ConfigError

#: The value of a user of whom the catalogue does not tell.
NOT_TOLD = "not told"


def user_groups(table: Path, names: Sequence[str], users: NDArray[np.object_]) -> dict[str, NDArray[np.object_]]:
    """The value of each attribute for each user.

    Parameters
    ----------
    table : users.parquet of the catalogue, one row a user
    names : attributes
    users : (U,) ids, as in the store

    Returns
    -------
    dict
        attribute → (U,) values as text

    Raises
    ------
    ConfigError
        The catalogue has no such attribute.
    """
    if not names:
        return {}
    known = pl.read_parquet(table) if table.is_file() else pl.DataFrame(schema={"user_id": pl.String})
    missing = [name for name in names if name not in known.columns or name == "user_id"]
    if missing:
        raise ConfigError(
            "attributes of users at `evaluation.groups`",
            found=f"no {missing[0]!r} among {', '.join(known.columns[1:]) or 'none'} of {table}",
            do="Mend the list, or bring the attribute with `events.source.users` and ingest again.",
        )
    rows = pl.DataFrame({"user_id": pl.Series(users.tolist(), dtype=pl.String)}).join(
        known.select("user_id", *names), on="user_id", how="left", maintain_order="left"
    )
    return {name: rows[name].cast(pl.String).fill_null(NOT_TOLD).to_numpy().astype(object) for name in names}
