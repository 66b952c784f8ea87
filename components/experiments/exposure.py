"""What was shown and what came of it, as frames: impressions of an experiment, events, and which events count.

An event counts for a list where its item was shown in it, to the same user, at most a horizon before: once for each
list, however often the list shows the item. Times decide, not the order of arrival, so late events land right.
Never here: what an arm is worth (`experiments.outcomes`).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from components.experiments.plan import ARMS, Arm, Plan
from components.serving.intake import MAX_POSITION
from components.serving.question import Answer, Question
from components.serving.state.protocol import State, Stored
from components.serving.state.record import Record

SHOWN = {
    "user_id": pl.String, "list_id": pl.String, "item_id": pl.String, "position": pl.Int32,
    "probability": pl.Float64, "arm": pl.String, "time_us": pl.Int64, "offset": pl.Int64,
}  # fmt: skip
HAPPENED = {
    "user_id": pl.String,
    "event_id": pl.String,
    "item_id": pl.String,
    "reward": pl.Float64,
    "time_us": pl.Int64,
    "offset": pl.Int64,
}
_BATCH = 10_000  # records of the log at once


def impressions(
    plan: Plan,
    arm: Arm,
    user_id: str,
    answer: Answer,
    *,
    list_id: str,
    time_us: int,
    received_us: int,
    probabilities: Sequence[float],
    answered_by: str,
) -> list[Record]:
    """An answer as records of what was shown.

    Parameters
    ----------
    plan, arm : the experiment and the arm that the user is in
    user_id : who was shown it
    answer : the list
    list_id : its own, common to its impressions
    time_us, received_us : of the showing and of the clock, UTC microseconds
    probabilities : chance of each item to be shown where it was, given the arm's model; 1 without exploration. Not the
        model's belief that the item comes next
    answered_by : digest of the artifact that ranked it: the champion's too in the challenger's arm, where the
        challenger failed
    """
    return [
        Record(
            "impression", f"{list_id}:{position}", user_id, time_us, received_us,
            {"item_id": item.item_id, "position": position, "probability": probability,
             "list_id": list_id, "arm": plan.label(arm), "policy": answered_by[:12]},
        )
        for position, (item, probability) in enumerate(zip(answer.items, probabilities, strict=True), start=1)
    ]  # fmt: skip


def list_id_of(plan: Plan, question: Question) -> str:
    """The id of the list that answers a question: the same for one that is asked again, on any worker.

    Of the salt too: whoever names requests cannot choose what the list's id draws. Of the hour too: a client that gives
    all its requests one name is not taken for one that asks again for ever.
    """
    if question.asked_as is None:
        return uuid.uuid4().hex
    key = hashlib.blake2b(plan.salt.encode(), digest_size=32).digest()
    asked = question.asked_as + str(int(question.time.timestamp()) // 3600).encode()
    return hashlib.blake2b(asked, key=key, digest_size=16).hexdigest()


class Evidence:
    """What the live log says about an experiment, read on from where the last look stopped.

    Attributes
    ----------
    plan : the experiment
    offset : of the last record that was read
    """

    def __init__(self, plan: Plan) -> None:
        self.plan, self.offset = plan, plan.offset
        self._arms: dict[str, Arm] = {plan.label(arm): arm for arm in ARMS}
        self._shown = pl.DataFrame(schema=SHOWN)
        self._happened = pl.DataFrame(schema=HAPPENED)

    def follow(self, state: State) -> int:
        """Read what the log has gained; how many records."""
        read = 0
        while batch := state.after(self.offset, _BATCH):
            self.take(batch)
            read += len(batch)
        return read

    def take(self, batch: Iterable[Stored]) -> None:
        """Add records of the log, in its order; a tombstone takes everything of its user that came before it."""
        shown: list[tuple[Any, ...]] = []
        happened: list[tuple[Any, ...]] = []
        for stored in batch:
            record, self.offset = stored.record, stored.offset
            if record.kind == "impression":
                shown += self._impression(record)
            elif record.kind == "event":
                happened += self._event(record)
            elif record.kind == "tombstone":
                self._keep(shown, happened)
                shown, happened = [], []
                gone = pl.col("user_id") != record.user_id
                self._shown, self._happened = self._shown.filter(gone), self._happened.filter(gone)
        self._keep(shown, happened)

    def _keep(self, shown: list[tuple[Any, ...]], happened: list[tuple[Any, ...]]) -> None:
        if shown:
            self._shown = self._shown.vstack(pl.DataFrame(shown, SHOWN, orient="row"))
        if happened:
            self._happened = self._happened.vstack(pl.DataFrame(happened, HAPPENED, orient="row"))

    def leave(self, users: Iterable[str]) -> None:
        """Let go of what was shown to some users and what they did."""
        if gone := list(users):
            stays = ~pl.col("user_id").is_in(gone)
            self._shown, self._happened = (one.filter(stays).rechunk() for one in (self._shown, self._happened))

    def arm(self, record: Record) -> Arm | None:
        """Which arm's list an impression is part of; None: of neither."""
        there = 1 <= record.payload["position"] <= MAX_POSITION  # an older log may hold a place beyond
        return self._arms.get(str(record.payload.get("arm"))) if there else None

    def worth(self, record: Record) -> float:
        """What an event counts where it counts."""
        rewards = self.plan.settings.rewards
        return rewards.get(str(record.payload.get("action")), 0.0) if rewards else 1.0

    def _impression(self, record: Record) -> list[tuple[Any, ...]]:
        told, arm = record.payload, self.arm(record)
        if arm is None:
            return []
        list_id = str(told.get("list_id") or record.time_us)
        return [
            (
                record.user_id, list_id, str(told["item_id"]), int(told["position"]),
                float(told["probability"]), arm, record.time_us, self.offset,
            )
        ]  # fmt: skip

    def _event(self, record: Record) -> list[tuple[Any, ...]]:
        item = record.payload.get("item_id")
        if item is None:
            return []
        return [(record.user_id, record.id, str(item), self.worth(record), record.time_us, self.offset)]

    @property
    def shown(self) -> pl.DataFrame:
        """Impressions of the experiment's two arms (columns `SHOWN`); an item of a list is there once."""
        return self._shown.unique(["user_id", "list_id", "item_id"], keep="first", maintain_order=True)

    @property
    def happened(self) -> pl.DataFrame:
        """Events that came in since the experiment began (columns `HAPPENED`), of everybody; worthless ones too."""
        return self._happened


