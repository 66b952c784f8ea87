"""Each counter on a log of a few events, against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from components.errors import ConfigError
from components.memory import loops
from components.memory.ask import Ask
from components.memory.counter import Popularity
from tests.unit.memory.logs import DAY_S, HOUR_S, asking, counter, distribution, store_of

EVEN = [0, 0, 0, 0, 0, 0]  # nobody was ever anywhere: each of four items has a quarter


def smoothed(weight: list[float]) -> np.ndarray:
    """Weights of the four items, with one event's worth of even popularity."""
    whole = np.array([0.0, 0.0, *weight])
    whole[2:] += 0.25
    return whole / whole.sum()


def test_popularity_is_the_shared_count() -> None:
    store = store_of([])
    found = distribution(counter("popularity", store), asking(store), [0, 0, 3, 0, 1, 0])
    assert found == pytest.approx([0, 0, 4 / 8, 1 / 8, 2 / 8, 1 / 8])


def test_recent_popularity_halves_with_each_half_life() -> None:
    store = store_of([(0, 2, 0), (1, 3, 24), (1, 3, 48)])
    found = distribution(counter("recent_popularity", store, half_life_days=1), asking(store, hour=48), EVEN)
    assert found == pytest.approx(smoothed([0.25, 1.5, 0, 0]))


def test_recent_popularity_long_after_is_popularity() -> None:
    store = store_of([(0, 2, 0)])
    found = distribution(counter("recent_popularity", store, half_life_days=1), asking(store, hour=1e6), EVEN)
    assert found == pytest.approx(smoothed([0, 0, 0, 0]))


def test_recent_popularity_survives_thousands_of_half_lives() -> None:
    store = store_of([(0, 2, 0), (0, 3, 2000), (1, 4, 4000), (1, 5, 4001)])
    made = counter("recent_popularity", store, half_life_days=1 / 24)
    found = distribution(made, asking(store, hour=4001), EVEN)
    assert found == pytest.approx(smoothed([0, 0, 0.5, 1]))


def test_markov_counts_what_came_next_for_anybody() -> None:
    store = store_of([(0, 2, 0), (0, 3, 1), (0, 2, 2), (0, 4, 3), (1, 2, 0), (1, 3, 1), (1, 2, 2)])
    found = distribution(counter("markov", store), asking(store, user=1), EVEN)
    assert found == pytest.approx(smoothed([0, 2, 1, 0]))


def test_markov_leaves_out_long_pauses_and_unknown_items() -> None:
    store = store_of([(0, 2, 0), (0, 3, 30), (0, 2, 31), (0, 1, 32), (0, 2, 33)])
    found = distribution(counter("markov", store, max_gap_h=24), asking(store), EVEN)
    assert found == pytest.approx(smoothed([0, 0, 0, 0]))


def test_user_markov_decays_and_is_the_users_own() -> None:
    store = store_of([(0, 2, 0), (0, 3, 24), (0, 2, 25), (0, 4, 48), (0, 2, 49), (1, 2, 0), (1, 5, 1)])
    found = distribution(counter("user_markov", store, half_life_days=1), asking(store, hour=72), EVEN)
    assert found == pytest.approx(smoothed([0, 0.25, 0.5, 0]))


def test_user_markov_leaves_out_long_pauses() -> None:
    store = store_of([(0, 2, 0), (0, 3, 24), (0, 2, 25), (0, 4, 26), (0, 2, 27)])
    found = distribution(counter("user_markov", store, max_gap_h=24), asking(store), EVEN)
    assert found == pytest.approx(smoothed([0, 0, 1, 0]))


def test_user_markov_prefers_steps_with_the_same_pause() -> None:
    store = store_of([(0, 2, 0), (0, 3, 1), (0, 2, 2), (0, 4, 12), (0, 2, 13)])
    made = counter("user_markov", store, sigma_gap=0.7)
    far = np.exp(-0.5 * ((np.log1p(10 * HOUR_S) - np.log1p(HOUR_S)) / 0.7) ** 2)
    assert distribution(made, asking(store, hour=14), EVEN) == pytest.approx(smoothed([0, 1, far, 0]))
    assert distribution(made, asking(store, hour=14, given=False), EVEN) == pytest.approx(smoothed([0, 1, 1, 0]))


