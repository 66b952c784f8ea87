"""Events as occasions: the local days (or weeks, hours) on which a user did anything, and what they spent then.

Life-cycle models count occasions, not events: ten clicks of one visit are one sign of life. Time is counted in whole
units, so "before unit m" is exact and nothing of unit m itself is ever known at m.

Never here: what an occasion means for the user's state (`states`) or future (`bg_nbd`, `pareto_nbd`, `churn`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import DataError, SchemaError
from components.features.store import Store
from components.features.time import DAY_S, NO_OFFSET, utc_offset

_NEEDED = ("user_id", "timestamp")


@dataclass(frozen=True)
class Occasions:
    """N occasions of U users, sorted by (user, unit); no user has two in one unit, and each has at least one.

    Attributes
    ----------
    users : (U,) object array of str
    offsets : (U+1,) int64; user u owns the rows offsets[u]:offsets[u+1]
    unit : (N,) int64 whole units of local time since 1970
    value : (N,) float64 sum of the values of the occasion's events; NaN where none has one
    unit_s : seconds of a unit
    """

    users: NDArray[np.object_]
    offsets: NDArray[np.int64]
    unit: NDArray[np.int64]
    value: NDArray[np.float64]
    unit_s: int

    @property
    def n_users(self) -> int:
        return len(self.users)

    @cached_property
    def user(self) -> NDArray[np.int64]:
        """(N,) row of the user of each occasion."""
        return np.repeat(np.arange(self.n_users), np.diff(self.offsets))

    @cached_property
    def gap(self) -> NDArray[np.int64]:
        """(N,) units since the user's previous occasion; 0 for the first."""
        gap = np.diff(self.unit, prepend=self.unit[:1])
        gap[self.offsets[:-1]] = 0
        return gap

    @property
    def end(self) -> int:
        """The first unit that nothing is known of, were the log to end with its last event."""
        return int(self.unit.max()) + 1

    @property
    def valued(self) -> bool:
        """Whether any occasion has a value."""
        return bool(np.isfinite(self.value).any())

    def count_before(self, moments: NDArray[np.int64]) -> NDArray[np.int64]:
        """(U, M) occasions of each user before each of M units."""
        low = int(min(self.unit.min(), moments.min(initial=self.unit.min())))
        width = int(max(self.unit.max(), moments.max(initial=low))) - low + 1
        asked = np.arange(self.n_users)[:, None] * width + (moments - low)[None, :]
        found = np.searchsorted(self.user * width + (self.unit - low), asked.ravel()).reshape(asked.shape)
        return found - self.offsets[:-1, None]

    def before(self, moment: int) -> Occasions:
        """What is known at a unit: the occasions before it, and the users who have any.

        Raises
        ------
        DataError
            Nobody has.
        """
        keep = self.unit < moment
        if not keep.any():
            raise DataError(
                f"occasions before unit {moment}",
                found=f"the first in unit {self.unit.min()}",
                do="Choose a later moment.",
            )
        count = np.bincount(self.user[keep], minlength=self.n_users)
        return replace(
            self,
            users=self.users[count > 0],
            offsets=np.concatenate([[0], np.cumsum(count[count > 0])]),
            unit=self.unit[keep],
            value=self.value[keep],
        )


