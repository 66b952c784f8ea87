"""Popularity bias over time: how far behaviour goes to what was popular before, month by month.

Popularity is counted in earlier windows alone, so an item does not become popular by the events that are asked about.
Never here: the bias of a model's answers (`evaluation`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evolution.sequences import Sequences, Windows
from components.evolution.significance import Estimate, mean_by_user

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Popularity:
    """Of one window; shares of its events, intervals by unit.

    Attributes
    ----------
    start_s : where it begins
    users, events, items : how many users, how many events of theirs, of how many items
    users_before : users whose events say what was popular
    head : share at the head: the most popular items of before that made up `head_share` of the events then
    new : share at items that nobody had before
    percentile : mean popularity percentile of the known items, 0..1; events drawn by popularity itself have more than ½
    gini : of the events over the window's items
    """

    start_s: int
    users: int
    users_before: int
    events: int
    items: int
    head: Estimate
    new: Estimate
    percentile: Estimate
    gini: float


def popularity(
    found: Sequences, windows: Windows, head_share: float, draws: int, confidence: float, seed: int
) -> list[Popularity]:
    """Popularity bias of every window but the first.

    Parameters
    ----------
    found : Sequences of items as labels
    windows : Windows that do not overlap, in order
    head_share : 0..1, share of the earlier events that the head holds, e.g. 0.5
    draws, confidence, seed : of the intervals

    References
    ----------
    Abdollahpouri, Burke, Mobasher (2019), The unfairness of popularity bias in recommendation (head, middle and tail).
    """
    window = np.searchsorted(windows.starts_s, found.local_s, side="right") - 1
    answers = []
    before, came = np.zeros(found.n_labels, np.int64), np.zeros(found.n_units, bool)
    for number in range(len(windows.starts_s)):
        rows = np.flatnonzero(window == number)
        now = np.bincount(found.label[rows], minlength=found.n_labels)
        if number and len(rows):
            known = before[found.label[rows]] > 0
            head, percentile = _ranks(before, head_share)
            count = np.bincount(found.unit[rows], minlength=found.n_units).astype(np.float64)

            def estimate(value: Floats, of: NDArray[np.bool_], rows: NDArray[np.int64] = rows) -> Estimate:
                unit = found.unit[rows[of]]
                total = np.bincount(unit, weights=value[of], minlength=found.n_units)
                part = np.bincount(unit, minlength=found.n_units).astype(np.float64)
                return mean_by_user(total, part, draws, confidence, seed)

            everything = np.ones(len(rows), bool)
            answers.append(
                Popularity(
                    start_s=int(windows.starts_s[number]),
                    users=int((count > 0).sum()),
                    users_before=int(came.sum()),
                    events=int(count.sum()),
                    items=int((now > 0).sum()),
                    head=estimate(head[found.label[rows]].astype(np.float64), everything),
                    new=estimate((~known).astype(np.float64), everything),
                    percentile=estimate(percentile[found.label[rows]], known),
                    gini=_gini(now[now > 0]),
                )
            )
        before += now
        came[found.unit[rows]] = True
    return answers


def _ranks(before: NDArray[np.int64], head_share: float) -> tuple[NDArray[np.bool_], Floats]:
    """Which items (K,) are the head, and their percentile among the known ones, ties sharing their mean."""
    order = np.argsort(-before, kind="stable")
    reached = np.cumsum(before[order]) - before[order]
    head = np.zeros(len(before), bool)
    head[order] = (reached < head_share * before.sum()) & (before[order] > 0)
    known = np.sort(before[before > 0])
    low, high = np.searchsorted(known, before, side="left"), np.searchsorted(known, before, side="right")
    return head, (low + high) / 2 / max(len(known), 1)


def _gini(count: NDArray[np.int64]) -> float:
    n, order = len(count), np.sort(count)
    return float((2 * np.sum(np.arange(1, n + 1) * order) / order.sum() - (n + 1)) / n) if n else np.nan
