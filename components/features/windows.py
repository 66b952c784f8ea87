"""Which window each event belongs to, and whether it is to be predicted there: the three splits as pure functions.

temporal
    Boundaries in global time, counted back from the end: train < tune < blend < test. The default.
leave_one_out
    Each user's last event is test, the one before it tune, the rest train (users with fewer than three events
    are all train). There is no blend window: the two last events of a user are all that the protocol gives.
last_of_trajectory
    Windows as in temporal (or as the source's files gave them); a query is the last event of each trajectory
    within its window (research on next-place prediction: GETNext, STHGCN). Trajectories are the store's sessions:
    the source's session ids where it has them. One that straddles a boundary is cut there.

Windows that the source itself gave (train, valid and test files) stand; when none is called blend, the later
half of tune becomes it. Nothing here reads an item or a user's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from components.errors import DataError
from components.features.raw import Raw
from components.features.store import WINDOWS
from components.features.time import DAY_S, HOUR_S, gaps, sessions
from components.params import WindowParams

_LATEST_FIRST = ("test", "blend", "tune")


@dataclass(frozen=True)
class Split:
    """How a log is divided.

    Attributes
    ----------
    protocol : one of the three above
    min_length : last_of_trajectory only: events that a trajectory needs within its window to be asked about
    known_only : last_of_trajectory only: only events of items and users that training saw are counted and asked
        about (GETNext); else the last event of all (STHGCN)
    """

    protocol: Literal["temporal", "leave_one_out", "last_of_trajectory"]
    min_length: int = 2
    known_only: bool = False


def edges(time_s: NDArray[np.int64], spans: WindowParams) -> NDArray[np.int64]:
    """First second of tune, blend and test.

    Parameters
    ----------
    time_s : (N,) int64 UTC seconds, in any order
    spans : WindowParams
        "7d" and "36h" are counted back from the end of the log's last UTC day or hour; "10%" takes that share
        of all events (events of the same second stay together, in the later window).

    Returns
    -------
    (3,) int64, ascending

    Raises
    ------
    DataError
        There are no events, or a window (or train) that should hold some is empty.
    """
    if not len(time_s):
        raise DataError("events to divide into windows", found="an empty log", do="Ingest some events first.")
    edge = end = int(time_s.max()) + 1
    found: list[int] = []
    for name in _LATEST_FIRST:
        amount, unit = float(getattr(spans, name)[:-1]), getattr(spans, name)[-1]
        if unit == "%":
            before = time_s[time_s < edge]
            share = min(round(amount / 100 * len(time_s)), len(before))
            if share:
                edge = int(np.partition(before, len(before) - share)[len(before) - share])
        elif amount > 0:
            length = DAY_S if unit == "d" else HOUR_S
            whole = -(-edge // length) * length if edge == end else edge
            edge = whole - round(amount * length)
        found.append(edge)
    starts = np.array(found[::-1], np.int64)
    require(window_of(time_s, starts), spans, int(time_s.min()), int(time_s.max()))
    return starts


def window_of(time_s: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int8]:
    """(N,) int8 codes of WINDOWS by the first seconds (3,) of tune, blend and test."""
    return np.searchsorted(starts, time_s, side="right").astype(np.int8)


def require(window: NDArray[np.int8], spans: WindowParams, first_s: int, last_s: int) -> None:
    """Refuse an empty train or tune window, and an empty one whose span is not zero.

    Parameters
    ----------
    window : (N,) int8 codes of WINDOWS
    spans : WindowParams
    first_s, last_s : int
        UTC seconds of the log's first and last event, for the message.

    Raises
    ------
    DataError
        Such a window is empty.
    """
    count = np.bincount(window[window >= 0], minlength=4)
    for name in ("train", "tune", "blend", "test"):
        span = getattr(spans, name, "100%")
        if count[WINDOWS[name]] == 0 and (name in {"train", "tune"} or float(span[:-1]) > 0):
            first, last = (str(np.datetime64(second, "s")) + "Z" for second in (first_s, last_s))
            raise DataError(
                f"at least one event in the {name} window",
                found=f"none (the log runs from {first} to {last}; tune {spans.tune}, blend {spans.blend}, "
                f"test {spans.test})",
                do="Choose other spans under `windows` in params.yaml, or ingest more days.",
            )


def leave_one_out(offsets: NDArray[np.int64]) -> NDArray[np.int8]:
    """(N,) int8 codes of WINDOWS: each user's last event test, the one before tune, the rest train."""
    window = np.zeros(int(offsets[-1]), np.int8)
    last = offsets[1:][np.diff(offsets) >= 3] - 1
    window[last], window[last - 1] = WINDOWS["test"], WINDOWS["tune"]
    return window


