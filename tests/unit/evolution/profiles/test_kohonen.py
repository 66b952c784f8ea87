"""The map of users' weeks: planted kinds lie apart and hold together, chance has none, few are not told."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from components.errors import DataError
from components.evolution.log import Log
from components.evolution.profiles.kohonen import Map, fit, nearest
from components.evolution.profiles.quality import judged
from components.evolution.profiles.report import profile_report
from components.evolution.profiles.weeks import counts, kinds_of, profiles
from components.params import ProfileParams
from tests.unit.evolution.planted import log_of

DAY, HOUR = 86_400, 3_600
ASKED = ProfileParams(
    units=9, categories=3, least_events=30, least_users=5, bandwidth_h=1.5, prior=20, rounds=15, deals=2,
    permutations=99, level=0.05,
)  # fmt: skip


def town(kinds: int, users: int, seed: int) -> Log:
    """Users of so many kinds, in turn: each kind has its hours and its category."""
    rng = np.random.default_rng(seed)
    user, day = (axis.ravel() for axis in np.meshgrid(np.arange(users), np.arange(70), indexing="ij"))
    kind = user % kinds
    hour = (8 + 4 * kind + rng.integers(0, 2, len(user))) % 24
    category = np.where(rng.random(len(user)) < 0.8, kind, rng.integers(0, kinds, len(user)))
    return log_of(user, day * DAY + hour * HOUR + rng.integers(0, HOUR, len(user)), category)


def test_touching_units_are_a_step_apart() -> None:
    place = np.arange(12)
    found = Map(np.zeros((12, 1), np.float32), place % 4, place // 4)
    assert found.beside().sum(axis=1).tolist() == [2, 4, 4, 3, 5, 6, 6, 3, 2, 4, 4, 3]
    assert (found.apart() == found.apart().T).all()


def test_a_line_is_unrolled_along_the_map() -> None:
    along = np.linspace(0, 1, 400, dtype=np.float32)[:, None] * np.ones((1, 5), np.float32)
    found = fit(along, 8, 1, 30)
    steps = np.diff(found.units[:, 0])
    assert (steps > 0).all() or (steps < 0).all()
    assert np.abs(found.units[nearest(along, found.units)[:, 0]] - along).max() < 0.12


def test_units_hold_one_planted_kind_each() -> None:
    log = town(3, 240, 0)
    found = profile_report(log, ASKED, 0)
    assert found == profile_report(log, ASKED, 0)
    assert json.dumps(found, allow_nan=False)
    told = [one for one in found["units"] if one["users"]]
    assert sum(one["users"] for one in told) >= 220
    assert {(one["what"], one["when"]) for one in told} >= {
        ("c000", "weekday mornings"), ("c001", "weekday lunchtimes"), ("c002", "weekday afternoons"),
    }  # fmt: skip
    ways = {one["way"]: one for one in found["quality"]["ways"]}
    assert ways["map"]["explained"] > 0.5
    assert ways["dealt anew"]["explained"] < 0.5 * ways["map"]["explained"]
    assert ways["map"]["explained_later"] > 0.3
    assert found["quality"]["p_later"] == 0.01
    assert ways["map"]["quantisation_error"] < ways["one for all"]["quantisation_error"]


def test_one_kind_of_users_has_no_kinds() -> None:
    p = [profile_report(town(1, 200, seed), ASKED, seed)["quality"]["p_later"] for seed in range(4)]
    assert min(p) > 0.02


def test_figures_dealt_anew_keep_what_each_figure_varies_by() -> None:
    """Where figures do not go together a map of them as they are is no better than one of them dealt anew."""
    rng = np.random.default_rng(1)
    whole, other = (rng.normal(size=(500, 6)).astype(np.float32) for _ in range(2))
    found = judged(fit(whole, 3, 3, 15), whole, whole, other, 15, 3, 99, 0)
    ways = {one.way: one for one in found.ways}
    assert ways["map"].explained == pytest.approx(ways["dealt anew"].explained, abs=0.03)
    assert found.p_later > 0.02


def test_a_kind_of_few_users_is_not_told() -> None:
    """Four users of hours of their own: neither their unit nor their part of the week is told, nor what would tell."""
    rng = np.random.default_rng(2)
    user = np.repeat(np.arange(204), 60)
    few = user >= 200
    hour = np.where(few, 3, 12 + rng.integers(0, 2, len(user)))
    category = np.where(few, 0, rng.integers(0, 2, len(user)))
    log = log_of(user, np.tile(np.arange(60), 204) * DAY + hour * HOUR, category)
    found = profile_report(log, ASKED, 0)
    assert all(one["users"] is None or one["users"] == 0 or one["users"] >= 5 for one in found["units"])
    hidden = [one for one in found["units"] if one["users"] is None]
    assert hidden, "the few have a unit"
    assert sum(one["users"] or 0 for one in found["units"]) <= 199
    assert not any(one["hour"] == 3 and one["share"] for one in found["hours"])
    assert not any("night" in (one["when"] or "") for one in found["units"])


def test_a_category_of_few_users_has_no_name() -> None:
    user = np.repeat(np.arange(20), 3)
    log = log_of(user, np.arange(60) * DAY, np.where(user < 3, 7, user % 2))
    every = np.ones(60, bool)
    assert kinds_of(log, every, 5, 2).names == ["c001", "c000", "c007"]  # those of most users first
    few = kinds_of(log, every, 5, 4)
    assert few.names == ["c001", "c000"]  # and three users together are no others
    assert (few.code < 0).sum() == 9
    assert kinds_of(log, every, 1, 2).names == ["c001", "other"]


def test_a_profile_is_a_distribution_drawn_to_everybody() -> None:
    count = counts(np.array([0, 0, 1]), np.array([5, 5, 100]), np.array([0, 1, 1]), 2, 2)
    assert count.sum() == 3
    assert count[1, 0, 5] == 1
    near, far = profiles(count, 1.0, 1.0), profiles(count, 1.0, 1000.0)
    assert np.allclose((near**2).sum(axis=1), 1, atol=1e-5)
    assert np.linalg.norm(near[0] - near[1]) > 10 * np.linalg.norm(far[0] - far[1])


def test_too_few_users_have_no_map() -> None:
    with pytest.raises(DataError, match="45 users"):
        profile_report(town(2, 40, 0), ASKED, 0)


def test_where_no_category_has_a_name_units_are_told_by_their_hours() -> None:
    """Every user has a category that nobody else has: all are `other`, and that is not what a unit does more."""
    log = town(3, 240, 0)
    found = profile_report(replace(log, category=log.user, categories=log.users), ASKED, 0)
    assert {one["what"] for one in found["units"]} == {None}
    assert {one["category"] for one in found["categories"]} == {"other"}
    assert any(one["when"] for one in found["units"])


def test_no_category_that_may_be_told_is_no_map() -> None:
    log = town(3, 240, 0)
    known_of_few = np.where(log.user < ASKED.least_users - 1, log.category, -1)
    with pytest.raises(DataError, match="5 users or more; found none"):
        profile_report(replace(log, category=known_of_few), ASKED, 0)
