"""States follow a user's own rhythm, and nothing that has not happened yet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import DataError
from components.evolution.lifecycle.rhythm import Rhythm, fit_rhythm
from components.evolution.lifecycle.states import (
    ABSENT,
    ACTIVE,
    CHURNED,
    DORMANT,
    LAPSING,
    NEW,
    RETURNING,
    limits_of,
    states_at,
)
from components.evolution.lifecycle.survival import until_churned
from tests.unit.evolution.lifecycle.logs import days, simulated

#: Everyone's pause is 4 days and counts as much as one of one's own; limits at 2, 4 and 8 times the own mean.
FOURS = Rhythm(mean=np.log(4), pull=1.0, stray=(np.log(2), np.log(4), np.log(8)), pauses=99)
LIMITS = (0.8, 0.95, 0.99)


def test_a_life_by_hand() -> None:
    log = days([10, 14, 18, 60, 64, 68, 72, 76, 80])  # every pause of 4 but one: limits 8, 16 and 32
    asked = {
        10: ABSENT,
        11: NEW,
        20: ACTIVE,
        26: ACTIVE,
        27: LAPSING,
        34: LAPSING,
        35: DORMANT,
        50: DORMANT,
        51: CHURNED,
    }
    found = states_at(log, np.array(list(asked)), FOURS, fresh=1)[0]
    assert found.tolist() == list(asked.values())
    # back on 60: returning as long as lapsing took by the pauses so far, 4 4 42 and everyone's 4
    assert limits_of(log, FOURS).after[3, 0] == int(2 * 4 * (42 / 4) ** 0.25) == 14
    assert states_at(log, np.array([61, 74, 75]), FOURS, 1)[0].tolist() == [RETURNING, RETURNING, ACTIVE]
    assert states_at(log, np.array([81]), FOURS, fresh=21)[0].tolist() == [RETURNING]
    assert states_at(log, np.array([20]), FOURS, fresh=10)[0].tolist() == [NEW]


def test_everyone_is_new_at_first_and_no_longer_than_silence_may_last_then(log) -> None:  # type: ignore[no-untyped-def]
    rhythm, moments = fit_rhythm(log, 200, LIMITS), np.arange(0, log.end + 1)
    new = states_at(log, moments, rhythm, 1) == NEW
    age = moments[None, :] - log.unit[log.offsets[:-1], None]
    assert new[age == 1].all()
    assert age[new].max() == rhythm.limits(np.zeros(1), np.zeros(1, int))[0, 0]


def test_one_silence_means_different_things_to_different_people() -> None:
    daily, monthly = list(range(0, 90)), [0, 30, 60, 89]
    found = states_at(days(daily, monthly), np.array([110]), FOURS, 1)
    assert found[:, 0].tolist() == [CHURNED, ACTIVE]


def test_own_means_are_pulled_to_everyones_as_far_as_they_are_unsure() -> None:
    rng = np.random.default_rng(0)
    own, within = rng.normal(2.0, 0.5, 400), 0.8
    gaps = np.maximum(np.round(np.exp(own[:, None] + rng.normal(0, within, (400, 12)))), 1).astype(int)
    log = days(*[np.concatenate([[0], np.cumsum(row)]).tolist() for row in gaps])
    found = fit_rhythm(log, 10**6, LIMITS)
    assert found.mean == pytest.approx(2.0, abs=0.08)
    assert found.pull == pytest.approx(within**2 / 0.5**2, rel=0.25)
    said = found.limits(np.log(gaps[:, :-1]).sum(axis=1), np.full(400, 11))
    assert np.mean(gaps[:, -1:] > said, axis=0) == pytest.approx([0.2, 0.05, 0.01], abs=0.03)


def test_everyone_alike_is_pulled_wholly_and_everyone_regular_not_at_all() -> None:
    rng = np.random.default_rng(1)
    alike = days(*[np.cumsum(rng.integers(2, 9, 20)).tolist() for _ in range(40)])
    assert fit_rhythm(alike, 10**6, LIMITS).pull > 20
    regular = days(*[list(range(0, 40 * step, step)) for step in (1, 2, 3, 5, 8)])
    assert fit_rhythm(regular, 10**6, LIMITS).pull < 1e-6
    with pytest.raises(DataError, match="at least 20 pauses"):
        fit_rhythm(regular, 3, LIMITS)


@pytest.fixture(scope="module")
def log():  # type: ignore[no-untyped-def]
    return simulated(120, 300, seed=3)


@settings(max_examples=25, deadline=None)
@given(moment=st.integers(30, 290))
def test_the_future_changes_no_state(log, moment: int) -> None:  # type: ignore[no-untyped-def]
    moments = np.array([moment - 20, moment])
    known = log.before(moment)
    there = np.isin(log.users, known.users)
    rhythm = fit_rhythm(log, moment, LIMITS)
    assert rhythm == fit_rhythm(known, moment, LIMITS)
    whole = states_at(log, moments, rhythm, 14)
    assert (whole[there] == states_at(known, moments, rhythm, 14)).all()
    assert (whole[~there] == ABSENT).all()


@settings(max_examples=15, deadline=None)
@given(factor=st.integers(2, 9))
def test_slower_time_is_the_same_life(log, factor: int) -> None:  # type: ignore[no-untyped-def]
    slow = replace(log, unit=log.unit * factor)
    moments = np.array([100, 150, 250])
    a = states_at(log, moments, fit_rhythm(log, 250, LIMITS), 14)
    b = states_at(slow, moments * factor, fit_rhythm(slow, 250 * factor, LIMITS), 14 * factor)
    assert (a == b).mean() > 0.97  # limits are whole units, which are finer in slow time


def test_silence_leads_one_way(log) -> None:  # type: ignore[no-untyped-def]
    rhythm = fit_rhythm(log, 200, LIMITS)
    order = np.array([0, 0, 0, 1, 2, 3, 0])[states_at(log, np.arange(log.end, log.end + 2000, 7), rhythm, 14)]
    assert (np.diff(order, axis=1) >= 0).all()
    assert (order[:, -1] == 3).all()


def test_lost_are_those_who_were_churned_at_some_moment(log) -> None:  # type: ignore[no-untyped-def]
    rhythm = fit_rhythm(log, 200, LIMITS)
    states = states_at(log, np.arange(1, log.end + 1), rhythm, 14) == CHURNED
    found = until_churned(log, log.end, rhythm)
    assert found.happened.tolist() == states.any(axis=1).tolist()
    assert 0.2 < found.happened.mean() < 0.9
    first = log.unit[log.offsets[:-1]]
    when = 1 + states.argmax(axis=1) - first
    assert found.time[found.happened].tolist() == when[found.happened].tolist()
    assert found.time[~found.happened].tolist() == (log.end - first)[~found.happened].tolist()
    assert LAPSING < DORMANT < CHURNED