def joined(shown: pl.DataFrame, happened: pl.DataFrame, horizon_us: int) -> pl.DataFrame:
    """Which events count for which lists.

    Parameters
    ----------
    shown : columns `SHOWN`, an item of a list once
    happened : columns `HAPPENED`; those without a reward never count
    horizon_us : an event counts where 0 < its time − that of the list ≤ horizon

    Returns
    -------
    pl.DataFrame
        user_id, list_id, event_id, item_id, position, reward, arm, shown_us, time_us; one row for each pair of a list
        and an event.
    """
    # Equal keys are met in slices of a horizon, so that a user who is shown one item a thousand times costs no square.
    left = shown.select(
        "user_id", "list_id", "item_id", "position", "arm", pl.col("time_us").alias("shown_us")
    ).with_columns(slice=pl.col("shown_us") // horizon_us)
    right = happened.filter(pl.col("reward") > 0).drop("offset").with_columns(slice=pl.col("time_us") // horizon_us)
    right = pl.concat([right, right.with_columns(pl.col("slice") - 1)])
    gap = pl.col("time_us") - pl.col("shown_us")
    return (
        left.join(right, on=["user_id", "item_id", "slice"])
        .filter((gap > 0) & (gap <= horizon_us))
        .unique(["user_id", "list_id", "event_id"], keep="any")
        .drop("slice")
        .sort("time_us", "user_id", "list_id", "event_id")
    )
