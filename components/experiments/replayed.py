"""What a model that never served would have put first, asked again as of the moment of each list that was shown.

The log is walked in its order: the model counts what came in before a list and nothing after it, and the user's history
ends at the list. What the model was made from cannot be taken back out of it: where that is later than lists, it is
told (`Logged.foreknown`). It chooses among the items of that list, so that every choice of its had its chance to be
shown where the list was explored. Never here: what the choices are worth (`experiments.off_policy`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np
import polars as pl

from components.errors import DataError
from components.experiments.exposure import Evidence, joined
from components.experiments.off_policy import Logged
from components.experiments.plan import Arm
from components.features.encoding import UNKNOWN
from components.params import Params
from components.serving.champion import Champion
from components.serving.follow import Followed
from components.serving.question import plain
from components.serving.state.newest import Newest
from components.serving.state.protocol import State, Stored

_LATER = 10_000  # events of a user that may have come since a list was shown


class _Until:
    """A state as it was: nothing after `offset`. What a follower asks of a state, and no more."""

    def __init__(self, state: State) -> None:
        self._state, self.offset = state, 0

    def head(self) -> int:
        return self.offset

    def after(self, offset: int, limit: int) -> list[Stored]:
        return [one for one in self._state.after(offset, limit) if one.offset <= self.offset]

    def last(self, user_id: str, n: int) -> Newest:
        return self._state.last(user_id, n + _LATER).where(lambda offset, _: offset <= self.offset)[-n:]

    def forgotten(self, user_id: str) -> int:
        return self._state.forgotten(user_id)  # whoever was forgotten since is no part of the log either


def decisions(evidence: Evidence, state: State, arm: Arm, target: Champion, params: Params, now_us: int) -> Logged:
    """First places of an arm, what came of them, and what the target would have put there.

    Parameters
    ----------
    evidence : what was shown and what happened
    state : the live log
    arm : whose lists
    target : the model in question; its counts grow with what is replayed
    params : of the workspace
    now_us : lists younger than the horizon are left out: their events may still come

    Raises
    ------
    DataError
        No list of the arm is old enough.
    """
    plan = evidence.plan
    shown = evidence.shown.filter((pl.col("arm") == arm) & (pl.col("time_us") + plan.horizon_us < now_us))
    first = shown.filter(pl.col("position") == 1).sort("offset")
    if not first.height:
        raise DataError(
            f"lists of the {arm}'s arm that are older than the horizon ({plan.settings.horizon_h:g} h)",
            found=f"none among {evidence.shown.height:,} impressions",
            do="Wait, or look at another experiment.",
        )
    worth = joined(first, evidence.happened, plan.horizon_us).group_by("list_id").agg(pl.col("reward").sum())
    first = first.join(worth, on="list_id", how="left", maintain_order="left")
    reward = first["reward"].fill_null(0.0).to_numpy()
    if plan.settings.metric != "reward":
        reward = (reward > 0).astype(np.float64)
    lists = shown.sort("position").group_by("list_id").agg(pl.col("item_id"))
    items = dict(lists.iter_rows())
    wanted = list(_wanted(first, items, state, target, params))
    codes = {item: code for code, item in enumerate(sorted({*first["item_id"], *wanted}))}
    return Logged(
        user=np.unique(first["user_id"].to_numpy(), return_inverse=True)[1],
        shown=np.array([codes[item] for item in first["item_id"]], np.int64),
        wanted=np.array([[codes[item]] for item in wanted], np.int64),
        reward=reward,
        chance=first["probability"].to_numpy(),
        target=np.ones((first.height, 1)),
        foreknown=float(np.mean(first["time_us"].to_numpy() // 1_000_000 <= _newest_s(target))),
    )


def _newest_s(target: Champion) -> int:
    """Of all events that a model was made from, by the live log or a file: UTC seconds; before all time where none."""
    return int(np.max(target.artifact.histories["time_s"], initial=np.iinfo(np.int64).min))


def _wanted(
    first: pl.DataFrame, items: dict[str, list[str]], state: State, target: Champion, params: Params
) -> Iterator[str]:
    """Of each list, the item that the target believes in most; an item that it does not know comes last."""
    past = _Until(state)
    followed = Followed(target, past, params)  # type: ignore[arg-type]  # the part of a state that it asks for
    code_of = target.encoding.vocabularies["item"].code_of
    for user_id, list_id, time_us, offset in first.select("user_id", "list_id", "time_us", "offset").iter_rows():
        past.offset = offset - 1
        followed.follow()
        question = plain(user_id, dt.datetime.fromtimestamp(time_us / 1e6, dt.UTC), 1)
        queries, _ = target.queries(question, followed.history(user_id).store)
        belief = target.predictor.score(queries).item[0]
        codes = [code_of.get(item, UNKNOWN) for item in items[list_id]]
        yield items[list_id][int(np.argmax([belief[code] if code > UNKNOWN else -np.inf for code in codes]))]