def blend_from_tune(window: NDArray[np.int8], time_s: NDArray[np.int64]) -> NDArray[np.int8]:
    """(N,) the given codes, with the later half of tune (from its median second on) as blend if there is none."""
    tune = window == WINDOWS["tune"]
    if (window == WINDOWS["blend"]).any() or not tune.any():
        return window
    times = time_s[tune]
    middle = np.partition(times, len(times) // 2)[len(times) // 2]
    return np.where(tune & (time_s >= middle) & (middle > times.min()), np.int8(WINDOWS["blend"]), window)


def trajectory_ends(
    window: NDArray[np.int8],
    session: NDArray[np.int32],
    first: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    min_length: int,
) -> NDArray[np.bool_]:
    """(N,) the last counted event of each trajectory and window that has `min_length` counted events.

    Parameters
    ----------
    window : (N,) int8 codes of WINDOWS, ascending in time within a user
    session : (N,) int32 number of the trajectory within the user
    first : (N,) bool first event of its user
    counted : (N,) bool events that count towards the length and may be the end
    min_length : int
    """
    fresh = first.copy()
    fresh[1:] |= (session[1:] != session[:-1]) | (window[1:] != window[:-1])
    piece = np.cumsum(fresh) - 1
    row = np.flatnonzero(counted)
    length = np.bincount(piece[row], minlength=int(fresh.sum()))
    last = np.full(len(length), -1, np.int64)
    last[piece[row]] = row  # the later assignment wins
    ends = np.zeros(len(window), bool)
    ends[last[(length >= min_length) & (last >= 0)]] = True
    return ends


def divide(
    raw: Raw, spans: WindowParams, split: Split, session_gap_s: int
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Window and target of every event.

    Parameters
    ----------
    raw : Raw
        If it holds windows of its own, they stand.
    spans : WindowParams
    split : Split
    session_gap_s : int
        Where a new trajectory begins when the source names none.

    Returns
    -------
    window : (N,) int8 codes of WINDOWS; every event has exactly one
    target : (N,) bool, to be predicted in its window. Events without an item are history only; train events
        are targets of the loss under every protocol.

    Raises
    ------
    DataError
        Train, tune, or a window that should hold events, is empty.
    """
    has_item = raw.item >= 0
    if raw.window is not None:
        window = raw.window
        if split.protocol != "leave_one_out":
            window = blend_from_tune(window, raw.time_s)
    elif split.protocol == "leave_one_out":
        window = leave_one_out(raw.offsets)
    else:
        window = window_of(raw.time_s, edges(raw.time_s, spans))
    train = window == WINDOWS["train"]
    if not train.any() or not (window == WINDOWS["tune"]).any():
        nothing = WindowParams(tune=spans.tune, blend="0d", test="0d")
        times = raw.time_s if len(raw) else np.zeros(1, np.int64)
        require(window, nothing, int(times.min()), int(times.max()))
    target = has_item & (window != WINDOWS["rest"])
    if split.protocol == "last_of_trajectory":
        counted = has_item
        if split.known_only:
            counted = has_item & _seen(raw.item, train & has_item, len(raw.items))
            counted &= np.logical_or.reduceat(train, raw.offsets[:-1]).repeat(np.diff(raw.offsets))
        session = sessions(gaps(raw.time_s, raw.first), raw.link, raw.start, session_gap_s)
        target &= train | trajectory_ends(window, session, raw.first, counted, split.min_length)
    return window, target


def _seen(item: NDArray[np.int32], train: NDArray[np.bool_], n_items: int) -> NDArray[np.bool_]:
    known = np.zeros(n_items + 1, bool)
    known[item[train]] = True
    return known[item]
