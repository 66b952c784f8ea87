"""The truth is the truth: a longer log extends a shorter one, and the oracle's probabilities are the generator's."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from components.errors import DataError
from components.events.simulator import rules, simulate, truth
from components.features.store import Store
from components.observers import CityObserver, CityOracle, observers
from components.params import SimulationParams
from components.predictor import Predictor, Queries, Scores
from tests.city import SEED, clean_log, queries_of, small_city, store_of


@pytest.fixture(scope="module")
def simulation() -> SimulationParams:
    return small_city()


@pytest.fixture(scope="module")
def store(simulation: SimulationParams) -> Store:
    return store_of(clean_log(simulation), simulation)


@pytest.fixture(scope="module")
def asked(store: Store) -> tuple[Queries, NDArray[np.int32]]:
    """Every third event of the newest half."""
    queries, target = queries_of(store, 0.5)
    keep = np.arange(0, len(queries), 3)
    return queries[keep], target[keep]


@pytest.fixture(scope="module")
def answers(simulation: SimulationParams, asked: tuple[Queries, NDArray[np.int32]]) -> dict[str, Scores]:
    return {one.name: one.score(asked[0]) for one in observers(simulation, SEED)}


def test_any_range_gives_the_same_days(simulation: SimulationParams) -> None:
    first, last = dt.date(2025, 3, 3), dt.date(2025, 3, 20)
    whole = pl.concat(simulate(simulation, SEED, first, last))
    longer = pl.concat(simulate(simulation, SEED, first, last + dt.timedelta(days=9)))
    assert longer.head(len(whole)).equals(whole)
    assert len(longer) > len(whole)
    later = pl.concat(simulate(simulation, SEED, dt.date(2025, 3, 15), last))
    assert whole.tail(len(later)).equals(later)
    more_days = simulation.model_copy(update={"days": simulation.days + 100})
    assert pl.concat(simulate(more_days, SEED, first, last)).equals(whole)
    assert list(simulate(simulation, SEED, dt.date(2025, 2, 1), dt.date(2025, 3, 2))) == []


def test_they_speak_the_predictors_protocol(simulation: SimulationParams, tmp_path: Path) -> None:
    for one in observers(simulation, SEED):
        assert isinstance(one, Predictor)
        one.save(tmp_path / one.name)
        again = type(one).load(tmp_path / one.name)
        assert (again.simulation, again.seed) == (simulation, SEED)


def test_answers_are_distributions(answers: dict[str, Scores]) -> None:
    for scores in answers.values():
        assert np.isneginf(scores.item[:, :2]).all()
        assert np.isfinite(scores.item[:, 2:]).all()
        assert np.logaddexp.reduce(scores.item, axis=1) == pytest.approx(0.0, abs=1e-4)
        assert scores.action is not None
        assert scores.action.sum(axis=1) == pytest.approx(1.0, abs=1e-5)


def _log_probability(scores: Scores, target: NDArray[np.int32]) -> NDArray[np.float64]:
    return scores.item[np.arange(len(target)), target].astype(np.float64)


def test_oracle_beats_observer_beats_popularity(
    answers: dict[str, Scores], asked: tuple[Queries, NDArray[np.int32]], store: Store
) -> None:
    _, target = asked
    oracle, observer = (_log_probability(answers[name], target) for name in ("city_oracle", "city_observer"))
    # popularity is even allowed to count the answers themselves
    counts = np.bincount(np.asarray(store["item"]), minlength=store.encoding.n_items) + 1e-9
    popularity = np.log(counts / counts.sum())[target]
    for better, worse in ((oracle, observer), (observer, popularity)):
        gain = better - worse
        assert gain.mean() > 3 * gain.std() / np.sqrt(len(gain))


@pytest.fixture(scope="module")
def everything() -> tuple[Scores, NDArray[np.int32], NDArray[np.int64]]:
    """The oracle's answers to every event of a larger city, the items that happened, and the actions."""
    simulation = small_city(users=300)
    queries, target = queries_of(store_of(clean_log(simulation), simulation), 1.0)
    happened = np.asarray(queries.store["action"])[queries.stop].astype(np.int64)
    return CityOracle(simulation, SEED).score(queries), target, happened


def _surprise(scores: Scores, target: NDArray[np.int32]) -> float:
    """How far the mean log-probability of what happened is from minus the mean entropy, in standard errors."""
    log = scores.item[:, 2:].astype(np.float64)
    p = np.exp(log)
    entropy, square = -(p * log).sum(axis=1), (p * log**2).sum(axis=1)
    return float((_log_probability(scores, target) + entropy).sum() / np.sqrt((square - entropy**2).sum()))


def test_the_oracles_surprise_is_what_it_expects(
    everything: tuple[Scores, NDArray[np.int32], NDArray[np.int64]],
) -> None:
    assert abs(_surprise(*everything[:2])) < 3


