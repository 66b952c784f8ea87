"""One line for each user of an experiment: what came of the lists that they were shown.

A user enters once their figure is ripe: nothing that happens from then on can change it. So the figures are
independent, each is seen once, and the intervals of `experiments.sequential` hold however often one looks. Never here:
intervals.
"""

from __future__ import annotations

import polars as pl

from components.experiments.assignment import arm_of
from components.experiments.exposure import Evidence, joined
from components.experiments.plan import Plan


def outcomes(evidence: Evidence, now_us: int) -> tuple[pl.DataFrame, int]:
    """What came of each user's lists.

    Parameters
    ----------
    evidence : impressions and events
    now_us : whoever was shown a first list at most `ripe_us` ago is not ripe yet; lists of later are not there

    Returns
    -------
    pl.DataFrame
        user_id, arm, first_us, ripe, lists, conversion (0 or 1), reward (sum over distinct events), hit_rate (share of
        the user's lists with a rewarded event within the first k); in the order in which users ripen.
    int
        Users left out because an impression names another arm than the one that they were assigned to.
    """
    plan = evidence.plan
    shown = evidence.shown.filter(pl.col("time_us") <= now_us)
    strange = _strange(plan, shown)
    shown = shown.filter(~pl.col("user_id").is_in(strange))
    first = pl.col("time_us").min().over("user_id")
    shown = shown.filter(pl.col("time_us") <= first + plan.window_us)
    lists = shown.group_by("user_id", "list_id").agg(pl.col("arm").first(), pl.col("time_us").min())
    users = lists.group_by("user_id").agg(
        pl.col("arm").first(), pl.col("time_us").min().alias("first_us"), pl.len().alias("lists")
    )
    counted = joined(shown, evidence.happened, plan.horizon_us)
    rewards = counted.unique(["user_id", "event_id"], keep="any").group_by("user_id").agg(pl.col("reward").sum())
    hits = (
        counted.filter(pl.col("position") <= plan.settings.k)
        .group_by("user_id")
        .agg(pl.col("list_id").n_unique().alias("hits"))
    )
    table = users.join(rewards, on="user_id", how="left").join(hits, on="user_id", how="left")
    return (
        table.select(
            "user_id",
            "arm",
            "first_us",
            (pl.col("first_us") + plan.ripe_us < now_us).alias("ripe"),
            "lists",
            pl.col("reward").is_not_null().cast(pl.Float64).alias("conversion"),
            pl.col("reward").fill_null(0.0),
            (pl.col("hits").fill_null(0) / pl.col("lists")).alias("hit_rate"),
        ).sort("first_us", "user_id"),
        len(strange),
    )


def _strange(plan: Plan, shown: pl.DataFrame) -> list[str]:
    """Users with an impression of an arm that is not theirs: a page that mixes them up, or a salt that changed."""
    pairs = shown.select("user_id", "arm").unique().iter_rows()
    return sorted({user for user, arm in pairs if arm_of(plan, user) != arm})