def test_users_in_one_block_do_not_mix() -> None:
    store = store_of([(0, 3, 0), (0, 2, 1), (1, 4, 0), (1, 2, 1), (1, 5, 2), (1, 2, 3)])
    made = counter("user_markov", store)
    both = replace(
        asking(store),
        user=np.array([0, 1], np.int32),
        start=store.offsets[:2],
        stop=store.offsets[1:],
        time_s=np.repeat(asking(store).time_s, 2),
        latitude=np.full(2, np.nan, np.float32),
        longitude=np.full(2, np.nan, np.float32),
    )
    popularity = Popularity(np.zeros(6), np.array([0, 0, 0.25, 0.25, 0.25, 0.25]))
    ask = Ask(both, 500)
    shared = made.share(ask, popularity)
    found = np.stack([shared.at(ask, np.arange(2), np.full(2, code), popularity.share) for code in range(6)], axis=1)
    assert found == pytest.approx(np.stack([smoothed([0, 0, 0, 0]), smoothed([0, 0, 0, 1])]))


def test_user_frequency_counts_the_users_events() -> None:
    store = store_of([(0, 2, 0), (0, 2, 1), (0, 3, 2), (1, 5, 0)])
    assert distribution(counter("user_frequency", store), asking(store), EVEN) == pytest.approx(smoothed([2, 1, 0, 0]))


def test_user_frequency_with_half_life() -> None:
    store = store_of([(0, 2, 0), (0, 3, 48)])
    made = counter("user_frequency", store, half_life_days=1)
    assert distribution(made, asking(store, hour=72), EVEN) == pytest.approx(smoothed([0.125, 0.5, 0, 0]))


def test_user_hour_is_circular_and_knows_the_weekend() -> None:
    # Monday 23:00, Monday 12:00 and Saturday 1:00; asked on Tuesday at 1:00
    store = store_of([(0, 2, 23), (0, 3, 12), (0, 4, 5 * 24 + 1)])
    made = counter("user_hour", store, sigma_h=1.5, weekend_match=0.2)
    near, far = np.exp(-0.5 * (2 / 1.5) ** 2), np.exp(-0.5 * (11 / 1.5) ** 2)
    found = distribution(made, asking(store, hour=8 * 24 + 1), EVEN)
    assert found == pytest.approx(smoothed([near, far, 0.2, 0]))


def test_user_hour_asks_by_the_local_clock() -> None:
    store = store_of([(0, 2, 8), (0, 3, 12)])
    made = counter("user_hour", store, sigma_h=0.5, weekend_match=1)
    queries = asking(store, hour=24 + 8)
    queries.utc_offset_min[:] = 240
    found = distribution(made, queries, EVEN)
    assert found.argmax() == 3


def test_trajectory_is_the_last_session_newest_first() -> None:
    store = store_of([(0, 5, 0), (0, 2, 10), (0, 3, 10.1), (0, 2, 10.2)])
    made = counter("trajectory", store, decay=0.6)
    assert distribution(made, asking(store, hour=10.3), EVEN) == pytest.approx(smoothed([1.36, 0.6, 0, 0]))


def test_near_falls_off_with_distance_from_the_last_place() -> None:
    store = store_of([(0, 3, 0)])
    km = 111.195
    weight = [3 * np.exp(-km / 50), 1.0, np.exp(-km / 50), np.exp(-2 * km / 50)]
    found = distribution(counter("near", store, scale_km=50), asking(store), [0, 0, 2, 0, 0, 0])
    popular = np.array([3, 1, 1, 1]) / 6
    assert found[2:] == pytest.approx((weight + popular) / (sum(weight) + 1), rel=1e-4)


def test_the_place_of_the_request_counts_more_than_the_last_event() -> None:
    store = store_of([(0, 3, 0)])
    found = distribution(counter("near", store, scale_km=10), asking(store, place=(0.0, 3.0)), EVEN)
    assert found.argmax() == 5


def test_an_item_without_a_place_is_never_near() -> None:
    store = store_of([(0, 3, 0)])
    store.encoding.catalogue.latitude[2] = np.nan
    found = distribution(counter("near", store, scale_km=1e6), asking(store), EVEN)
    assert found == pytest.approx(smoothed([0, 1, 1, 1]), rel=1e-3)