def test_events_happen_as_often_as_the_oracle_says(
    everything: tuple[Scores, NDArray[np.int32], NDArray[np.int64]],
) -> None:
    """By probability stated, by item, and by action: counts within the oracle's own spread."""
    scores, target, happened = everything
    p = np.exp(scores.item[:, 2:].astype(np.float64))
    hit = np.zeros_like(p)
    hit[np.arange(len(p)), target - 2] = 1.0
    band = np.digitize(p, [1e-3, 1e-2, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.99])
    for one in np.unique(band):
        at = band == one
        spread = np.sqrt((p[at] * (1 - p[at])).sum())
        assert abs(hit[at].sum() - p[at].sum()) < 3.5 * spread + 0.5, f"band {one}"
    spread = np.sqrt((p * (1 - p)).sum(axis=0))
    z = (hit.sum(axis=0) - p.sum(axis=0)) / np.maximum(spread, 1e-9)
    often = p.sum(axis=0) > 5
    # the mean of n squared standard normal numbers has deviation sqrt(2 / n)
    assert (z[often] ** 2).mean() == pytest.approx(1.0, abs=4 * np.sqrt(2 / often.sum()))
    action = scores.action
    assert action is not None
    counts = np.bincount(happened, minlength=action.shape[1])
    expected, spread = action.sum(axis=0), np.sqrt((action * (1 - action)).sum(axis=0))
    assert (np.abs(counts - expected)[2:] < 3.5 * spread[2:] + 0.5).all()


def test_wrong_truth_is_found_out(simulation: SimulationParams, asked: tuple[Queries, NDArray[np.int32]]) -> None:
    """An oracle of another seed is not calibrated: the tests above can fail."""
    assert abs(_surprise(CityOracle(simulation, SEED + 1).score(asked[0]), asked[1])) > 20


def test_hidden_time_costs_something_but_not_the_order(
    simulation: SimulationParams, store: Store, answers: dict[str, Scores], asked: tuple[Queries, NDArray[np.int32]]
) -> None:
    queries, target = queries_of(store, 0.5, time_given=False)
    keep = np.arange(0, len(queries), 9)
    queries, target = queries[keep], target[keep]
    hidden = CityOracle(simulation, SEED).score(queries)
    oracle, observer = (
        _log_probability(one, target).mean() for one in (hidden, CityObserver(simulation, SEED).score(queries))
    )
    assert observer < oracle < _log_probability(answers["city_oracle"], asked[1]).mean()
    assert abs(_surprise(hidden, target)) < 5, "approximated, but not wrong"


def test_observer_reads_nothing_from_the_question_on(simulation: SimulationParams, store: Store) -> None:
    """Altering every event at or after the question changes no answer."""
    queries, _ = queries_of(store, 0.1)
    queries = queries[np.arange(0, len(queries), 60)]
    observer = CityObserver(simulation, SEED)
    before = observer.score(queries)
    for q in range(0, len(queries), 3):
        one = queries[np.array([q])]
        columns = {name: np.array(column) for name, column in store.columns.items()}
        columns["item"][one.stop[0] :] = 2
        columns["action"][one.stop[0] :] = 2
        columns["time_s"][one.stop[0] :] += 10**6
        altered = Store(store.users, store.offsets, columns, store.numbers, store.missing, store.encoding)
        after = observer.score(dataclasses.replace(one, store=altered))
        assert after.item[0] == pytest.approx(before.item[q], abs=1e-4)


def test_rows_do_not_depend_on_one_another(
    simulation: SimulationParams, asked: tuple[Queries, NDArray[np.int32]]
) -> None:
    queries = asked[0][np.arange(0, len(asked[0]), 40)]
    for one in observers(simulation, SEED):
        together = one.score(queries).item
        alone = np.concatenate([one.score(queries[np.array([q])]).item for q in range(len(queries))])
        assert alone[:, 2:] == pytest.approx(together[:, 2:], abs=1e-4)


def test_strangers_are_refused_by_the_oracle_and_answered_by_the_observer(
    simulation: SimulationParams, store: Store
) -> None:
    queries, _ = queries_of(store, 0.02)
    users = np.array([f"visitor{n}" for n in range(len(store.users))], dtype=object)
    strange = Store(users, store.offsets, store.columns, store.numbers, store.missing, store.encoding)
    unknown = dataclasses.replace(queries, store=strange, stop=queries.start)
    with pytest.raises(DataError, match="people of this city"):
        CityOracle(simulation, SEED).score(unknown)
    assert np.isfinite(CityObserver(simulation, SEED).score(unknown).item[:, 2:]).all()


def test_social_events_draw_a_crowd(simulation: SimulationParams, store: Store) -> None:
    """A planted market or concert is visited far more on its day and slot than the same venue otherwise."""
    log = clean_log(simulation).filter(pl.col("device") != "bot")
    local = pl.col("timestamp").dt.convert_time_zone(rules.TIMEZONE)
    log = log.with_columns(date=local.dt.date(), hour=local.dt.hour())
    there = days = 0
    elsewhere = 0.0
    for day in range(simulation.days):
        date = simulation.start + dt.timedelta(days=day)
        for row in truth(simulation, SEED, date)["planted"].iter_rows(named=True):
            at = log.filter(
                (pl.col("item_id") == row["item_id"])
                & pl.col("hour").is_between(row["from_hour"], row["to_hour"] - 1)
                & (pl.col("action") == "checkin")
            )
            there += at.filter(pl.col("date") == date).height
            elsewhere += at.filter(pl.col("date") != date).height / (simulation.days - 1)
            days += 1
    assert days > 20
    assert there > 5 * elsewhere
