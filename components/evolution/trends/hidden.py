"""Which counts of the tables of hours, days and weeks are not told, so that none of a few users can be reckoned.

Parts sum to the total, hours to days, days to weeks. Crossed splits share their sums with both of their margins, and
with what those pool: of them no count is told. Never here: a count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from components.evolution.suppression import Line, linked
from components.evolution.trends.panel import Step
from components.evolution.trends.series import LENGTH_S, Shown, crossed

_SUMS: tuple[tuple[Step, Step], ...] = (("hour", "day"), ("day", "week"))
_WEEK = 7


def hidden_counts(tables: Mapping[Step, Shown], least_users: int) -> dict[Step, NDArray[np.bool_]]:
    """Which cells of each table to hide.

    Parameters
    ----------
    tables : what is told of each step, with users counted
    least_users : a cell of fewer is hidden

    Returns
    -------
    step → (S, T)
    """
    base, size = {}, 0
    for step, one in tables.items():
        base[step], size = size, size + one.users.size
    users = np.concatenate([one.users.ravel() for one in tables.values()])
    lines = [line for step, one in tables.items() for line in _splits(one, base[step])]
    for fine, coarse in _SUMS:
        if fine in tables and coarse in tables:
            lines += _sums(tables, base, fine, coarse)
    if "day" in tables:  # growth tells the sums of the first and last weeks of the log, wherever those begin
        days = base["day"] + np.arange(tables["day"].panel.steps)
        lines += [Line(days[:_WEEK]), Line(days[-_WEEK:])]
    found = linked(users, lines, least_users)
    answers = {}
    for step, one in tables.items():
        answers[step] = found[base[step] : base[step] + one.users.size].reshape(one.users.shape)
        answers[step][[crossed(by) for by in one.panel.keys["by"]]] = True
    return answers


def _splits(table: Shown, base: int) -> Iterator[Line]:
    """The parts of every split that is not crossed sum to the total, step by step."""
    steps = table.panel.steps
    for name, rows in table.parts.items():
        if not crossed(name):
            yield from (Line(base + rows * steps + at, base + at) for at in range(steps))


def _sums(tables: Mapping[Step, Shown], base: Mapping[Step, int], fine: Step, coarse: Step) -> Iterator[Line]:
    """The fine steps of every series sum to its coarse ones."""
    small, large = tables[fine], tables[coarse]
    assert small.panel.start is not None
    assert large.panel.start is not None
    ratio = LENGTH_S[coarse] // LENGTH_S[fine]
    begin = int((large.panel.start - small.panel.start).total_seconds()) // LENGTH_S[fine]
    place = {key: row for row, key in enumerate(small.panel.keys.iter_rows())}
    for row, key in enumerate(large.panel.keys.iter_rows()):
        if key not in place or crossed(key[0]):
            continue
        for step in range(large.panel.steps):
            low, high = begin + step * ratio, begin + (step + 1) * ratio
            first, last = max(low, 0), min(high, small.panel.steps)
            if first < last:
                parts = base[fine] + place[key] * small.panel.steps + np.arange(first, last)
                yield Line(parts, base[coarse] + row * large.panel.steps + step, unseen=last - first < ratio)
