"""The three splits, by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from components.errors import DataError
from components.features import windows
from components.features.fit import gather_frame
from components.features.store import WINDOWS
from components.features.time import DAY_S, HOUR_S
from components.features.windows import Split
from components.params import WindowParams
from tests.unit.features.sample import START_S, times

TRAIN, TUNE, BLEND, TEST = 0, 1, 2, 3


def spans(tune: str = "7d", blend: str = "7d", test: str = "7d") -> WindowParams:
    return WindowParams(tune=tune, blend=blend, test=test)


def raw_of(users: str, seconds: list[int], **columns: object) -> windows.Raw:
    """One letter per event: its user. Rows come sorted already."""
    table = {"user_id": list(users), "item_id": ["a"] * len(users), "action": ["view"] * len(users)}
    return gather_frame(pl.DataFrame(table | {"timestamp": times(seconds)} | columns), None)


def test_days_are_whole_and_counted_from_the_end_of_the_last() -> None:
    every_hour = START_S + np.arange(0, 10 * DAY_S + HOUR_S + 1, HOUR_S)  # the last at one o'clock of day 10
    found = windows.edges(every_hour, spans("3d", "0d", "2d"))
    assert ((found - START_S) / DAY_S).tolist() == [6, 9, 9]
    window = windows.window_of(every_hour, found)
    assert np.bincount(window, minlength=4).tolist() == [6 * 24, 3 * 24, 0, 24 + 2]


def test_hours() -> None:
    seconds = START_S + np.arange(0, 100 * 60, 60)  # 100 minutes: ends within the second hour
    found = windows.edges(seconds, spans("0.5h", "0h", "0.5h"))
    assert ((found - START_S) / 60).tolist() == [60, 90, 90]


def test_shares_take_the_newest_events() -> None:
    seconds = np.random.default_rng(0).permutation(1000) + START_S
    window = windows.window_of(seconds, windows.edges(seconds, spans("10%", "5%", "20%")))
    assert np.bincount(window).tolist() == [650, 100, 50, 200]
    assert (np.diff(window[np.argsort(seconds)]) >= 0).all()


def test_one_second_is_never_divided() -> None:
    seconds = np.repeat(START_S + np.arange(10), 10)
    window = windows.window_of(seconds, windows.edges(seconds, spans("15%", "0%", "15%")))
    assert np.bincount(window, minlength=4).tolist() == [60, 20, 0, 20]


@pytest.mark.parametrize(("span", "named"), [("0d", "tune"), ("400d", "train")])
def test_an_empty_window_says_which_and_what_to_do(span: str, named: str) -> None:
    seconds = START_S + np.arange(0, 70 * DAY_S, DAY_S)
    with pytest.raises(DataError, match=rf"event in the {named} window.*2025-01-06T00:00:00Z.*params\.yaml"):
        windows.edges(seconds, spans(span, "0d", "7d"))


def test_a_gap_in_the_log_leaves_an_empty_window() -> None:
    seconds = START_S + np.array([0, 1, 2, 9]) * DAY_S
    with pytest.raises(DataError, match="blend window"):
        windows.edges(seconds, spans("5d", "2d", "1d"))


def test_a_share_of_nothing_left_is_an_empty_window() -> None:
    with pytest.raises(DataError, match="train window"):
        windows.edges(np.full(5, START_S), spans("0d", "25%", "3d"))


def test_no_events() -> None:
    with pytest.raises(DataError, match="empty log"):
        windows.edges(np.zeros(0, np.int64), spans())


def test_one_user() -> None:
    raw = raw_of("a" * 30, [day * DAY_S for day in range(30)])
    window, target = windows.divide(raw, spans(), Split("temporal"), 1800)
    assert np.bincount(window).tolist() == [9, 7, 7, 7]
    assert target.all()


def test_leave_one_out() -> None:
    raw = raw_of("aaaabbccc", [0, 1, 2, 3, 0, 1, 5, 6, 7])
    window, target = windows.divide(raw, spans(), Split("leave_one_out"), 1800)
    assert window.tolist() == [0, 0, TUNE, TEST, 0, 0, 0, TUNE, TEST]
    assert target.all()


def test_events_without_an_item_are_history_only() -> None:
    raw = raw_of("aaaa", [0, 1, 2, 3], item_id=["x", None, "x", "x"])
    _, target = windows.divide(raw, spans(), Split("leave_one_out"), 1800)
    assert target.tolist() == [True, False, True, True]


def test_trajectories_by_gap_are_cut_at_the_window_and_need_a_length() -> None:
    day = DAY_S
    # a: one trajectory of train, one of two over the boundary tune | test, one of three in test
    seconds = [0, 10, 5 * day - 20, 5 * day - 10, 5 * day + 10, 5 * day + 4000, 5 * day + 4010, 5 * day + 4020]
    raw = raw_of("a" * 8, seconds)
    window, target = windows.divide(raw, spans("1d", "0d", "1d"), Split("last_of_trajectory", min_length=2), 1800)
    assert window.tolist() == [0, 0, TUNE, TUNE, TEST, TEST, TEST, TEST]
    assert target.tolist() == [True, True, False, True, False, False, False, True]
    _, target = windows.divide(raw, spans("1d", "0d", "1d"), Split("last_of_trajectory", min_length=1), 1800)
    assert target.tolist() == [True, True, False, True, True, False, False, True]


def test_trajectories_by_the_source_and_known_only() -> None:
    raw = raw_of(
        "aaaaaaab",
        [0, 1, 2, 3, 4, 5, 6, 7],
        window=["train", "train", "tune", "tune", "test", "test", "test", "test"],
        session_id=["1", "1", "2", "2", "3", "3", "3", "4"],
        item_id=["x", "y", "x", "y", "x", "y", "new", "x"],
    )
    _, last = windows.divide(raw, spans(), Split("last_of_trajectory"), 1800)
    assert np.flatnonzero(last).tolist() == [0, 1, 6]  # tune's one trajectory is cut in two by blend
    _, known = windows.divide(raw, spans(), Split("last_of_trajectory", min_length=1, known_only=True), 1800)
    assert np.flatnonzero(known).tolist() == [0, 1, 2, 3, 5]  # neither the new item nor the new user


def test_windows_of_the_source_stand_and_tune_gives_blend() -> None:
    names = ["train"] * 2 + ["tune"] * 4 + ["test"] + ["rest"]
    raw = raw_of("a" * 8, list(range(8)), window=names)
    window, target = windows.divide(raw, spans(), Split("temporal"), 1800)
    assert window.tolist() == [0, 0, TUNE, TUNE, BLEND, BLEND, TEST, WINDOWS["rest"]]
    assert not target[-1]
    own = [*names[:5], "blend", *names[6:]]
    window, _ = windows.divide(raw_of("a" * 8, list(range(8)), window=own), spans(), Split("temporal"), 1800)
    assert window.tolist() == [WINDOWS[name] for name in own]


def test_a_source_without_tune_is_refused() -> None:
    raw = raw_of("aa", [0, 1], window=["train", "test"])
    with pytest.raises(DataError, match="tune window"):
        windows.divide(raw, spans(), Split("temporal"), 1800)
