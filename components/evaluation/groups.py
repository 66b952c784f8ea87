"""Groups of users and of items that a model must treat alike, by what is known before a question is answered.

A group is named in `evaluation.groups` of the params: an attribute of the users' table by its own name; `user.activity`
and `user.region`, which the log tells; `item.popularity`; and `item.<attribute>` of the items' table, by the item that
was chosen. Never here: any metric.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import ConfigError
from components.evaluation.popularity import tiers
from components.features.encoding import UNKNOWN
from components.features.place import cell_centre
from components.features.store import WINDOWS, Store

#: The value of a user, or of an item, of which nothing is told.
NOT_TOLD = "not told"
TIERS = ("head third", "middle third", "tail third")
ACTIVITY = ("least active third", "middle third", "most active third")
#: Regions that are told apart, those of most users; the others are one.
_REGIONS, _ELSEWHERE = 8, "elsewhere"
Values = NDArray[np.object_]


@dataclass(frozen=True)
class Groups:
    """Whose values are judged apart.

    Attributes
    ----------
    users : dimension ("user age") → (U,) value of each user of the store, as text
    items : dimension ("item category") → (V,) value of each item code, as text
    """

    users: Mapping[str, Values] = field(default_factory=dict)
    items: Mapping[str, Values] = field(default_factory=dict)


def groups_of(catalogue: Path, names: Sequence[str], store: Store) -> Groups:
    """The declared groups of a log.

    Parameters
    ----------
    catalogue : folder of items.parquet and users.parquet
    names : `evaluation.groups`
    store : the log

    Returns
    -------
    Groups

    Raises
    ------
    ConfigError
        A table has no such attribute, or the log has no ground for a group (a region without places).
    """
    told = [name for name in names if not name.startswith(("user.", "item."))]
    users = {f"user {name}": value for name, value in _attributes(catalogue / "users.parquet", told, "user", store)}
    items: dict[str, Values] = {}
    for name in names:
        kind, _, what = name.partition(".")
        if name == "user.activity":
            users["user activity"] = activity(store)
        elif name == "user.region":
            users["user region"] = regions(store)
        elif name == "item.popularity":
            items["item popularity"] = popularity(store)
        elif kind == "item" and what:
            items |= {f"item {k}": v for k, v in _attributes(catalogue / "items.parquet", [what], "item", store)}
        elif kind == "user" and what:
            raise ConfigError(
                "user.activity or user.region at `evaluation.groups`",
                found=f"{name!r}",
                do=f"Write `{what}` for an attribute of the users' table.",
            )
    return Groups(users, items)


def activity(store: Store) -> Values:
    """(U,) thirds of the users by their training events; those without any are told so."""
    user = store.user[np.asarray(store["window"]) == WINDOWS["train"]]
    count = np.bincount(user, minlength=store.n_users)
    known = np.flatnonzero(count)
    value = np.full(store.n_users, "new since training", dtype=object)
    order = known[np.argsort(count[known], kind="stable")]
    third = np.minimum(np.arange(len(order)) * 3 // max(len(order), 1), 2)
    edges = [int(count[order[third == one]].max()) if (third == one).any() else 0 for one in range(2)]
    place = np.searchsorted(edges, count[known])  # equally active users are in one group
    value[known] = np.array(ACTIVITY, dtype=object)[place]
    return value


def regions(store: Store) -> Values:
    """(U,) the coarse cell in which most of each user's training events lie, named by its middle."""
    if not store.cells:
        raise ConfigError(
            "places in a log whose users are grouped by region", found="none", do="Leave out user.region."
        )
    coarse = store.cells[0]
    words = store.encoding.vocabularies[coarse].ids
    row = np.flatnonzero((np.asarray(store["window"]) == WINDOWS["train"]) & (np.asarray(store[coarse]) > UNKNOWN))
    pair, count = np.unique(store.user[row] * np.int64(len(words)) + np.asarray(store[coarse])[row], return_counts=True)
    order = np.lexsort((pair, -count, pair // len(words)))
    user, first = np.unique(pair[order] // len(words), return_index=True)
    home = np.zeros(store.n_users, np.int64)
    home[user] = pair[order][first] % len(words)
    dwellers = np.bincount(home, minlength=len(words))
    dwellers[: UNKNOWN + 1] = 0
    large = [int(code) for code in np.argsort(-dwellers, kind="stable")[:_REGIONS] if dwellers[code]]
    value = np.full(store.n_users, NOT_TOLD, dtype=object)
    value[home > UNKNOWN] = _ELSEWHERE
    for code in large:
        value[home == code] = _region_name(str(words[code]))
    return value


def _region_name(cell: str) -> str:
    centre = cell_centre(cell)
    return cell if centre is None else f"around {centre[0]:.2f}, {centre[1]:.2f}"


def popularity(store: Store) -> Values:
    """(V,) thirds of the training events, by the popularity of the items that carry them."""
    tier = tiers(store)
    value = np.full(len(tier), "not in training", dtype=object)
    for code, name in enumerate(TIERS):
        value[tier == code] = name
    return value


def _attributes(table: Path, names: Sequence[str], kind: str, store: Store) -> list[tuple[str, Values]]:
    """Attributes of users or items of the store, as text."""
    if not names:
        return []
    key = f"{kind}_id"
    known = pl.read_parquet(table) if table.is_file() else pl.DataFrame(schema={key: pl.String})
    missing = [name for name in names if name not in known.columns or name == key]
    if missing:
        raise ConfigError(
            f"attributes of {kind}s at `evaluation.groups`",
            found=f"no {missing[0]!r} among {', '.join(known.columns[1:]) or 'none'} of {table}",
            do=f"Mend the list, or bring the attribute with the source's table of {kind}s and ingest again.",
        )
    ids = store.users if kind == "user" else store.encoding.vocabularies["item"].ids
    rows = pl.DataFrame({key: pl.Series(ids.tolist(), dtype=pl.String)}).join(
        known.select(key, *names).unique(key, keep="first"), on=key, how="left", maintain_order="left"
    )
    return [(name, rows[name].cast(pl.String).fill_null(NOT_TOLD).to_numpy().astype(object)) for name in names]
