"""The columns of candidates on a log of a few events, against numbers worked out by hand, and against the voices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from components.memory.ask import Ask
from components.memory.counter import Popularity
from components.memory.share import Share
from components.predictor import Queries
from components.ranking import kernel
from components.ranking.candidates import Candidates
from components.ranking.evidence import Evidence, gather, voices
from components.ranking.features import Items, features, names, of_query
from tests.rankers import memory_of
from tests.toy import toy_store
from tests.unit.memory.logs import asking, store_of

DAY = 24.0


def looked(events: list[tuple[int, int, float]], hour: float, codes: tuple[int, ...] = (2, 3, 4, 5)) -> np.ndarray:
    """(candidate, column) HISTORY of user 0, asked at `hour`."""
    store = store_of(events)
    ask = Ask(asking(store, hour=hour), 500)
    popularity = Popularity(np.arange(6.0), np.full(6, 0.25))
    found = Candidates(np.array([0, len(codes)]), np.array(codes))
    evidence = Evidence(ask, popularity, {}, {})
    return features(evidence, np.full((1, 6), 0.25, np.float32), found, Items.of(store.encoding))


def column(table: np.ndarray, name: str) -> list[float]:
    return np.round(table[:, names([]).index(name)], 4).tolist()


#: Item 2 at hours 0, 24 and 60; item 3 between.
PLAIN = [(0, 2, 0.0), (0, 3, 12.0), (0, 2, 24.0), (0, 3, 36.0), (0, 4, 48.0), (0, 2, 60.0)]


def test_what_the_past_says_of_each_item() -> None:
    table = looked(PLAIN, 72.0)
    assert column(table, "count") == [3, 2, 1, 0]
    assert column(table, "share") == pytest.approx([1 / 2, 1 / 3, 1 / 6, 0], abs=1e-4)
    assert column(table, "age_d") == [0.5, 1.5, 1.0, kernel.NEVER_D]
    assert column(table, "recency") == [0, 2, 1, kernel.NEVER]
    assert column(table, "steps") == [0, 2, 1, kernel.NEVER]
    assert column(table, "first_age_d") == [3.0, 2.5, 1.0, kernel.NEVER_D]
    assert column(table, "period_d") == [1.25, 1.0, kernel.NEVER_D, kernel.NEVER_D]
    assert column(table, "overdue") == pytest.approx([0.5 / 1.3, 1.5 / 1.05, -1, -1], abs=1e-4)
    assert column(table, "is_last") == [1, 0, 0, 0]
    assert column(table, "log_count") == pytest.approx(np.log1p([2, 3, 4, 5]), abs=1e-4)


def test_hours_are_circular_and_compared_with_the_request() -> None:
    table = looked([(0, 2, 23.0), (0, 3, 25.0), (0, 3, 36.0)], 72.0)
    assert column(table, "hours_off") == [1, 1, kernel.NO_HOUR, kernel.NO_HOUR]
    fit = [np.exp(-0.5 * (1 / 1.5) ** 2), (np.exp(-0.5 * (1 / 1.5) ** 2) + np.exp(-0.5 * (12 / 1.5) ** 2)) / 2]
    assert column(table, "hour_fit") == pytest.approx([*fit, 0, 0], abs=1e-4)


def test_days_of_the_week() -> None:
    monday_to_saturday = [(0, 2, 0.0), (0, 3, 5 * DAY), (0, 2, 6 * DAY)]
    table = looked(monday_to_saturday, 12 * DAY)  # a Saturday
    assert column(table, "day_fit") == [0.5, 1, 0, 0]
    assert column(table, "weekday_fit") == [0, 1, 0, 0]


def test_what_followed_the_last_item_and_the_last_two() -> None:
    events = [(0, 3, 0.0), (0, 2, 1.0), (0, 4, 2.0), (0, 5, 3.0), (0, 2, 4.0), (0, 4, 28.0), (0, 3, 29.0), (0, 2, 30.0)]
    table = looked(events, 30.0)
    assert column(table, "after_last") == [0, 0, 2, 0]
    assert column(table, "after_last_two") == [0, 0, 1, 0]
    assert column(table, "after_age_d") == pytest.approx(
        [kernel.NEVER_D, kernel.NEVER_D, 2 / 24, kernel.NEVER_D], abs=1e-4
    )


def test_categories_and_places() -> None:
    table = looked(PLAIN, 72.0)
    store = store_of(PLAIN)
    group = np.asarray(store.encoding.catalogue.category)
    met = group[[2, 3, 2, 3, 4, 2]]
    assert column(table, "category_share") == pytest.approx([np.mean(met == group[v]) for v in (2, 3, 4, 5)], abs=1e-4)
    assert column(table, "category_is_last") == [float(group[v] == group[2]) for v in (2, 3, 4, 5)]
    assert column(table, "km_home")[0] == 0
    nowhere = looked(PLAIN, 72.0, (3,))
    assert column(nowhere, "count") == [2], "an item that is no candidate leaves no trace in others"


def test_nobody_s_past_is_empty() -> None:
    store = store_of([(1, 2, 0.0)])
    ask = Ask(asking(store, hour=5.0), 500)
    assert ask.length.tolist() == [0]
    table = looked([(1, 2, 0.0)], 5.0)
    assert np.isfinite(table).all()
    assert column(table, "count") == [0, 0, 0, 0]
    assert of_query(ask)[0, :4].tolist() == [0, 0, 0, 0]


def test_what_describes_a_query() -> None:
    store = store_of([(0, 2, 0.0), (0, 3, 1.0), (0, 2, 2.0), (0, 2, 30.0)])
    found = dict(zip(kernel.QUERY, of_query(Ask(asking(store, hour=31.0), 500))[0].tolist(), strict=True))
    assert found["length"] == pytest.approx(np.log1p(4))
    assert (found["distinct"], found["top_share"], found["last_count"]) == (0.5, 0.75, 3)
    assert found["repeats"] == pytest.approx(2 / 3)
    assert found["hour"] == 7
    assert found["weekday"] == 1


def test_the_pause_is_that_until_the_request_or_the_last_one_that_is_known() -> None:
    store, gap = store_of([(0, 2, 0.0), (0, 3, 2.0), (0, 2, 30.0)]), kernel.QUERY.index("gap")
    for given, hours in ((True, 5), (False, 28)):
        found = of_query(Ask(asking(store, hour=35.0, given=given), 500))
        assert found[0, gap] == pytest.approx(np.log1p(hours * 3_600))


def test_every_voice_is_heard_at_every_candidate() -> None:
    store = toy_store(n_users=12, events_per_user=30)
    parts = {"memory": memory_of(store)}
    rows = np.arange(29, 360, 30)
    nowhere = np.full(12, np.nan, np.float32)
    queries = Queries(
        store, store.user[rows], store.offsets[:-1], rows, np.asarray(store["time_s"])[rows],
        np.zeros(12, np.int16), nowhere, nowhere, True,
    )  # fmt: skip
    evidence = gather(parts, queries, 500)
    dense = np.random.default_rng(0).random((12, 22)).astype(np.float32)
    evidence = replace(evidence, shares={**evidence.shares, "other": Share(np.zeros(12), dense=dense)})
    found = Candidates(np.arange(13) * 20, np.tile(np.arange(2, 22), 12))
    mixture = evidence.mix(np.full((12, len(evidence.shares)), 1 / len(evidence.shares)))
    table = features(evidence, mixture, found, Items.of(store.encoding))
    columns = names([*voices(parts), "other"])
    assert table.shape == (240, len(columns))
    for code in range(2, 22):
        at = evidence.at(np.full(12, code), np.arange(12))
        for place, voice in enumerate(evidence.shares):
            told = table[code - 2 :: 20, columns.index(f"{voice}/p")]
            assert told == pytest.approx(at[:, place], rel=1e-4, abs=1e-7), voice
    for name in (*evidence.shares, "mixture"):
        p, relative = (table[:, columns.index(f"{name}/{kind}")].reshape(12, 20) for kind in ("p", "relative"))
        assert relative == pytest.approx(p / p.max(axis=1, keepdims=True), rel=1e-5)
