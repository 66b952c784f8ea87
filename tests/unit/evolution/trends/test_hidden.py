"""No count of a few users can be reckoned from the tables of hours, days and weeks and what else is told."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import null_space

from components.evolution.suppression import Line, linked
from components.evolution.trends.happened import counts
from components.evolution.trends.hidden import hidden_counts
from components.evolution.trends.series import Shown, shown, split
from tests.unit.evolution.planted import log_of

DAY, HOUR, LEAST = 86_400, 3_600, 5


def tables(seed: int, per_hour: float = 2.0, begin_day: int = 2) -> dict[str, Shown]:
    """Six weeks and some days of forty users and three kinds, one of them rare, hardly anybody at night."""
    rng = np.random.default_rng(seed)
    hour = np.arange(begin_day * 24, 47 * 24)
    rate = per_hour * np.where(hour % 24 < 6, 0.05, 1.0) * rng.gamma(2.0, 0.5, len(hour))
    at = np.repeat(hour, rng.poisson(rate))
    user, kind = rng.integers(0, 40, len(at)), rng.choice(3, len(at), p=[0.7, 0.25, 0.05])
    ends = [begin_day * 24, 46 * 24 + 23]
    log = log_of(np.append(user, [0, 1]), np.append(at, ends) * HOUR, np.append(kind, [0, 0]))
    by = [split(log, ["category"], 6, 6, LEAST), split(log, ["action", "category"], 6, 6, LEAST)]
    return {"week": shown(log, by, "week"), "day": shown(log, by, "day"), "hour": shown(log, by, "hour").latest(175)}


def reckoned(found: dict[str, Shown], hidden: dict[str, np.ndarray]) -> list[tuple[str, str, int]]:
    """Cells of a few users that follow from what is told and from all sums: parts, hours, days, and of growth."""
    place = {
        (step, row, at): number
        for number, (step, row, at) in enumerate(
            (step, row, at) for step, one in found.items() for row, at in np.ndindex(one.users.shape) if row < 4
        )
    }
    start = {step: one.panel.start for step, one in found.items()}
    lines = [[(step, row, at) for row in range(4)] for step, one in found.items() for at in range(one.panel.steps)]
    weights = [[-1.0, 1, 1, 1]] * len(lines)
    for fine, coarse, seconds, ratio in (("hour", "day", HOUR, 24), ("day", "week", DAY, 7)):
        begin = int((start[coarse] - start[fine]).total_seconds()) // seconds
        for row in range(4):
            for step in range(found[coarse].panel.steps):
                steps = range(begin + step * ratio, begin + (step + 1) * ratio)
                if steps[0] >= 0 and steps[-1] < found[fine].panel.steps:
                    lines.append([(coarse, row, step), *((fine, row, at) for at in steps)])
                    weights.append([-1.0] + [1.0] * ratio)
    days = found["day"].panel.steps
    for span in (range(21), range(days - 21, days)):
        lines.append([("day", 0, at) for at in span])
        weights.append([1.0] * 21)
    sums = np.zeros((len(lines), len(place)))
    for number, (line, weight) in enumerate(zip(lines, weights, strict=True)):
        sums[number, [place[cell] for cell in line]] = weight
    unknown = [cell for cell in place if hidden[cell[0]][cell[1], cell[2]]]
    free = null_space(sums[:, [place[cell] for cell in unknown]])
    told = np.abs(free).max(axis=1, initial=0) < 1e-9
    return [
        cell for cell, known in zip(unknown, told, strict=True)
        if known and 0 < found[cell[0]].users[cell[1], cell[2]] < LEAST
    ]  # fmt: skip


@pytest.mark.parametrize("per_hour", [1.0, 3.0, 10.0])
def test_nothing_of_a_few_follows_from_what_is_told(per_hour: float) -> None:
    for seed in range(4):
        found = tables(seed, per_hour)
        hidden = hidden_counts(found, LEAST)
        assert not reckoned(found, hidden)
        for step, one in found.items():
            assert hidden[step][(one.users > 0) & (one.users < LEAST)].all()
        assert not hidden["week"][0].any()  # it does not hide what it need not
        alone = {step: (one.users > 0) & (one.users < LEAST) for step, one in found.items()}
        assert reckoned(found, alone)  # there was something to reckon


def test_crossed_counts_are_not_told() -> None:
    found = tables(0)
    hidden = hidden_counts(found, LEAST)
    told = counts(found["day"], None, hidden["day"])
    assert told.filter(by="action × category")["events"].null_count() == 3 * found["day"].panel.steps
    assert told.filter(by="category")["events"].null_count() < 3 * found["day"].panel.steps
    assert not linked(np.array([3, 9]), [Line(np.array([0, 1]))], 1).any()


def test_a_part_that_is_in_no_table_hides_by_itself() -> None:
    users = np.array([9, 7, 20, 8, 30])
    whole = Line(np.arange(4), 4)
    assert not linked(users, [whole], LEAST).any()
    assert linked(users, [Line(np.arange(4), 4, unseen=True)], LEAST).tolist() == [False, True, False, False, False]
    users[0] = 2
    assert linked(users, [whole], LEAST).tolist() == [True, True, False, False, False]
    users[1:4] = 0
    users[4] = 2
    assert linked(users, [whole], LEAST)[[0, 4]].all()
