"""A window lived through: the same questions as the judge's, and no event learned before its day is asked about."""

from __future__ import annotations

import numpy as np
import pytest

from components.evaluation.protocol import Protocol, make_queries
from components.memory.replay import Questions, ask_online, replay
from components.predictor import Window
from tests.toy import toy_store

LOG = toy_store(n_users=12)


@pytest.mark.parametrize("given", [True, False])
def test_it_asks_what_the_judge_asks(given: bool) -> None:
    window = Window(LOG, "tune")
    rules = Protocol("temporal", "given" if given else "hidden", "online", "kept", "miss", "source")
    judges, targets = make_queries(window, rules)
    own = ask_online(window, given)
    assert np.array_equal(own.row, targets.row)
    for name in ("user", "start", "stop", "time_s", "utc_offset_min"):
        assert np.array_equal(getattr(own.queries, name), getattr(judges, name)), name


def test_days_are_asked_and_then_learned() -> None:
    window = Window(LOG, "tune")
    questions = ask_online(window, True)
    learned: list[int] = []
    asked = 0
    time_s = np.asarray(LOG["time_s"])
    for block in replay(window, questions, lambda rows: learned.extend(rows.tolist()), block=3):
        rows = questions.row[block]
        day = time_s[rows] // 86_400
        assert len(rows) <= 3
        assert len(np.unique(day)) == 1
        assert (time_s[learned] // 86_400 < day[0]).all()
        known_by_then = window.events[time_s[window.events] // 86_400 < day[0]]
        assert np.array_equal(np.sort(learned), np.sort(known_by_then))
        asked += len(rows)
    assert asked == len(questions.row)
    assert np.array_equal(np.sort(learned), np.sort(window.events))


def test_nothing_is_learned_where_history_ends_with_training() -> None:
    window = Window(LOG, "tune", "train_only")
    questions = ask_online(window, True)
    assert sum(block.stop - block.start for block in replay(window, questions, None)) == len(questions.row)


def test_the_items_of_one_question_count_as_one_answer() -> None:
    plain = ask_online(Window(LOG, "tune"), False)
    item, offsets = (
        np.array([5, 1, 7, 0, 9, 8, 6]),
        np.array([0, 3, 4, 4, 7]),
    )  # 0 and 1 are no items that training knew
    questions = Questions(plain.queries[:4], plain.row[:4], item, offsets)
    told = questions.answers()
    np.testing.assert_array_equal(told.query, [0, 0, 3, 3, 3])
    np.testing.assert_array_equal(told.item, [5, 7, 9, 8, 6])
    assert told.weight == pytest.approx([1 / 2] * 2 + [1 / 3] * 3)


def test_some_of_the_questions_keep_their_answers() -> None:
    plain = ask_online(Window(LOG, "tune"), False)
    item, offsets = np.arange(2, 10), np.array([0, 3, 4, 4, 8])
    questions = Questions(plain.queries[:4], plain.row[:4], item, offsets)
    some = questions[np.array([3, 0])]
    np.testing.assert_array_equal(some.item, [6, 7, 8, 9, 2, 3, 4])
    np.testing.assert_array_equal(some.offsets, [0, 4, 7])
    np.testing.assert_array_equal(some.queries.stop, plain.queries.stop[[3, 0]])
    assert [len(questions.thinned(most)) for most in (2, 4, 9)] == [2, 4, 4]
    np.testing.assert_array_equal(questions[1:3].item, [5])
