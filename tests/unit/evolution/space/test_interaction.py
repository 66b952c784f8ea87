"""Interaction, leads and information: counts by hand, what was planted is found, and the null raises few alarms."""

from __future__ import annotations

import numpy as np
import pytest

from components.errors import DataError
from components.evolution.space.information import mutual_information
from components.evolution.space.interaction import interaction
from components.evolution.space.lags import leads, without_common, without_profile
from components.features.place import haversine_km

DAY = 86_400
ALLOWED = 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100)


def points(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return rng.uniform(40.7, 40.8, n), rng.uniform(-74.0, -73.9, n), rng.integers(0, 60 * DAY, n)


def test_pairs_are_those_of_a_count_by_hand() -> None:
    lat, lon, time_s = points(80, np.random.default_rng(0))
    found = interaction(lat, lon, time_s, np.zeros(80, int), [1.0, 3.0], [2 * DAY, 9 * DAY], 9, 0)
    i, j = np.triu_indices(80, 1)
    km, gap = haversine_km(lat[i], lon[i], lat[j], lon[j]), np.abs(time_s[i] - time_s[j])
    for row, radius in enumerate((1.0, 3.0)):
        for column, span in enumerate((2 * DAY, 9 * DAY)):
            assert found.pairs[row, column] == ((km <= radius) & (gap <= span)).sum()


def test_expected_is_the_product_of_what_is_near_in_each() -> None:
    """Without groups the mean of the null is N(near) · N(soon) / N(pairs): the ratio is K(h, u) / (K(h) K(u))."""
    lat, lon, time_s = points(200, np.random.default_rng(1))
    found = interaction(lat, lon, time_s, np.zeros(200, int), [2.0], [10 * DAY, 61 * DAY], 999, 0)
    near = found.pairs[0, 1]  # every pair is within 61 days
    soon = (np.abs(time_s[:, None] - time_s)[np.triu_indices(200, 1)] <= 10 * DAY).mean()
    assert found.expected[0, 0] == pytest.approx(near * soon, rel=0.01)
    assert found.ratio[0, 1] == 1
    assert found.p[0, 1] == 1


def outbreaks(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Events of which half come in bursts of five, near each other in space and time."""
    lat, lon, time_s = points(200, rng)
    a, b, t = points(40, rng)
    lat = np.concatenate([lat, (a[:, None] + rng.normal(0, 0.0005, (40, 5))).ravel()])
    lon = np.concatenate([lon, (b[:, None] + rng.normal(0, 0.0005, (40, 5))).ravel()])
    return lat, lon, np.concatenate([time_s, (t[:, None] + rng.integers(0, DAY, (40, 5))).ravel()])


def test_outbreaks_are_found_and_users_of_their_own_are_not() -> None:
    lat, lon, time_s = outbreaks(np.random.default_rng(2))
    found = interaction(lat, lon, time_s, np.zeros(400, int), [0.3, 1.0], [DAY, 5 * DAY], 199, 0)
    assert found.p_overall == 1 / 200
    assert found.p_family[0, 0] == 1 / 200
    assert found.ratio[0, 0] > 3
    alone = np.concatenate([np.arange(200), 200 + np.repeat(np.arange(40), 5)])
    by_user = interaction(lat, lon, time_s, alone, [0.3, 1.0], [DAY, 5 * DAY], 199, 0, between=True)
    assert by_user.p_overall > 0.05  # a burst of one user is no interaction between users


def test_users_who_move_once_by_themselves_do_not_interact() -> None:
    user = np.repeat(np.arange(40), 10)
    p = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        home = rng.uniform(0, 5, (40, 2, 2))  # before and after the move
        time_s = np.sort(rng.integers(0, 60 * DAY, (40, 10)), axis=1)
        moved = (time_s >= rng.integers(10 * DAY, 50 * DAY, (40, 1))).astype(int)
        lat, lon = (home[user, moved.ravel(), axis] for axis in (0, 1))
        p.append(
            interaction(
                40 + lat, lon, time_s.ravel(), user, [5.0, 50.0], [DAY, 10 * DAY], 99, seed, between=True
            ).p_overall
        )
    assert np.mean(np.array(p) <= 0.05) <= 0.2


def townspeople(rng: np.random.Generator, meet: bool) -> tuple[np.ndarray, ...]:
    """Thirty users with homes of their own, downtown by day and home at night; perhaps half of them at six fairs."""
    user, day = np.repeat(np.arange(30), 28), np.tile(np.arange(28), 30)
    home, out = rng.uniform(0, 0.2, (30, 2))[user], rng.random(len(user)) < np.where(day % 7 >= 5, 0.2, 0.6)
    hour = np.where(out, rng.uniform(10, 18, len(user)), rng.uniform(19, 24, len(user)))
    spot = np.where(
        out[:, None], 0.1 + rng.normal(0, 0.004, (len(user), 2)), home + rng.normal(0, 0.0002, (len(user), 2))
    )
    if meet:
        there = np.isin(day, [2, 8, 11, 16, 19, 25]) & (user < 15)
        spot[there], hour[there] = 0.1 + day[there, None] * 0.002 + rng.normal(0, 0.0005, (there.sum(), 2)), 15
    return 48.8 + spot[:, 0], 2.3 + spot[:, 1], (day * DAY + hour * 3600).astype(int), user, day


def test_those_who_keep_the_same_hours_do_not_interact_and_those_who_meet_do() -> None:
    asked = ([0.2, 0.8], [4 * 3600, DAY], 99)
    alarms = np.zeros(3)
    for seed in range(60):
        lat, lon, time_s, user, day = townspeople(np.random.default_rng(seed), False)
        by_day = interaction(lat, lon, time_s, user, *asked, seed, between=True, day=day)
        by_event = interaction(lat, lon, time_s, user, *asked, seed, between=True)
        alarms += [by_day.p_overall <= 0.05, by_day.p_family.min() <= 0.05, by_event.p_overall <= 0.05]
    assert (alarms[:2] / 60 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60)).all()
    assert alarms[2] / 60 > 0.9  # what shuffling the hours too would call interaction
    for seed in range(5):
        lat, lon, time_s, user, day = townspeople(np.random.default_rng(seed), True)
        assert interaction(lat, lon, time_s, user, *asked, seed, between=True, day=day).p_family.min() <= 0.02


def test_clusters_in_space_and_peaks_in_time_alone_are_none() -> None:
    rng = np.random.default_rng(3)
    alarms = np.zeros(3)
    for seed in range(100):
        centre = rng.uniform(0, 0.1, (5, 2))[rng.integers(0, 5, 150)]
        lat, lon = 40.7 + centre[:, 0] + rng.normal(0, 0.002, 150), -74 + centre[:, 1] + rng.normal(0, 0.002, 150)
        time_s = (rng.integers(0, 6, 150) * 10 * DAY + rng.normal(0, DAY, 150)).astype(int)
        found = interaction(lat, lon, time_s, np.zeros(150, int), [0.3, 1.0], [DAY, 5 * DAY], 99, seed)
        alarms += [found.p[0, 0] <= 0.05, found.p_overall <= 0.05, (found.p_family <= 0.05).any()]
    assert (alarms / 100 <= ALLOWED).all()


def test_too_many_pairs_are_refused() -> None:
    with pytest.raises(DataError, match="pairs"):
        interaction(np.zeros(7000), np.zeros(7000), np.arange(7000), np.zeros(7000, int), [1.0], [1], 1, 0)


def autoregressive(rng: np.random.Generator, steps: int, regions: int, phi: float) -> np.ndarray:
    x = rng.normal(size=(steps, regions))
    for t in range(1, steps):
        x[t] += phi * x[t - 1]
    return x


def test_planted_lead_is_found_at_its_lag() -> None:
    x = autoregressive(np.random.default_rng(4), 1500, 4, 0.6)
    x[:, 1] = 0.7 * np.roll(x[:, 0], 5) + 0.7 * x[:, 1]
    found = leads(x, 12)
    assert found.lag[0, 1] == 5
    assert found.q[0, 1] <= 0.05
    assert (found.q <= 0.05).sum() == 1
    assert np.isnan(np.diag(found.p)).all()
    series = np.roll(x, 0, axis=0)
    assert found.correlation[0, 1] == pytest.approx(np.corrcoef(series[:-5, 0], series[5:, 1])[0, 1], abs=0.01)


def test_independent_series_with_memory_lead_nobody() -> None:
    """Slow series look alike by chance: a test for white noise would raise an alarm for most of these pairs."""
    rng = np.random.default_rng(5)
    p = [leads(autoregressive(rng, 600, 2, 0.95), 10).p[0, 1] for _ in range(100)]
    assert np.mean(np.array(p) <= 0.05) <= ALLOWED


def test_a_common_driver_without_lag_is_no_lead_either_way() -> None:
    rng = np.random.default_rng(9)
    p = []
    for _ in range(60):
        series = autoregressive(rng, 600, 1, 0.9) + rng.normal(size=(600, 2))
        p.append(leads(series, 6).p[~np.eye(2, dtype=bool)])
    assert (np.mean(np.array(p) <= 0.05, axis=0) <= ALLOWED).all()


def test_regions_that_grow_by_themselves_do_not_lead() -> None:
    rng = np.random.default_rng(10)
    rise = np.linspace(0, 3, 600)[:, None] ** [1, 1.5]
    p = [leads(rise + rng.normal(size=(600, 2)), 6).p[~np.eye(2, dtype=bool)] for _ in range(60)]
    assert (np.mean(np.array(p) <= 0.05, axis=0) <= ALLOWED).all()


def test_a_lead_of_three_hours_in_a_common_driver_is_found() -> None:
    rng = np.random.default_rng(11)
    driver = autoregressive(rng, 1503, 1, 0.8)[:, 0]
    found = leads(np.stack([driver[3:], driver[:-3]], axis=1) + rng.normal(size=(1500, 2)), 6)
    assert (found.lag[0, 1], found.p[0, 1] <= 0.05, found.p[1, 0] > 0.5) == (3, True, True)


def test_the_common_mean_of_few_regions_stays() -> None:
    series = np.random.default_rng(12).normal(size=(50, 4))
    assert np.abs(without_common(series).sum(axis=1)).max() < 1e-12
    assert np.array_equal(without_common(series[:, :3]), series[:, :3])


def test_a_common_rhythm_is_no_lead_once_it_is_out() -> None:
    rng = np.random.default_rng(6)
    hour = np.arange(24 * 7 * 8)
    week = np.repeat(hour[:, None] % 168, 2, axis=1)
    daily = np.sin(hour / 24 * 2 * np.pi)[:, None] * 4
    p = [leads(without_profile(daily + rng.normal(size=(len(hour), 2)), week), 6).p[0, 1] for _ in range(100)]
    assert np.mean(np.array(p) <= 0.05) <= ALLOWED
    with pytest.raises(DataError, match="steps"):
        leads(np.zeros((50, 2)), 6)


def test_information_of_a_known_channel() -> None:
    """A binary channel that errs in a share e of the cases carries 1 - H(e) bits."""
    rng = np.random.default_rng(7)
    x = rng.integers(0, 2, 40_000)
    y = np.where(rng.random(40_000) < 0.11, 1 - x, x)
    none = np.zeros(40_000, int)
    found = mutual_information(x, y, none, 19, 0)
    assert found.miller_madow == pytest.approx(0.5, abs=0.02)
    assert found.share == pytest.approx(0.5, abs=0.02)
    assert found.p == 0.05
    given = mutual_information(x, y, x, 19, 0)  # nothing is left once x is known
    assert given.plain == pytest.approx(0, abs=1e-9)
    assert given.p == 1


def test_visits_of_equal_events_are_one_piece_of_evidence() -> None:
    """Hour and place are independent; each day has one visit of three events."""
    rng = np.random.default_rng(13)
    day = np.repeat(np.arange(120), 3)
    by_day, by_event = [], []
    for seed in range(60):
        hour, place, user = rng.integers(0, 6, 120)[day], rng.integers(0, 4, 120)[day], day // 40
        by_day.append(mutual_information(hour, place, user, 99, seed, block=day).p <= 0.05)
        by_event.append(mutual_information(hour, place, user, 99, seed).p <= 0.05)
    assert np.mean(by_day) <= ALLOWED
    assert np.mean(by_event) > 0.5
    tied = mutual_information(hour, hour // 2, user, 99, 0, block=day)
    assert tied.p == 0.01


def test_habits_drawn_apart_tell_nothing_beyond_the_user() -> None:
    """Each user has one hour and one kind, drawn apart: over all users at once they seem to tell of each other."""
    given, whole = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        user = np.repeat(np.arange(20), 40)
        hour, kind = (
            np.where(rng.random(800) < 0.7, rng.integers(0, n, 20)[user], rng.integers(0, n, 800)) for n in (24, 8)
        )
        given.append(mutual_information(hour, kind, user, 99, seed))
        whole.append(mutual_information(hour, kind, np.zeros(800, int), 99, seed))
    assert np.mean([one.p <= 0.05 for one in given]) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60)
    assert abs(np.mean([one.excess for one in given])) < 0.01
    assert np.mean([one.p <= 0.05 for one in whole]) > 0.9


def test_few_events_carry_no_information() -> None:
    rng = np.random.default_rng(8)
    found = [
        mutual_information(rng.integers(0, 20, 150), rng.integers(0, 10, 150), np.zeros(150, int), 99, seed)
        for seed in range(100)
    ]
    assert np.mean([one.plain for one in found]) > 0.5  # what the corrections are for
    assert abs(np.mean([one.excess for one in found])) < 0.02
    assert np.mean([one.miller_madow for one in found]) > 0.2  # a correction of first order is too small here
    assert np.mean([one.p <= 0.05 for one in found]) <= ALLOWED
    many = mutual_information(rng.integers(0, 20, 4000), rng.integers(0, 10, 4000), np.zeros(4000, int), 9, 0)
    assert abs(many.miller_madow) < 0.01 < many.plain
    assert np.isnan(mutual_information(*[np.zeros(0, int)] * 3, 9, 0).plain)
