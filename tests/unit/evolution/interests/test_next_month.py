"""Persistence, next month's mix and popularity: by hand, on planted tastes, and without a look ahead."""

from __future__ import annotations

import numpy as np
import pytest

from components.errors import DataError
from components.evolution.interests.forecast import ALL_BEFORE, EVERYBODY, LAST_MONTH, Forecast, forecast, next_mix
from components.evolution.interests.persistence import persistence
from components.evolution.interests.popularity import popularity
from components.evolution.sequences import Sequences, months, sequences, sliding
from tests.unit.evolution.planted import MONDAY_S, log_of

DAY = 86_400
FEBRUARY = (1_738_368_000 - MONDAY_S) // DAY  # days from the start to the first of February


def fans(rng: np.random.Generator, users: int = 60, days: int = 240, drift: bool = False) -> Sequences:
    """An event a day, three quarters of them of the user's own kind among ten; which is another one every month."""
    user, day = np.repeat(np.arange(users), days), np.tile(np.arange(days), users)
    own = (user + (np.maximum(day - FEBRUARY, 0) // 30 if drift else 0)) % 10
    kind = np.where(rng.random(len(user)) < 0.75, own, rng.integers(0, 10, len(user)))
    log = log_of(user, day * DAY, kind)
    return sequences(log, log.category, 10, None)


def forecasts(found: Sequences) -> Forecast:
    return forecast(found, months(found), [0.5, 2.0], [0.5, 2.0, 10.0], 3, 200, 0.95, 0)


def test_a_stable_taste_is_best_told_by_all_before() -> None:
    found = fans(np.random.default_rng(0))
    answer = forecasts(found)
    by_name = {one.name: one for one in answer.scores}
    truth = -(0.775 * np.log(0.775) + 9 * 0.025 * np.log(0.025))  # nats an event, of the mix itself
    assert by_name[ALL_BEFORE].loss.value == pytest.approx(truth, abs=0.1)  # learned from half a year
    assert by_name[ALL_BEFORE].gain.low > 0
    assert by_name[EVERYBODY].loss.value == pytest.approx(np.log(10), abs=0.02)
    assert by_name[LAST_MONTH].gain.value == 0
    assert answer.chosen == min(answer.scores, key=lambda one: one.tuned).name
    some = np.array([3, 17, 58])
    mix = next_mix(found, months(found), answer, some)
    np.testing.assert_allclose(mix.sum(axis=1), 1)
    assert (mix.argmax(axis=1) == some % 10).all()


def test_a_fast_taste_is_best_told_by_the_last_month() -> None:
    by_name = {one.name: one for one in forecasts(fans(np.random.default_rng(1), drift=True)).scores}
    assert by_name[ALL_BEFORE].gain.high < 0
    assert by_name["half-life of 0.5 months"].loss.value < by_name[ALL_BEFORE].loss.value


def test_later_months_change_no_earlier_loss() -> None:
    """What is scored for the last three months of a log is the same when another month comes after."""
    found = fans(np.random.default_rng(2), days=200)
    label = found.label.copy()
    last = found.local_s >= found.local_s.max() - 10 * DAY
    label[last] = (label[last] + 5) % 10
    changed = Sequences(found.offsets, found.local_s, label, 10, found.user, found.by_user)
    ways = [forecast(one, months(one), [2.0], [2.0], 1, 10, 0.95, 0) for one in (found, changed)]
    for a, b in zip(ways[0].scores, ways[1].scores, strict=True):
        assert a.tuned == b.tuned
        assert a.loss.value != b.loss.value
    with pytest.raises(DataError, match="months"):
        forecast(found, months(found), [2.0], [2.0], 12, 10, 0.95, 0)


def test_losses_by_hand() -> None:
    """One user: kind 0 in January, nothing in February, kind 1 in March; another has kind 1 twice in January."""
    log = log_of(np.array([0, 0, 1, 1]), np.array([0, 60, 1, 2]) * DAY, np.array([0, 1, 1, 1]))
    found = sequences(log, log.category, 2, None)
    scores = {one.name: one for one in forecast(found, months(found), [1.0], [2.0], 1, 10, 0.95, 0).scores}
    everybody = (2 + 0.5) / (3 + 1)
    assert scores[EVERYBODY].loss.value == pytest.approx(-np.log(everybody))
    for name in (LAST_MONTH, ALL_BEFORE):
        assert scores[name].loss.value == pytest.approx(-np.log(2 * everybody / 3))
    assert scores["half-life of 1 month"].loss.value == pytest.approx(-np.log(2 * everybody / 2.5))


def test_persistence_by_hand() -> None:
    """Kind 0 comes back after ten days, kind 1 does not: 3 of the first window's 4 events are kept.

    Of the other user's four later events two are of kind 0, one of kind 1: two of the four miss it with a chance of 1/6
    and of 1/2. That user has more later events than the first, so that nothing can be said of that one.
    """
    user = np.array([0] * 6 + [1] * 5)
    day = np.array([0, 1, 2, 3, 12, 19, 5, 12, 13, 14, 15])
    log = log_of(user, day * DAY, np.array([0, 0, 0, 1, 0, 2, 2, 0, 0, 1, 2]))
    found = sequences(log, log.category, 3, None)
    (answer,) = persistence(found, sliding(found, 10 * DAY, 10 * DAY), 5, 10, 0.95, 0)
    assert answer.kept.value == 0.75
    assert answer.anyone.value == pytest.approx(0.75 * (1 - 1 / 6) + 0.25 * (1 - 1 / 2))
    assert (answer.users, answer.pairs) == (1, 1)


@pytest.mark.parametrize("users", [3, 20, 100])
def test_anyone_else_does_not_share_a_taste_of_ones_own(users: int) -> None:
    """Everybody has a kind that nobody else has: nothing would come back by anybody's taste, however few they are."""
    user, day = np.repeat(np.arange(users), 60), np.tile(np.arange(60), users)
    log = log_of(user, day * DAY, user)
    found = sequences(log, log.category, users, None)
    for one in persistence(found, sliding(found, 20 * DAY, 20 * DAY), 1, 10, 0.95, 0):
        assert (one.kept.value, one.anyone.value, one.own.value) == (1, 0, 1)


def test_a_few_users_of_one_taste_have_none_of_their_own() -> None:
    """Six users who draw from one mix, 300 times: the mean of what is kept less anyone's is 0 within its error."""
    rng, own = np.random.default_rng(7), []
    for _ in range(300):
        user, day = np.repeat(np.arange(6), 20), np.tile(np.arange(20), 6)
        log = log_of(user, day * DAY, rng.choice(12, len(user), p=np.arange(1, 13) / 78))
        found = sequences(log, log.category, len(log.categories), None)
        own.append(persistence(found, sliding(found, 10 * DAY, 10 * DAY), 1, 2, 0.95, 0)[0].own.value)
    assert abs(np.mean(own)) < 3 * np.std(own) / np.sqrt(len(own))


def test_own_tastes_persist_and_common_ones_do_not() -> None:
    found = fans(np.random.default_rng(3))
    assert all(one.own.low > 0.05 for one in persistence(found, sliding(found, 10 * DAY, 10 * DAY), 3, 200, 0.95, 0))
    rng = np.random.default_rng(4)
    log = log_of(np.repeat(np.arange(80), 100), np.tile(np.arange(100), 80) * DAY, rng.integers(0, 10, 8000))
    common = sequences(log, log.category, 10, None)
    for one in persistence(common, sliding(common, 10 * DAY, 10 * DAY), 3, 200, 0.99, 0):
        assert one.own.low <= 0 <= one.own.high


def test_popularity_by_hand_and_its_reference() -> None:
    log = log_of(np.arange(9), np.array([0, 1, 2, 3, 12, 13, 14, 15, 19]) * DAY, np.array([0, 0, 0, 1, 0, 0, 1, 2, 2]))
    found = sequences(log, log.category, 3, None)
    (answer,) = popularity(found, sliding(found, 10 * DAY, 10 * DAY), 0.5, 50, 0.95, 0)
    assert (answer.events, answer.items) == (5, 3)
    assert answer.head.value == 0.4  # item 0 is the head of before
    assert answer.new.value == 0.4
    assert answer.percentile.value == pytest.approx((2 * 0.75 + 0.25) / 3)
    assert answer.head.low < answer.head.value < answer.head.high
