"""What an experiment has shown so far: each arm, their difference, and what keeps one from believing it.

Never here: what follows from it (`experiments.switch`, or people).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
import polars as pl

from components.experiments.exposure import Evidence
from components.experiments.outcomes import outcomes
from components.experiments.plan import ARMS, Arm, Plan
from components.experiments.sequential import Path, Ratio, difference_path, mean_path, sample_ratio
from components.params.experiment import Metric

METRICS: tuple[Metric, ...] = get_args(Metric)


@dataclass(frozen=True)
class Difference:
    """Challenger less champion in one metric.

    Attributes
    ----------
    metric : of one user
    champion, challenger : means of the arms after each ripe user of that arm, with intervals valid at any time
    path : the difference after each ripe user of either arm
    ripe_us : (N,) when the figure of each of these users was ripe, UTC microseconds
    """

    metric: Metric
    champion: Path
    challenger: Path
    path: Path
    ripe_us: np.ndarray


@dataclass(frozen=True)
class Results:
    """An experiment so far.

    Attributes
    ----------
    plan : the experiment
    users, ripe, lists : of each arm; lists are those of ripe users
    differences : metric → what it says; the plan's own first
    ratio : users of the arms against the promised share, ripe or not
    misplaced : users left out for impressions of an arm that is not theirs
    warnings : what a reader must know, in sentences
    """

    plan: Plan
    users: dict[Arm, int]
    ripe: dict[Arm, int]
    lists: dict[Arm, int]
    differences: dict[Metric, Difference]
    ratio: Ratio
    misplaced: int
    warnings: tuple[str, ...]

    @property
    def primary(self) -> Difference:
        """The difference in the metric that decides."""
        return self.differences[self.plan.settings.metric]

    def verdict(self) -> str:
        """What the primary metric says, in a sentence."""
        value, low, high = self.primary.path.last
        what = self.plan.settings.metric.replace("_", " ")
        if np.isnan(low):
            return f"Too few users to say anything: {self.plan.settings.least_users} ripe ones of each arm are needed."
        if low > 0:
            return f"The challenger is better in {what}, whenever one looks: {value:+.4f} ({low:+.4f} to {high:+.4f})."
        if high < 0:
            return f"The challenger is worse in {what}, whenever one looks: {value:+.4f} ({low:+.4f} to {high:+.4f})."
        return f"No difference in {what} is sure yet: {value:+.4f} ({low:+.4f} to {high:+.4f})."


def results(evidence: Evidence, now_us: int) -> Results:
    """What an experiment has shown until a moment.

    Parameters
    ----------
    evidence : what was read from the live log
    now_us : UTC microseconds
    """
    return told(evidence.plan, *outcomes(evidence, now_us))


def told(plan: Plan, table: pl.DataFrame, misplaced: int) -> Results:
    """What the lines of `experiments.outcomes` say."""
    ripe = table.filter("ripe")
    ratio = sample_ratio(_count(table, "champion"), _count(table, "challenger"), plan.settings.share)
    order = sorted(METRICS, key=lambda metric: metric != plan.settings.metric)
    return Results(
        plan=plan,
        users={arm: _count(table, arm) for arm in ARMS},
        ripe={arm: _count(ripe, arm) for arm in ARMS},
        lists={arm: int(ripe.filter(pl.col("arm") == arm)["lists"].sum()) for arm in ARMS},
        differences={metric: _difference(plan, metric, ripe) for metric in order},
        ratio=ratio,
        misplaced=misplaced,
        warnings=tuple(_warnings(plan, ratio, misplaced)),
    )


def _count(table: pl.DataFrame, arm: Arm) -> int:
    return int((table["arm"] == arm).sum())


def _difference(plan: Plan, metric: Metric, ripe: pl.DataFrame) -> Difference:
    values, treated = ripe[metric].to_numpy(), (ripe["arm"] == "challenger").to_numpy()
    settings = plan.settings
    level, aim, least = settings.level, settings.aim_users, settings.least_users
    return Difference(
        metric=metric,
        champion=mean_path(values[~treated], level, max(int(aim * (1 - settings.share)), 1), least),
        challenger=mean_path(values[treated], level, max(int(aim * settings.share), 1), least),
        path=difference_path(values, treated, level, aim, least),
        ripe_us=ripe["first_us"].to_numpy() + plan.ripe_us,
    )


def _warnings(plan: Plan, ratio: Ratio, misplaced: int) -> list[str]:
    found = []
    if ratio.broken:
        found.append(
            f"The arms hold {ratio.champion:,} and {ratio.challenger:,} users, not {1 - plan.settings.share:.0%} and "
            f"{plan.settings.share:.0%}: assignment or logging is broken, and no figure here may be trusted."
        )
    if misplaced:
        found.append(
            f"{misplaced:,} users were shown lists of an arm that is not theirs, and are left out: whoever posts "
            "impressions must pass on the arm of the answer."
        )
    return found
