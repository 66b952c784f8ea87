"""Lists of next items against what followed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from components.evaluation.forecast import following, judge_lists, order_agreement, set_recall
from components.evaluation.protocol import make_queries
from components.predictor import Window
from tests.networks import HIDDEN
from tests.toy import toy_store

LISTS = st.lists(st.lists(st.integers(0, 6), min_size=5, max_size=5), min_size=1, max_size=4).map(np.array)


@given(LISTS, LISTS)
def test_against_plain_python(written: np.ndarray, actual: np.ndarray) -> None:
    n = min(len(written), len(actual))
    recall, tau = set_recall(written[:n], actual[:n]), order_agreement(written[:n], actual[:n])
    for i in range(n):
        w, a = ([x for x in dict.fromkeys(row[i].tolist()) if x] for row in (written, actual))
        both = [x for x in a if x in w]
        assert recall[i] == pytest.approx(len(both) / len(a)) if a else np.isnan(recall[i])
        if len(both) < 2:
            assert np.isnan(tau[i])
        else:
            assert tau[i] == pytest.approx(kendalltau(range(len(both)), [w.index(x) for x in both]).statistic)


def test_what_followed_is_read_from_the_store() -> None:
    store = toy_store()
    queries, _ = make_queries(Window(store, "test"), HIDDEN)
    item, time_s = np.asarray(store["item"]), np.asarray(store["time_s"])
    n, day = following(queries, 3, None), following(queries, 3, 86_400.0)
    for i, (user, stop) in enumerate(zip(queries.user, queries.stop, strict=True)):
        rows = np.arange(stop, min(stop + 3, store.offsets[user + 1]))
        assert n[i].tolist() == [*item[rows].tolist(), *[0] * (3 - len(rows))]
        near = rows[time_s[rows] - time_s[stop - 1] <= 86_400]
        assert day[i].tolist() == [*item[near].tolist(), *[0] * (3 - len(near))]
    assert (n == 0).any()
    assert (day != n).any()


def test_means_count_only_what_can_be_counted() -> None:
    found = judge_lists(np.array([[2, 3], [2, 3], [4, 5]]), np.array([[3, 2], [0, 0], [4, 9]]))
    assert found == {"set_recall@2": 0.75, "kendall_tau": -1.0, "queries": 2.0, "queries_with_order": 1.0}
