"""Accounts that change hands are found, with the day; users who only drift, rest or read in bursts are not."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from components.evolution.anomalies.detectors import strange, turned
from components.evolution.anomalies.likelihoods import likelihoods
from components.evolution.anomalies.recurrence import Aspect, Pieces, stays
from components.evolution.anomalies.turns import Turns, turns
from components.evolution.log import Log
from components.evolution.significance import adjusted
from tests.unit.evolution.planted import MONDAY_S, log_of

DAYS, HALF = 60, 30


def city(taken: tuple[int, ...] = (), users: int = 240, seed: int = 0) -> Log:
    """Users with eight favourites, of which two change half-way; those `taken` live another life from then on."""
    rng = np.random.default_rng(seed)
    favourites = rng.integers(0, 400, (users, 8))
    later = favourites.copy()
    later[:, :2] = rng.integers(0, 400, (users, 2))
    rows = []
    for user in range(users):
        for day in range(DAYS):
            likes = later[(user + 7) % users if user in taken else user] if day >= HALF else favourites[user]
            for hour in rng.integers(7, 23, rng.poisson(1.5)):
                item = rng.choice(likes) if rng.random() < 0.6 else rng.integers(0, 400)
                rows.append((user, day * 86_400 + int(hour) * 3600 + int(rng.integers(3600)), int(item)))
    user, time, item = (np.array(column) for column in zip(*rows, strict=True))
    return log_of(user, time, item % 12, item)


def asked(log: Log, seed: int = 0) -> Turns:
    return turns(log, np.arange(log.n_users), 8, 10, seed)


def test_what_another_does_with_an_account_is_found_with_its_day() -> None:
    taken = (3, 50, 111, 200)
    found = asked(city(taken))
    flags = strange(turned(found.score, found.looks), 0.1)
    assert set(np.flatnonzero(flags)) == set(taken)
    begin = MONDAY_S // 86_400 + HALF
    assert (np.abs(found.since[list(taken)] - begin) <= 6).all()
    assert {found.aspects[one] for one in found.parts[list(taken)].argmax(1)} <= {
        "items", "categories by part of the day",
    }  # fmt: skip


def test_interests_that_drift_as_everybodys_do_are_no_reason() -> None:
    quiet = [asked(city(seed=seed)) for seed in range(3)]
    assert sum(strange(turned(one.score, one.looks), 0.1).sum() for one in quiet) <= 1


def test_a_history_too_short_to_cut_has_no_score_and_a_chance_of_one() -> None:
    log = city(users=60)
    short = log.only((log.user != 4) | (np.arange(log.n_events) < log.offsets[4] + 12))
    found = asked(short)
    assert np.isnan(found.score[4])
    assert found.since[4] == -1
    assert turned(found.score, found.looks)[4] == 1
    assert np.isfinite(found.score[5])


def test_the_same_seed_gives_the_same_scores_and_shuffled_users_no_others() -> None:
    log = city(users=80)
    first, again = asked(log), asked(log)
    assert np.array_equal(first.score, again.score)
    some = turns(log, np.arange(0, 80, 2), 8, 10, 0)
    assert np.array_equal(some.since[some.since >= 0] > 0, np.ones((some.since >= 0).sum(), bool))


def test_shares_that_stay_speak_for_one_person_and_other_shares_for_two() -> None:
    rng = np.random.default_rng(1)
    label = np.concatenate([np.where(rng.random(40) < share, 1, 0) for share in (0.9, 0.9, 0.1, 0.1)])
    aspect = Aspect(label, np.array([0.5, 0.5]), np.arange(0, 161, 40))
    edges = np.array([0, 40, 80, 120])
    same = Pieces(edges[[0, 2]], edges[[0, 2]] + 40, edges[[1, 3]], edges[[1, 3]] + 40)
    other = Pieces(edges[[0, 1]], edges[[0, 1]] + 40, edges[[2, 3]], edges[[2, 3]] + 40)
    assert (stays(aspect, same) < 0).all()
    assert (stays(aspect, other) > 3).all()


def test_a_model_that_is_surprised_from_that_day_on_is_evidence() -> None:
    log = city(taken=(3,), users=80)
    found = asked(log)
    late = (log.user == 3) & (log.day >= MONDAY_S // 86_400 + HALF)
    told = pl.DataFrame(
        {
            "user_id": log.users[log.user].tolist(),
            "timestamp": pl.Series(log.time_s * 1_000_000).cast(pl.Datetime("us", "UTC")),
            "log_likelihood": np.where(late, -8.0, -5.0),
        }
    )
    fallen = likelihoods(told, log).fallen(found.user, found.since)
    assert fallen[3] > 2
    assert np.allclose(np.delete(fallen, 3), 0)
    assert np.isnan(likelihoods(told.drop("timestamp"), log).fallen(found.user, found.since)).all()


def test_more_is_found_where_most_have_something_and_no_more_where_nobody_has() -> None:
    rng = np.random.default_rng(2)
    most = np.where(rng.random(1000) < 0.8, rng.beta(0.2, 6, 1000), rng.random(1000))
    assert (adjusted(most, many=True) <= 0.05).sum() > 1.05 * (adjusted(most) <= 0.05).sum()
    nobody = [(adjusted(rng.random(500), many=True) <= 0.05).any() for _ in range(200)]
    assert np.mean(nobody) <= 0.09
    assert adjusted(np.array([0.02, np.nan]), many=True)[0] == pytest.approx(0.02)
