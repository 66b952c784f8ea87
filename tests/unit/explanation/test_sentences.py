"""Reasons in words: what is said is what was seen, in the rhythm in which it was seen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from components.explanation.counters import Said, what_was_said
from components.explanation.reasons import ItemReason, Reasons, reasons
from components.explanation.sentences import per_cent, sentences, title_of
from components.features.store import Store
from components.memory.predictor import MemoryPredictor
from components.params import ComponentParams
from components.predictor import NoTracker, Window
from tests.toy import MONDAY_S
from tests.unit.memory.logs import asking, memory_params, store_of


def told(rows: Sequence[int], store: Store, effect: float = 1.0, said: Sequence[Said] = ()) -> list[str]:
    item = int(store["item"][rows[-1]])
    one = Reasons(item, np.log(0.5), np.log(0.01), [], [ItemReason(item, tuple(rows), effect, effect)], said, len(rows))
    return sentences(one, store)


def at(hours: Sequence[float]) -> Store:
    store = store_of([(0, 2, hour) for hour in hours])
    store.columns["local_weekday"][:] = np.array(hours) // 24 % 7
    return store


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (
            [4 * 24 + 19, 11 * 24 + 20, 18 * 24 + 21],
            "on Friday evenings (3 times, last on 24 January 2025; without them",
        ),
        ([4 * 24 + 3, 11 * 24 + 20, 18 * 24 + 9], "on Fridays (3 times"),
        ([5 * 24 + 8, 6 * 24 + 9, 12 * 24 + 10], "on Saturday mornings (3 times"),
        ([5 * 24 + 8, 6 * 24 + 13, 12 * 24 + 20, 13 * 24 + 1], "at weekends (4 times"),
        ([5 * 24 + 8, 6 * 24 + 9, 12 * 24 + 10, 13 * 24 + 7], "at weekends, in the morning (4 times"),
        ([1, 25, 49, 73, 97], "by night (5 times"),
        ([1, 33, 65], "item00000 (3 times"),
        ([4 * 24 + 19, 11 * 24 + 20], "item00000 (2 times, last on 17 January 2025"),
        ([4 * 24 + 19], "item00000 on 10 January 2025 (once; without it 18 % instead of 50 %)."),
    ],
)
def test_a_rhythm_is_told_where_it_was_kept(hours: list[float], words: str) -> None:
    text = told(range(len(hours)), at(hours))[0]
    assert text.startswith("Because you looked at item00000")
    assert words in text


def test_dates_are_those_of_the_local_clock_and_an_order_has_none() -> None:
    store = at([23.5])
    store.columns["utc_offset_min"][:] = 60
    assert "7 January 2025" in told([0], store)[0]
    moment = dt.datetime.fromtimestamp(MONDAY_S, dt.UTC)
    assert (moment.day, moment.weekday()) == (6, 0)
    settings = {**store.encoding.settings, "time_kind": "ordinal"}
    order = replace(store, encoding=replace(store.encoding, settings=settings))
    assert told([0], order)[0] == "Because you looked at item00000 (once; without it 18 % instead of 50 %)."


def test_weak_and_contrary_events_are_not_told() -> None:
    store = at([1.0])
    assert "fits the whole" in told([0], store, effect=0.04)[0]
    assert "fits the whole" in told([0], store, effect=-2.0)[0]


def test_one_of_several_like_events_is_told_though_it_would_not_be_missed() -> None:
    store = at([1.0])
    one = Reasons(2, np.log(0.5), np.log(0.01), [], [ItemReason(2, (0,), 0.01, 3.0)], [], 1)
    assert sentences(one, store) == ["Because you looked at item00000 on 6 January 2025 (once)."]


def test_what_would_be_missed_is_told_before_what_would_not() -> None:
    store = store_of([(0, 2, 1.0), (0, 3, 2.0)])
    items = [ItemReason(2, (0,), 0.01, 3.0), ItemReason(3, (1,), 1.0, 1.0)]
    found = sentences(Reasons(4, np.log(0.5), np.log(0.01), [], items, [], 2), store)
    assert len(found) == 1
    assert "item00001" in found[0]


def test_an_item_without_a_title_has_its_category_and_id() -> None:
    store = at([1.0])
    store.encoding.catalogue.title[2] = ""
    assert title_of(store.encoding, 2) == "category0 item00000"
    store.encoding.catalogue.category[2] = 1
    assert title_of(store.encoding, 2) == "item00000"


def test_unknown_actions_are_named() -> None:
    store = at([1.0])
    store.columns["action"][:] = 1
    assert told([0], store)[0].startswith("Because of item00000")


def test_of_a_new_user_nothing_is_claimed() -> None:
    one = Reasons(2, np.log(0.1), np.log(0.1), [], [], [], 0)
    assert sentences(one, at([1.0])) == ["Nothing is known of you yet: it is chosen by what others do."]


def fitted(store: Store, **components: ComponentParams) -> MemoryPredictor:
    memory = MemoryPredictor(memory_params(**components))
    memory.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    return memory


MARKOV = {"markov": ComponentParams(kind="markov", options={})}
HABIT = {"habit": ComponentParams(kind="user_frequency", options={})}


def test_a_habit_that_was_never_seen_is_not_told() -> None:
    """Both counters are smoothed by popularity: for an item that the user never met, that is all they say."""
    store = store_of([(0, 2, 1), (0, 3, 2), (1, 4, 3), (1, 4, 4), (1, 4, 5)])
    memory = fitted(store, **MARKOV, **HABIT)
    query = asking(store)
    never, met = what_was_said(memory, query, np.array([4, 3]))
    assert sum(one.share for one in never) == pytest.approx(1)
    assert {one.name: one.own for one in never} == {"markov": 0.0, "habit": 0.0}
    assert {one.name: round(one.own, 2) for one in met}["habit"] > 0.7
    texts = [sentences(one, store) for one in reasons(memory, query, np.array([4, 3]), 10)]
    assert not {"You come back to it.", "Others often choose it after item00001, your last."} & set(texts[0])
    assert "You come back to it." in texts[1]


def test_what_follows_the_last_item_is_told_by_its_name() -> None:
    store = store_of([(0, 2, 1), (1, 2, 1), (1, 4, 2), (1, 2, 30), (1, 4, 31)])
    found = reasons(fitted(store, **MARKOV), asking(store), np.array([4]), 10)[0]
    text = sentences(found, store)
    assert text[0].startswith("Because you looked at item00000 on 6 January 2025 (once; without it")
    assert "Others often choose it after item00000, your last." in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "50 %"), (0.0996, "10 %"), (0.0341, "3.4 %"), (0.00051, "0.05 %"), (1e-7, "less than 0.01 %")],
)
def test_probabilities_for_people(value: float, text: str) -> None:
    assert per_cent(value) == text
