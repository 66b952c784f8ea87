"""The clock, by hand: zones and their changes, holidays, gaps and sessions."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from components.errors import ConfigError
from components.features import time


def utc(*parts: int) -> int:
    return int(dt.datetime(*parts, tzinfo=dt.UTC).timestamp())


def test_offset_changes_at_the_second_of_a_dst_change() -> None:
    # Paris: 2025-03-30 01:00 UTC to summer time, 2025-10-26 01:00 UTC back.
    seconds = np.array([utc(2025, 3, 30, 1) - 1, utc(2025, 3, 30, 1), utc(2025, 10, 26, 1) - 1, utc(2025, 10, 26, 1)])
    assert time.offset_minutes(seconds, "Europe/Paris").tolist() == [60, 120, 120, 60]


@pytest.mark.parametrize(
    ("zone", "moment", "minutes"),
    [
        ("UTC", utc(1999, 12, 31), 0),
        ("Asia/Kolkata", utc(2024, 6, 1), 330),
        ("America/New_York", utc(2012, 4, 3, 18), -240),
        ("America/New_York", utc(2012, 12, 3, 18), -300),
        ("Europe/Paris", utc(2090, 7, 1), 120),  # beyond the table of 2037: the rule of the zone goes on
        ("Australia/Lord_Howe", utc(2025, 1, 1), 660),  # half an hour of summer time
        ("Australia/Lord_Howe", utc(2025, 7, 1), 630),
    ],
)
def test_offset_of_zones(zone: str, moment: int, minutes: int) -> None:
    assert time.offset_minutes(np.array([moment]), zone).tolist() == [minutes]


def test_a_short_log_and_a_long_one_have_the_same_clock() -> None:
    long = np.arange(0, 2_000_000_000, 500_000)
    offsets = time.offset_minutes(long, "Europe/Paris")
    for low in range(0, len(long), 100):  # some of these parts see no change of the clock, others three
        assert (time.offset_minutes(long[low : low + 100], "Europe/Paris") == offsets[low : low + 100]).all()
    assert time.offset_minutes(np.zeros(0, np.int64), "Europe/Paris").dtype == np.int16


def test_the_source_offset_goes_before_the_zone() -> None:
    seconds = np.full(2, utc(2025, 1, 6))
    found = time.utc_offset(seconds, np.array([-300, time.NO_OFFSET], np.int16), "Europe/Paris")
    assert found.tolist() == [-300, 60]
    assert found.dtype == np.int16


def test_unknown_zone_and_country_are_config_errors() -> None:
    with pytest.raises(ConfigError, match=r"Mars/Base.*Europe/Paris"):
        time.offset_minutes(np.zeros(1, np.int64), "Mars/Base")
    with pytest.raises(ConfigError, match="XX"):
        time.calendar(np.zeros(1, np.int64), np.zeros(1, np.int16), "XX")


def test_calendar_is_local() -> None:
    # 2025-07-13 22:30 UTC is 00:30 on the national holiday in Paris, and still Sunday the 13th by UTC.
    seconds = np.full(2, utc(2025, 7, 13, 22, 30))
    hour, weekday, holiday = time.calendar(seconds, np.array([120, 0], np.int16), "FR")
    assert hour.tolist() == [0, 22]
    assert weekday.tolist() == [0, 6]
    assert holiday.tolist() == [1, 0]


def test_calendar_before_1970_and_without_country() -> None:
    hour, weekday, holiday = time.calendar(np.array([-1]), np.zeros(1, np.int16), None)
    assert (hour.tolist(), weekday.tolist(), holiday.tolist()) == ([23], [2], [0])  # Wednesday 1969-12-31


def test_holidays_of_a_subdivision() -> None:
    goodfriday = utc(2025, 4, 18, 12)  # a holiday in Alsace, not in Paris
    for country, expected in (("FR", 0), ("FR-57", 1)):
        assert time.calendar(np.array([goodfriday]), np.zeros(1, np.int16), country)[2].tolist() == [expected]


def test_gaps_restart_at_each_user() -> None:
    first = np.array([True, False, False, True])
    assert time.gaps(np.array([10, 10, 25, 5]), first).tolist() == [-1, 0, 15, -1]


def test_sessions_by_gap_by_name_and_by_both() -> None:
    start = np.array([0, 0, 0, 0, 4, 4], np.int32)
    gap_s = np.array([-1, 1800, 1801, 5, -1, 9999])
    none = np.zeros(6, np.int8)
    assert time.sessions(gap_s, none, start, 1800).tolist() == [0, 0, 1, 1, 0, 1]
    named = np.array(
        [time.NO_ID, time.OTHER_ID, time.SAME_ID, time.OTHER_ID, time.NO_ID, time.SAME_ID], np.int8
    )  # a name keeps a session together over any gap, and another name ends it
    assert time.sessions(gap_s, named, start, 1800).tolist() == [0, 1, 1, 2, 0, 0]


def test_rank_in_day() -> None:
    day = time.DAY_S
    seconds = np.array([5, 6, day - 1, day, 3, 4])
    first = np.array([True, False, False, False, True, False])
    assert time.rank_in_day(seconds, first).tolist() == [0, 1, 2, 0, 0, 1]
