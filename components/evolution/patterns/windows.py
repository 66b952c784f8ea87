"""When: parts of the week and of holidays, and runs of months, each with the words that name it.

Never here: events.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evolution.log import HOURS_OF_WEEK

DAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
HOLIDAY, EVE = (
    HOURS_OF_WEEK,
    HOURS_OF_WEEK + 24,
)  # where the hours of public holidays, and of the days before them, begin
SLOTS = HOURS_OF_WEEK + 48
_PARTS = (
    ("", 0, 24),
    ("early morning", 5, 8),
    ("morning", 8, 11),
    ("lunchtime", 11, 14),
    ("afternoon", 14, 17),
    ("evening", 17, 21),
    ("night", 21, 26),
)
_WORKING = (0, 1, 2, 3, 4)
_SETS = (
    ("weekdays", _WORKING),
    ("weekends", (5, 6)),
    *((name, (day,)) for day, name in enumerate(DAYS)),
)
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip
_CROWDS = {
    ("weekdays", "lunchtime"): "the lunch crowd",
    ("every day", "lunchtime"): "the lunch crowd",
    ("weekdays", "early morning"): "the early crowd",
    ("weekdays", "morning"): "the morning crowd",
    ("weekdays", "evening"): "the after-work crowd",
    ("weekdays", ""): "the weekday crowd",
    ("weekends", ""): "the weekend crowd",
    ("every day", "night"): "the night crowd",
    ("every day", "early morning"): "the early crowd",
    ("Fridays and Saturdays", "night"): "the going-out crowd",
    ("public holidays", ""): "the holiday wave",
    ("eves of public holidays", ""): "the wave before the holidays",
}
_WAVE_MONTHS = 3
_MANY = {"early morning": "early mornings", "morning": "mornings", "lunchtime": "lunchtimes", "afternoon": "afternoons",
         "evening": "evenings", "night": "nights"}  # fmt: skip


@dataclass(frozen=True)
class Window:
    """A set of slots.

    Attributes
    ----------
    name : what recurs then, e.g. the lunch crowd
    when : days and hours in words
    slots : ascending
    like : slots of the days that holidays and their eves would be otherwise; they must be busier than those
    """

    name: str
    when: str
    slots: tuple[int, ...]
    like: tuple[int, ...] = ()


def slots_of(day: NDArray[np.integer], hour: NDArray[np.integer], free: NDArray[np.integer]) -> NDArray[np.int64]:
    """(N,) hour of the week; on a public holiday or the day before one, HOLIDAY or EVE + hour.

    Parameters
    ----------
    day, hour : (N,) local days since 1970, and hours of the day
    free : (H,) public holidays, days since 1970; empty: there are none
    """
    eve = np.setdiff1d(np.asarray(free, np.int64) - 1, free)
    slot = np.where(np.isin(day, eve), EVE + hour, (day + 3) % 7 * 24 + hour)  # 1970-01-01 was a Thursday
    return np.where(np.isin(day, free), HOLIDAY + hour, slot).astype(np.int64)


def week_windows() -> list[Window]:
    """Parts of the day on weekdays, weekends, each weekday, every day, public holidays and the days before them.

    Nights also on Fridays and Saturdays together: before free days. A night goes on until two in the morning. The hours
    of holidays belong to no weekday.
    """
    found = []
    for part, begin, end in _PARTS:
        for days, those in _SETS:
            hours = {(24 * day + hour) % HOURS_OF_WEEK for day in those for hour in range(begin, end)}
            found.append(_window(days, part, hours))
        for days, base in (("public holidays", HOLIDAY), ("eves of public holidays", EVE)):
            like = {(24 * day + hour) % HOURS_OF_WEEK for day in _WORKING for hour in range(begin, end)}
            found.append(_window(days, part, {base + hour % 24 for hour in range(begin, end)}, like))
        if part == "night":
            late = {24 * day + hour for day in (4, 5) for hour in range(begin, end)}
            found.append(_window("Fridays and Saturdays", part, late))
        if part:
            daily = {hour % 24 for hour in range(begin, end)}
            found.append(_window("every day", part, {slot for slot in range(SLOTS) if slot % 24 in daily}))
    return found


def _window(days: str, part: str, slots: set[int], like: Collection[int] = ()) -> Window:
    begin, end = next((begin, end) for name, begin, end in _PARTS if name == part)
    when = f"{days} {begin}:00–{end % 24}:00" if part else days
    whole = {"every day": "", "public holidays": "holiday ", "eves of public holidays": "holiday-eve "}
    plain = f"{whole.get(days, days.removesuffix('s') + ' ')}{_MANY[part]}" if part else days
    return Window(_CROWDS.get((days, part), plain), when, tuple(sorted(slots)), tuple(sorted(like)))


def month_windows(months: NDArray[np.integer]) -> list[Window]:
    """Runs of up to three months of a log of at least four.

    Parameters
    ----------
    months : (M,) months since January 1970, ascending; slot k is months[k]
    """
    found = []
    for first in range(len(months)):
        for length in range(1, _WAVE_MONTHS + 1):
            run = months[first : first + length]
            if len(months) < _WAVE_MONTHS + 1 or len(run) < length or run[-1] - run[0] != length - 1:
                continue
            names = [_MONTHS[int(one) % 12] for one in (run[0], run[-1])]
            title = names[0] if length == 1 else f"{names[0]}–{names[1]}"
            year = 1970 + int(run[0]) // 12
            found.append(Window(f"the {title} wave", f"{title} {year}", tuple(range(first, first + length))))
    return found
