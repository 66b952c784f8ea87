"""Rules by example: whose segment is what, what a taste is, which of equal candidates stay, what a rule is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from components.features.store import Store
from components.params import RuleParams, SegmentParams, parse_params
from components.ranking.rules.calibrated import divergence, taste_of
from components.ranking.rules.policy import applied, is_plain, shape
from components.ranking.rules.pool import pool_of
from components.ranking.rules.segment import ACTIVE, NEW, RETURNING, segments
from tests.property.test_rules_properties import PLAIN, POLICY
from tests.toy import MONDAY_S
from tests.unit.memory.logs import HOUR_S, asking, store_of
from tests.unit.test_params import record

RULES = SegmentParams(new_below=3, returning_after=3.0)


def daily(*hours: float) -> Store:
    """A user who comes every day; then at `hours` after the tenth day."""
    past = [24.0 * day for day in range(10)]
    return store_of([(0, 2, hour) for hour in [*past, *(216 + hour for hour in hours)]])


def segment(store: Store, hour: float) -> int:
    return int(segments(asking(store, hour=hour), np.array([MONDAY_S + int(hour * HOUR_S)]), RULES)[0])


@pytest.mark.parametrize(
    ("more", "now", "found"),
    [
        ([], 216.1, ACTIVE),  # in the middle of a session
        ([], 216 + 71, ACTIVE),  # three days are three times the rhythm, and not longer
        ([], 216 + 73, RETURNING),
        ([100], 316.2, RETURNING),  # the session goes on with which they came back
        ([100, 124], 340.2, ACTIVE),  # back in their rhythm
        ([24], 240 + 60, ACTIVE),
    ],
)
def test_a_pause_is_long_by_the_users_own_rhythm(more: Sequence[float], now: float, found: int) -> None:
    assert segment(daily(*more), now) == found


def test_somebody_who_comes_monthly_is_not_returning_after_a_week() -> None:
    store = store_of([(0, 2, 720.0 * month) for month in range(6)])
    assert segment(store, 720 * 5 + 168) == ACTIVE
    assert segment(store, 720 * 5 + 168 * 20) == RETURNING


def test_few_events_are_a_new_user_and_a_rhythm_needs_two_pauses() -> None:
    assert segment(store_of([(0, 2, 1), (0, 2, 30)]), 5000) == NEW
    assert segment(store_of([(0, 2, 1), (0, 2, 1.1), (0, 2, 30)]), 5000) == ACTIVE  # one pause is no rhythm
    back = store_of([(0, 2, 0), (0, 2, 24), (0, 2, 1024)])
    assert segment(back, 1024.2) == ACTIVE  # the pause that they came back from is no part of the rhythm
    assert segment(store_of([(1, 2, 1)]), 5000) == NEW  # the asked user has no events at all


def test_an_order_has_no_pauses() -> None:
    store = daily()
    settings = {**store.encoding.settings, "time_kind": "ordinal"}
    assert segment(replace(store, encoding=replace(store.encoding, settings=settings)), 5000) == ACTIVE


def test_many_users_are_told_apart() -> None:
    events = (
        [(0, 2, 24.0 * day) for day in range(10)] + [(1, 2, 1.0)] + [(2, 3, 100.0 + day) for day in range(0, 60, 2)]
    )
    store = store_of(events, n_users=4)
    queries = replace(
        asking(store), user=np.arange(4, dtype=np.int32), start=store.offsets[:-1], stop=store.offsets[1:],
        time_s=np.full(4, MONDAY_S + 400 * HOUR_S), latitude=np.full(4, np.nan, np.float32),
        longitude=np.full(4, np.nan, np.float32), utc_offset_min=np.zeros(4, np.int16),
    )  # fmt: skip
    assert segments(queries, queries.time_s, RULES).tolist() == [RETURNING, NEW, RETURNING, NEW]
    alone = [segments(queries[b : b + 1], queries.time_s[b : b + 1], RULES)[0] for b in range(4)]
    assert alone == [RETURNING, NEW, RETURNING, NEW]


def test_a_taste_is_the_share_of_categories_and_forgets() -> None:
    store = store_of([(0, 2, 0), (0, 2, 24), (0, 3, 48), (0, 1, 50)])  # items 2 and 3 are of two categories
    a, b = store.encoding.catalogue.category[[2, 3]]
    taste = taste_of(asking(store, hour=48), None)[0]
    assert taste[[a, b]].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert taste.sum() == pytest.approx(1)  # an item that nobody knows has no category
    taste = taste_of(asking(store, hour=48), 1.0)[0]
    assert taste[[a, b]].tolist() == pytest.approx([0.75 / 1.75, 1 / 1.75])
    early = taste_of(asking(store, hour=24), 1.0)[0]
    assert early[[a, b]].tolist() == pytest.approx([1.5 / 2.5, 1 / 2.5]), "what is dated later is as of now"
    assert not taste_of(asking(store_of([(1, 2, 0)])), None).any()


def test_the_divergence_of_a_list() -> None:
    taste, category = np.array([[0, 0, 0.7, 0.3]]), np.array([0, 0, 2, 3])
    alike = divergence(np.array([[2] * 7 + [3] * 3]), taste, category)
    assert alike[0] == pytest.approx(0, abs=1e-12)
    one_sided = divergence(np.array([[2] * 10]), taste, category)
    q = np.array([0.99 + 0.007, 0.003])
    assert one_sided[0] == pytest.approx(float(np.sum(taste[0, 2:] * np.log(taste[0, 2:] / q))))
    assert np.isnan(divergence(np.array([[0, 0]]), taste, category)).all()
    assert np.isnan(divergence(np.array([[2, 3]]), np.zeros((1, 4)), category)).all()


def test_of_equal_candidates_those_with_the_lowest_codes_stay() -> None:
    log_p = np.array([[-np.inf, -np.inf, -2.0, -1.0, -2.0, -2.0, -2.0]])
    pool = pool_of(log_p, np.ones(7, bool), np.zeros(7, np.int64), 3)
    assert pool.code.tolist() == [[3, 2, 4]]
    assert pool.relevance[0].tolist() == [1.0, 0.0, 0.0]
    assert pool_of(log_p, np.arange(7) == 5, np.zeros(7, np.int64), 3).code.tolist() == [[5, 0, 0]]


def test_items_of_the_last_hours_are_left_out() -> None:
    store = store_of([(0, 2, 10), (0, 3, 40), (0, 4, 49)])
    rule = PLAIN.model_copy(update={"skip_recent_h": 24.0})
    policy = POLICY.model_copy(update={"rules": dict.fromkeys(("new", "active", "returning"), rule)})
    log_p = np.log(np.array([[1e-9, 1e-9, 0.4, 0.3, 0.2, 0.1]]))
    query, now = asking(store, hour=50), np.array([MONDAY_S + 50 * HOUR_S])
    assert shape(policy, query, log_p, np.arange(6) > 1, 4, now).lists.tolist() == [[2, 5, 0, 0]]


def test_a_radius_is_around_the_request_else_around_the_last_place() -> None:
    store = store_of([(0, 2, 10), (0, 3, 40)])  # items are one degree of longitude apart, 111 km
    rule = PLAIN.model_copy(update={"radius_km": 120.0})
    policy = POLICY.model_copy(update={"rules": dict.fromkeys(("new", "active", "returning"), rule)})
    log_p, now = np.log(np.array([[1e-9, 1e-9, 0.4, 0.3, 0.2, 0.1]])), np.array([MONDAY_S + 50 * HOUR_S])

    def shown(query: object) -> list[int]:
        return [code for code in shape(policy, query, log_p, np.arange(6) > 1, 4, now).lists[0].tolist() if code]  # type: ignore[arg-type]

    assert shown(asking(store, hour=50)) == [2, 3, 4]  # the last event was at item 3
    assert shown(asking(store, hour=50, place=(0.0, 3.0))) == [4, 5]
    assert shown(asking(store_of([(1, 2, 1)]), hour=50)) == [2, 3, 4, 5]  # nowhere: nothing is near or far


def test_what_a_rule_does_has_a_name() -> None:
    assert is_plain(PLAIN)
    assert is_plain(PLAIN.model_copy(update={"order": "diverse"}))  # with a weight of 1
    all_of_it = RuleParams(
        order="calibrated", weight=0.5, alike=["category"], place_km=1.0, half_life_days=None, max_per_category=2,
        drop_seen=True, skip_recent_h=1.0, max_price=5.0, radius_km=1.0,
    )  # fmt: skip
    assert len(applied(all_of_it)) == 6


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"rules": {}}, r"policy\.rules|policy"),
        ({"segments": {"new_below": -1, "returning_after": 3.0}}, r"policy\.segments\.new_below"),
        ({"candidates": 0}, r"policy\.candidates"),
    ],
)
def test_a_policy_is_strict(change: dict, key: str) -> None:
    from components.errors import ConfigError

    changed = record()
    changed["policy"] |= change
    with pytest.raises(ConfigError, match=key):
        parse_params(changed, "here")