def test_who_is_nowhere_is_near_nothing() -> None:
    store = store_of([(0, 3, 0)])
    found = distribution(counter("near", store, scale_km=10), asking(store, user=1), [0, 0, 3, 0, 0, 0])
    assert found == pytest.approx([0, 0, 4 / 7, 1 / 7, 1 / 7, 1 / 7])


def test_gravity_falls_off_with_the_square() -> None:
    store = store_of([(0, 2, 0)])
    weight = [1 / (1 + k * 111.195 / 10) ** 2 for k in range(4)]
    found = distribution(counter("gravity", store, scale_km=10), asking(store), EVEN)
    assert found == pytest.approx(smoothed(weight), rel=1e-3)


def test_user_near_weighs_own_places_by_distance() -> None:
    store = store_of([(0, 2, 0), (0, 2, 1), (0, 3, 2)])
    found = distribution(counter("user_near", store, scale_km=100), asking(store), EVEN)
    assert found == pytest.approx(smoothed([2 * np.exp(-111.195 / 100), 1, 0, 0]), rel=1e-4)


def test_item_hour_is_what_happens_at_this_hour() -> None:
    store = store_of([(0, 2, 8), (1, 3, 20), (1, 3, 21)])
    made = counter("item_hour", store, sigma_h=1)
    found = distribution(made, asking(store, hour=24 + 8.5), EVEN)
    assert found == pytest.approx(smoothed([1, 0, 0, 0]), abs=1e-5)


KINDS: dict[str, dict[str, float]] = {
    "popularity": {},
    "recent_popularity": {"half_life_days": 3},
    "item_hour": {"sigma_h": 2},
    "markov": {},
    "user_markov": {"half_life_days": 3, "max_gap_h": 24, "sigma_gap": 0.7},
    "user_frequency": {},
    "user_hour": {"sigma_h": 1.5, "weekend_match": 0.2},
    "trajectory": {"decay": 0.6},
    "near": {"scale_km": 1},
    "gravity": {"scale_km": 1},
    "user_near": {"scale_km": 1},
}


@pytest.mark.parametrize("kind", KINDS)
def test_who_was_never_seen_gets_a_distribution(kind: str) -> None:
    store = store_of([(0, 2, 0), (0, 3, 1)])
    found = distribution(counter(kind, store, **KINDS[kind]), asking(store, user=1), [0, 0, 1, 1, 0, 0])
    assert found.sum() == pytest.approx(1, abs=1e-6)
    assert found[:2] == pytest.approx([0, 0])
    assert (found[2:] > 0).all()


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"recent_popularity", "item_hour"}))
def test_an_empty_history_falls_back_to_popularity(kind: str) -> None:
    store = store_of([(0, 2, 0), (0, 3, 1)])
    found = distribution(counter(kind, store, **KINDS[kind]), asking(store, user=1), [0, 0, 5, 1, 0, 0])
    assert found == pytest.approx([0, 0, 0.6, 0.2, 0.1, 0.1])


def test_a_row_whose_total_is_less_than_what_it_lists_has_lost_nothing() -> None:
    share, popular = loops.capped(np.zeros(2, np.int64), np.array([1.0, 2.0]), np.array([2.5]), 0.5)
    assert popular.tolist() == pytest.approx([0.5 / 3.5])
    assert share.tolist() == pytest.approx([1 / 3.5, 2 / 3.5])


def test_equal_times_count_in_the_order_of_the_store() -> None:
    store = store_of([(0, 2, 0), (0, 3, 0), (0, 4, 0)])
    made = counter("markov", store)
    assert distribution(made, asking(store), EVEN) == pytest.approx(smoothed([0, 0, 0, 0]))
    assert made.state()["total"][[2, 3, 4]].tolist() == [1, 1, 0]
    assert DAY_S == 86_400


def test_options_are_checked() -> None:
    store = store_of([])
    with pytest.raises(ConfigError, match="sigma_h"):
        counter("user_hour", store, weekend_match=1)
    with pytest.raises(ConfigError, match="half_life_days"):
        counter("popularity", store, half_life_days=3)
    with pytest.raises(ConfigError, match="not negative"):
        counter("near", store, scale_km=-1)
    with pytest.raises(ConfigError, match="kind of counter"):
        counter("oracle", store)