def occasions_of(
    log: Store | pl.DataFrame, unit_s: int = DAY_S, actions: Sequence[str] | None = None, zone: str = "UTC"
) -> Occasions:
    """Occasions of a packed store, or of a frame of the event contract.

    Parameters
    ----------
    log : Store or pl.DataFrame
        A frame needs `user_id` and `timestamp` (UTC), may have `utc_offset_min`, `action` and `value`, in any order.
        The value of a store is scaled back from its numbers, as far as float32 tells.
    unit_s : int
        Seconds of a unit, e.g. 86,400: occasions are days on the user's own clock.
    actions : names of the actions that count; None: all
    zone : IANA time zone of a frame's events without an offset; in a store every event has one

    Returns
    -------
    Occasions

    Raises
    ------
    SchemaError
        A column is missing, or of another type.
    DataError
        No event is left, or an action is unknown.
    """
    rows = _store_rows(log, actions) if isinstance(log, Store) else _frame_rows(log, actions, zone)
    if not rows.height:
        what = "events" if actions is None else f"events of {', '.join(actions)}"
        raise DataError(what, found="none in the log", do="Check the log, and the actions that count as activity.")
    local = pl.col("time_s") + 60 * pl.col("offset_min").cast(pl.Int64)
    value = pl.when(pl.col("value").is_finite()).then(pl.col("value"))
    table = (
        rows.with_columns(unit=local.floordiv(unit_s))
        .group_by("user", "unit")
        .agg(value=pl.when(value.count() > 0).then(value.sum()))
        .sort("user", "unit")
    )
    names = table.group_by("user", maintain_order=True).len()
    users = np.empty(names.height, dtype=object)
    users[:] = names["user"].to_list()
    return Occasions(
        users=users,
        offsets=np.concatenate([[0], np.cumsum(names["len"].to_numpy().astype(np.int64))]),
        unit=table["unit"].to_numpy().astype(np.int64),
        value=table["value"].cast(pl.Float64).fill_null(float("nan")).to_numpy(),
        unit_s=unit_s,
    )


def _frame_rows(log: pl.DataFrame, actions: Sequence[str] | None, zone: str) -> pl.DataFrame:
    """Columns user, time_s, offset_min, value of the events that count."""
    needed = (*_NEEDED, "action") if actions is not None else _NEEDED
    if missing := [name for name in needed if name not in log.columns]:
        raise SchemaError(
            f"columns {', '.join(needed)}", found=f"no {missing[0]} in the frame", do="Map the columns first."
        )
    if not isinstance(log.schema["timestamp"], pl.Datetime):
        raise SchemaError(
            "timestamp as UTC date-times", found=str(log.schema["timestamp"]), do="Read the log by its source."
        )
    if actions is not None:
        _known(actions, set(log["action"].unique().to_list()))
        log = log.filter(pl.col("action").is_in(list(actions)))
    time_s = log["timestamp"].dt.epoch("s").to_numpy().astype(np.int64)
    given = np.full(log.height, NO_OFFSET, np.int16)
    if "utc_offset_min" in log.columns:
        given = log["utc_offset_min"].cast(pl.Int16).fill_null(NO_OFFSET).to_numpy()
    offset_min = utc_offset(time_s, given, zone)
    return log.select(
        user=pl.col("user_id").cast(pl.String),
        time_s=pl.Series(time_s),
        offset_min=pl.Series(offset_min),
        value=pl.col("value").cast(pl.Float64) if "value" in log.columns else pl.lit(None, pl.Float64),
    )


def _store_rows(log: Store, actions: Sequence[str] | None) -> pl.DataFrame:
    """As `_frame_rows`; users are the sorted ids of the store."""
    keep = np.ones(log.n_events, bool)
    if actions is not None:
        code_of = log.encoding.vocabularies["action"].code_of
        _known(actions, set(code_of))
        keep = np.isin(log["action"], [code_of[name] for name in actions])
    return pl.DataFrame(
        {
            "user": pl.Series(log.users.tolist(), dtype=pl.String).gather(log.user[keep]),
            "time_s": np.asarray(log["time_s"])[keep],
            "offset_min": np.asarray(log["utc_offset_min"])[keep],
            "value": _value(log)[keep],
        }
    )


def _value(log: Store) -> NDArray[np.float64]:
    """(N,) values of a store's events, scaled back; NaN where there was none."""
    names = list(log.encoding.scales)
    if "value" not in names:
        return np.full(log.n_events, np.nan)
    column, scale = names.index("value"), log.encoding.scales["value"]
    value = np.asarray(log.numbers[:, column], np.float64) * scale.spread + scale.centre
    if scale.params.scale == "log":
        value = np.copysign(np.expm1(np.abs(value)), value)
    return np.where((np.asarray(log.missing) >> column) & 1, np.nan, value)


def _known(actions: Sequence[str], found: set[str]) -> None:
    if unknown := sorted(set(actions) - found):
        raise DataError(
            f"actions among {', '.join(sorted(map(str, found)))}",
            found=f"`{unknown[0]}`",
            do="Name actions of the log.",
        )
