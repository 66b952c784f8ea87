"""Windows are slices, segments are users together, shuffles keep days whole; drift is found and noise is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from components.evolution.drift import drift
from components.evolution.sequences import Sequences, months, once_a_day, sequences, sliding
from tests.unit.evolution.planted import log_of

DAY = 86_400


def random_log(rng: np.random.Generator, users: int = 20, events: int = 40, kinds: int = 5) -> Sequences:
    n = users * events
    log = log_of(np.repeat(np.arange(users), events), rng.integers(0, 90 * DAY, n), rng.integers(0, kinds, n))
    return sequences(log, log.category, kinds, None)


def test_windows_hold_exactly_their_events() -> None:
    found = random_log(np.random.default_rng(0))
    windows = sliding(found, 20 * DAY, 10 * DAY)
    assert windows.low.shape == (20, 8)
    for unit in (0, 7):
        for window, start in enumerate(windows.starts_s):
            rows = slice(windows.low[unit, window], windows.high[unit, window])
            inside = (found.unit == unit) & (found.local_s >= start) & (found.local_s < start + 20 * DAY)
            np.testing.assert_array_equal(np.flatnonzero(inside), np.arange(rows.start, rows.stop))
    monthly = months(found)
    assert (monthly.high - monthly.low).sum() == len(found.label)
    assert monthly.low.shape[1] == 4  # 6 January to 5 April
    assert sliding(found, 200 * DAY, DAY).low.shape == (20, 0)


def test_an_hour_that_the_clock_shows_twice_stays_in_order() -> None:
    """Summer time ends at 03:00: 02:40 comes before 02:10."""
    log = log_of(np.zeros(3, int), np.array([40, 70, 190]) * 60, np.arange(3))
    log = replace(log, local_s=log.time_s + np.array([2, 1, 1]) * 3600)
    found = sequences(log, log.category, 3, None)
    assert found.label.tolist() == [0, 1, 2]
    assert found.by_user.tolist() == [0, 1, 2]


def test_segments_hold_their_users_in_order_of_time() -> None:
    rng = np.random.default_rng(1)
    log = log_of(np.repeat(np.arange(6), 10), rng.integers(0, 30 * DAY, 60), rng.integers(0, 3, 60))
    found = sequences(log, log.category, 3, np.array([0, 1, 0, 1, 1, 1]))
    assert np.diff(found.offsets).tolist() == [20, 40]
    assert (np.diff(found.local_s)[found.unit[1:] == found.unit[:-1]] >= 0).all()
    assert set(found.user[found.unit == 0]) == {0, 2}


@pytest.mark.parametrize("by_day", [False, True])
def test_shuffles_keep_each_users_labels(by_day: bool) -> None:
    found = random_log(np.random.default_rng(2), kinds=30)
    label = found.shuffled(by_day, np.random.default_rng(0))
    assert (label != found.label).any()
    for user in range(20):
        np.testing.assert_array_equal(np.sort(label[found.user == user]), np.sort(found.label[found.user == user]))


def test_a_day_stays_together() -> None:
    log = log_of(np.zeros(12, int), np.repeat(np.arange(6), 2) * DAY + np.tile([0, 60], 6), np.arange(12))
    found = sequences(log, log.category, 12, None)
    orders = {tuple(found.shuffled(True, np.random.default_rng(seed))) for seed in range(60)}
    assert len(orders) > 40
    assert all(a % 2 == 0 and b == a + 1 for order in orders for a, b in zip(order[::2], order[1::2], strict=True))


def test_once_a_day_keeps_the_first_of_each_label_of_a_day() -> None:
    log = log_of(np.array([0, 0, 0, 0, 1]), np.array([10, 20, 30, DAY + 10, 40]), np.array([2, 1, 2, 2, 2]))
    kept = once_a_day(log, log.category)
    assert kept.tolist() == [*log.category[:2].tolist(), -1, *log.category[3:].tolist()]
    assert once_a_day(log, np.full(5, -1)).tolist() == [-1] * 5


def test_divergence_equals_scipy() -> None:
    found = random_log(np.random.default_rng(3))
    answer = drift(found, True, 9, 0)
    part = np.empty(len(found.label), int)
    for user in range(int(found.user.max()) + 1):
        mine = found.by_user[found.user[found.by_user] == user]
        day = found.local_s[mine] // DAY
        part[mine] = day >= day[len(mine) // 2]
    for unit in range(3):
        mine = found.unit == unit
        a, b = (np.bincount(found.label[mine & (part == side)], minlength=5) for side in (0, 1))
        assert answer.divergence[unit] == pytest.approx(jensenshannon(a, b, base=2) ** 2)
        assert (answer.before[unit], answer.after[unit]) == (a.sum(), b.sum())


def test_planted_drift_is_found_and_only_that() -> None:
    rng = np.random.default_rng(4)
    user, time_s = np.repeat(np.arange(60), 60), np.tile(np.arange(60) * DAY, 60)
    kind = rng.integers(0, 6, 3600)
    changed = user < 15
    kind[changed] = np.where(time_s[changed] < 30 * DAY, kind[changed] // 2, 3 + kind[changed] // 2)
    log = log_of(user, time_s, kind)
    found = sequences(log, log.category, 6, None)
    answer = drift(found, True, 1999, 0)
    assert (answer.q[:15] <= 0.05).all()
    assert (answer.q[15:] <= 0.05).sum() <= 2
    assert answer.expected[15:].mean() == pytest.approx(answer.divergence[15:].mean(), rel=0.15)
    segments = sequences(log, log.category, 6, (np.arange(60) >= 15).astype(int))
    together = drift(segments, True, 199, 0)
    assert together.p[0] == 1 / 200
    assert together.p[1] > 0.05


def test_days_of_very_different_sizes_do_not_drift() -> None:
    """A split that large days leave uneven diverges more by chance: uneven orders would make p too large."""
    rng = np.random.default_rng(6)
    size = np.clip(rng.lognormal(1, 2, (300, 20)).astype(int), 1, 400)
    user = np.repeat(np.arange(300), size.sum(axis=1))
    day = np.repeat(np.tile(np.arange(20), 300), size.ravel())
    log = log_of(user, day * DAY + np.arange(len(user)) % 1000, rng.integers(0, 4, len(user)))
    p = drift(sequences(log, log.category, 4, None), True, 99, 0).p
    p = p[~np.isnan(p)]
    assert 0.45 < p.mean() < 0.55
    assert (p <= 0.05).mean() <= 0.1


def test_alarms_under_the_null_are_nominal_even_when_a_day_is_of_one_kind() -> None:
    """Events of a day are alike: a shuffle of events takes that for change, a shuffle of days does not."""
    rng = np.random.default_rng(5)
    user, day = np.repeat(np.arange(400), 80), np.tile(np.repeat(np.arange(20), 4), 400)
    favourite = rng.integers(0, 4, (400, 20))
    log = log_of(user, day * DAY + np.tile(np.arange(4), 400 * 20) * 600, favourite[user, day])
    found = sequences(log, log.category, 4, None)
    rate = {by_day: (drift(found, by_day, 199, 0).p <= 0.05).mean() for by_day in (True, False)}
    assert rate[True] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
    assert rate[False] > 0.3
