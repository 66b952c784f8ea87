"""Two models on what users did next: both lists were made before it, for the same question, so differences are paired.

Each question is scored by the user's next rewarded event: where does its item stand in either list? A silent challenger
answers behind the champion: where that event had come in by then, it may have been counted, and the question is not
scored. Never here: how the lists were made (`experiments.silent`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from components.experiments.plan import Plan
from components.experiments.sequential import Path, mean_path
from components.experiments.silent import Pair

_S = 1_000_000
SCORES = ("ndcg", "hit_rate", "mrr")


@dataclass(frozen=True)
class Compared:
    """Challenger less champion in one score of one user.

    Attributes
    ----------
    score : ndcg, hit_rate or mrr, at the plan's k
    champion, challenger : means over users
    path : the difference after each ripe user, with an interval valid at any time
    """

    score: str
    champion: float
    challenger: float
    path: Path


@dataclass(frozen=True)
class Silence:
    """What a silent challenger has shown so far.

    Attributes
    ----------
    plan : the experiment
    asked : questions that both models answered
    scored : those that a rewarded event followed within the horizon, received when both had answered
    late : those whose event was received before the challenger had answered: not scored
    users : ripe users with such a question
    overlap : mean share of the lists' first k that both have
    compared : score → what it says; ndcg first
    ripe_us : (users,) when each was ripe
    """

    plan: Plan
    asked: int
    scored: int
    late: int
    users: int
    overlap: float
    compared: dict[str, Compared]
    ripe_us: np.ndarray

    def verdict(self) -> str:
        """What NDCG says, in a sentence."""
        value, low, high = self.compared["ndcg"].path.last
        k = self.plan.settings.k
        if np.isnan(low):
            return f"Too few users to say anything: {self.plan.settings.least_users} ripe ones are needed."
        span = f"{value:+.4f} ({low:+.4f} to {high:+.4f})"
        if low <= 0 <= high:
            return f"No difference in NDCG@{k} is sure yet: {span}."
        return f"The silent challenger is {'better' if low > 0 else 'worse'} in NDCG@{k}, whenever one looks: {span}."


def silence(plan: Plan, kept: Iterable[Pair], happened: pl.DataFrame, now_us: int) -> Silence:
    """Score both models by what came next.

    Parameters
    ----------
    plan : the experiment
    kept : what both would show
    happened : events (columns `exposure.HAPPENED`)
    now_us : whoever was asked about first at most `ripe_us` ago is not ripe yet
    """
    asked = _asked(plan, _once(kept))
    first = pl.col("time_us").min().over("user_id")
    asked = asked.with_columns(first_us=first).filter(
        (pl.col("time_us") <= first + plan.window_us) & (first + plan.ripe_us < now_us)
    )
    followed = _followed(plan, asked, happened)
    scored = _scored(followed.filter(pl.col("offset") > pl.col("answered")))
    users = (
        scored.group_by("user_id")
        .agg(pl.col("first_us").first(), *(pl.col(f"{score}_{arm}").mean() for score in SCORES for arm in ("a", "b")))
        .sort("first_us", "user_id")
    )
    return Silence(
        plan=plan,
        asked=asked.height,
        scored=scored.height,
        late=followed.height - scored.height,
        users=users.height,
        overlap=float(np.mean(asked["overlap"].to_numpy())) if asked.height else float("nan"),
        compared={score: _compared(plan, score, users) for score in SCORES},
        ripe_us=users["first_us"].to_numpy() + plan.ripe_us,
    )


def _once(kept: Iterable[Pair]) -> list[Pair]:
    """A question that was sent again is the one that it was."""
    found = list(kept)
    first = {(one.user_id, one.name): one for one in reversed(found) if one.name}
    return [one for one in found if not one.name or first[one.user_id, one.name] is one]


def _asked(plan: Plan, kept: list[Pair]) -> pl.DataFrame:
    k = plan.settings.k
    lists = [(one.champion[:k], one.challenger[:k]) for one in kept]
    return pl.DataFrame(
        {
            "user_id": pl.Series([one.user_id for one in kept], dtype=pl.String),
            "time_us": pl.Series([one.time_us for one in kept], dtype=pl.Int64),
            "answered": pl.Series([one.answered for one in kept], dtype=pl.Int64),
            "champion": pl.Series([list(a) for a, _ in lists], dtype=pl.List(pl.String)),
            "challenger": pl.Series([list(b) for _, b in lists], dtype=pl.List(pl.String)),
            "overlap": pl.Series(
                [len(set(a) & set(b)) / max(len(a), len(b), 1) for a, b in lists], dtype=pl.Float64
            ),
        }
    )  # fmt: skip


def _followed(plan: Plan, asked: pl.DataFrame, happened: pl.DataFrame) -> pl.DataFrame:
    """Questions with the event that came next.

    A history is cut at whole seconds, so an event of the question's own second may have been seen: it is not scored.
    """
    events = happened.filter(pl.col("reward") > 0).select("user_id", "item_id", "time_us", "offset").sort("time_us")
    return (
        asked.with_columns(next_us=(pl.col("time_us") // _S + 1) * _S)
        .sort("next_us")
        .join_asof(
            events.rename({"time_us": "event_us"}), left_on="next_us", right_on="event_us", by="user_id",
            strategy="forward", tolerance=plan.horizon_us, check_sortedness=False,
        )
        .filter(pl.col("item_id").is_not_null())
    )  # fmt: skip


def _scored(found: pl.DataFrame) -> pl.DataFrame:
    """Questions with the scores of both lists on their event."""
    columns: dict[str, np.ndarray] = {}
    for arm, name in (("a", "champion"), ("b", "challenger")):
        rank = np.array([_rank(items, item) for items, item in found.select(name, "item_id").iter_rows()], np.float64)
        hit = rank > 0
        safe = np.where(hit, rank, 1.0)
        columns |= {
            f"ndcg_{arm}": np.where(hit, 1.0 / np.log2(1.0 + safe), 0.0),
            f"hit_rate_{arm}": hit.astype(np.float64),
            f"mrr_{arm}": np.where(hit, 1.0 / safe, 0.0),
        }
    return found.with_columns(**{name: pl.Series(values) for name, values in columns.items()})


def _rank(items: list[str], item: str) -> int:
    """Place of an item from 1; 0 where it is not there."""
    return items.index(item) + 1 if item in items else 0


def _compared(plan: Plan, score: str, users: pl.DataFrame) -> Compared:
    champion, challenger = (users[f"{score}_{arm}"].to_numpy() for arm in ("a", "b"))
    settings = plan.settings
    path = mean_path(challenger - champion, settings.level, settings.aim_users, settings.least_users)
    means = [float(one.mean()) if len(one) else float("nan") for one in (champion, challenger)]
    return Compared(score, means[0], means[1], path)
