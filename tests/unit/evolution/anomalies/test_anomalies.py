"""Strange users: planted ones stand out on either side, a crowd gives few flags, accounts that turn rank high."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from components.errors import DataError, SchemaError
from components.evolution.anomalies.behaviour import behaviour, enough
from components.evolution.anomalies.detectors import chance, ecod, strange, tails
from components.evolution.anomalies.likelihoods import likelihoods
from components.evolution.anomalies.peers import deviations
from components.evolution.anomalies.report import anomaly_report
from components.evolution.anomalies.turns import turns
from components.evolution.log import Log
from components.params import AnomalyParams
from tests.unit.evolution.planted import MONDAY_S, log_of

ASKED = AnomalyParams(least_events=10, resolution=8, level=0.1, least_users=1, likelihoods=None, named=True)
DAY = 86_400


def crowd(users: int = 300, seed: int = 0, clock: int | None = None) -> Log:
    """Users with favourites and waking hours; `clock` acts every 20 seconds in the night instead."""
    rng = np.random.default_rng(seed)
    count = rng.integers(30, 90, users)
    user = np.repeat(np.arange(users), count)
    n = len(user)
    hour = np.clip(rng.normal(14, 3, n), 7, 23)
    time = rng.integers(0, 60, n) * DAY + (hour * 3600).astype(int) + rng.integers(0, 3600, n)
    item = np.where(rng.random(n) < 0.6, user * 7 % 200, rng.integers(0, 200, n))
    if clock is not None:
        mine = user == clock
        time[mine] = 3 * 3600 + 20 * np.arange(mine.sum())
    return log_of(user, time, item % 10, item)


def test_a_clock_stands_out_and_is_named_only_if_asked() -> None:
    found = anomaly_report(crowd(clock=17), ASKED, None, 0)
    assert found["named"][0]["user_id"] == "u00017"
    assert found["named"][0]["figure"] in {"pause_spread", "odd_hours", "rate", "hour_entropy", "burstiness"}
    assert sum(one["users"] for one in found["reasons"]) == found["strange"]
    assert anomaly_report(crowd(clock=17), ASKED.model_copy(update={"named": False}), None, 0)["named"] == []


def test_a_crowd_without_any_gives_few_flags() -> None:
    flagged = [anomaly_report(crowd(seed=seed), ASKED, None, 0)["strange"] for seed in range(8)]
    assert np.mean(np.array(flagged) > 0) <= 0.5
    assert np.mean(flagged) / 300 <= 0.01


def test_peers_are_the_equally_busy() -> None:
    rng = np.random.default_rng(1)
    events = np.sort(rng.integers(10, 1000, 2000))
    values = (np.log(events) + rng.normal(0, 0.1, 2000))[:, None]
    far = deviations(values, events)[:, 0]
    assert abs(np.corrcoef(far, np.log(events))[0, 1]) < 0.25  # the raw figure: 0.99
    assert 0.7 < far.std() < 1.3
    values[1000] += 2.0
    assert deviations(values, events)[1000, 0] > 10
    values[7] = np.nan
    assert deviations(values, events)[7, 0] == 0


def test_ecod_is_the_published_one() -> None:
    published = pytest.importorskip("pyod.models.ecod")
    rng = np.random.default_rng(2)
    data = np.concatenate([rng.normal(size=(200, 3)), rng.gamma(1, size=(200, 2))], axis=1)
    theirs = published.ECOD().fit(data).decision_scores_
    assert np.allclose(ecod(data), theirs)


def test_noise_is_seldom_flagged_and_outliers_are() -> None:
    rng = np.random.default_rng(3)
    some = [strange(chance(tails(rng.normal(size=(500, 10)))), 0.1).any() for _ in range(40)]
    assert np.mean(some) <= 0.2
    data = rng.normal(size=(500, 10))
    data[:5, 0] = 12
    assert strange(chance(tails(data)), 0.1)[:5].all()


def test_likelihoods_are_read_by_user_and_count_on_both_sides() -> None:
    log = crowd(users=80)
    rng = np.random.default_rng(0)
    table = pl.DataFrame({"user_id": log.users[log.user].tolist(), "log_likelihood": rng.normal(-5, 1, log.n_events)})
    told = table.filter(pl.col("user_id") != "u00001").with_columns(
        pl.when(pl.col("user_id") == "u00002").then(-0.01).otherwise("log_likelihood").alias("log_likelihood")
    )
    found = likelihoods(told, log)
    assert np.isnan([found.mean[1], found.least[1]]).all()
    assert np.isclose(found.mean[2], -0.01)
    assert found.least[3] < found.mean[3]
    assert np.isclose(found.mean[3], table.filter(user_id="u00003")["log_likelihood"].to_numpy().mean())
    assert len(found.day) == 0
    named = anomaly_report(log, ASKED, found, 0)["named"]
    assert named[0]["user_id"] == "u00002"  # too likely is strange too
    with pytest.raises(SchemaError, match="log_likelihood"):
        likelihoods(table.drop("log_likelihood"), log)


def test_days_are_read_from_a_csv() -> None:
    log = log_of(np.repeat([0, 1], 5), np.arange(10) * 3600)
    days = ["2025-01-06 12:00:00", "2025-01-07T12:00:00Z", "2025-01-09T01:00:00+0200", ""]
    rows = [f"u{user:05d},{day},-1.5" for user in (0, 1) for day in days]
    found = likelihoods(pl.read_csv("\n".join(["user_id,timestamp,log_likelihood", *rows]).encode()), log)
    assert found.user.tolist() == [0, 0, 0, 1, 1, 1]
    assert (found.day - MONDAY_S // DAY).tolist() == [0, 1, 2, 0, 1, 2]  # the last one is of the day before in UTC
    for wrong in ("yesterday", "1736121600"):
        with pytest.raises(SchemaError, match=f"timestamp; found {wrong}"):
            likelihoods(pl.read_csv(f"user_id,timestamp,log_likelihood\nu00000,{wrong},-1.5".encode()), log)


def test_a_handful_is_no_crowd() -> None:
    with pytest.raises(DataError, match="50 users"):
        anomaly_report(crowd(users=30), ASKED, None, 0)
    log = crowd(users=30)
    assert behaviour(log, turns(log, enough(log, 10), 8, 5, 0)).values.shape[0] == 30


def test_a_dozen_of_a_kind_do_not_hide_one_another() -> None:
    """They fill the group of the equally busy, whose middle and spread are then theirs."""
    rng = np.random.default_rng(4)
    events = np.concatenate([np.sort(rng.integers(20, 400, 465)), np.full(12, 900)])
    values = np.concatenate([rng.normal(0, 1, 465), rng.normal(25, 0.1, 12)])[:, None]
    far = deviations(values, events)[:, 0]
    assert (far[-12:] > 10).all()  # judged by their own group alone: 1 or less
    assert np.abs(far[:-12]).max() < 6


def test_who_is_busier_than_any_group_is_judged_on_the_line_through_the_groups() -> None:
    rng = np.random.default_rng(5)
    events = np.sort(np.exp(rng.normal(4.5, 0.7, 700))).astype(np.int64) + 10
    far = deviations((2 * np.log(events) + rng.normal(0, 0.1, 700))[:, None], events)[:, 0]
    assert abs(far[-10:].mean()) < 1  # held at the middle of the busiest group: above 20


def test_reading_without_sleep_and_after_a_script_is_told() -> None:
    log = crowd()
    awake, script = np.arange(40) * 1800, np.arange(40) % 200
    user, time, item = (getattr(log, name).copy() for name in ("user", "time_s", "item"))
    start = int(time.min()) // DAY * DAY
    for one in (5, 6):
        rows = np.flatnonzero(user == one)[:40]
        item[rows] = script[: len(rows)] + 1
        if one == 5:
            time[rows] = start + awake[: len(rows)]
    order = np.lexsort((time, user))
    found = log_of(user, (time - MONDAY_S)[order], item[order] % 10, item[order])
    told = behaviour(found, turns(found, enough(found, 10), 8, 5, 0))
    figures = dict(zip(told.names, told.values.T, strict=True))
    place = [list(told.user).index(one) for one in (5, 6)]
    assert figures["awake"][place[0]] == figures["awake"].max() >= 14
    assert (figures["copied"][place] > 0.3).all()
    assert np.median(figures["copied"]) == 0


def test_days_of_strange_users_are_those_on_which_they_do_more_than_anybody() -> None:
    log = crowd(clock=17)
    found = anomaly_report(log, ASKED, None, 0)
    first = str(np.datetime64(int(log.day[log.user == 17][0]), "D"))
    assert [(one["day"], one["users"]) for one in found["days"]] == [(first, 1)]
