"""The loops behind the ranker's features, compiled: what one query's history says of each of its candidates.

One pass over the history and one over the candidates of each query, for a block of a training window as for the one
query of a live request. Never here: which columns there are (`ranking.features`), and what is learned from them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.compiled import compiled, released
from components.memory.ask import DAY_S

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Table = NDArray[np.float32]

#: Columns of `of_history`: what a user's own past says of an item.
HISTORY = (
    "count",  # events of the user with the item
    "share",  # the same by the length of the history
    "age_d",  # days since the last of them
    "recency",  # distinct items met since
    "steps",  # events since
    "hours_off",  # smallest circular distance of their hours to that of the request
    "hour_fit",  # mean of exp(-Δh² / 2·1.5²) over them
    "day_fit",  # share of them on the same kind of day: weekend, or not
    "weekday_fit",  # share of them on the same weekday
    "in_session",  # of them in the last session
    "first_age_d",  # days since the first of them
    "period_d",  # mean days between them
    "overdue",  # age_d / period_d
    "is_last",  # whether the last event was with the item
    "after_last",  # times the item came next after an event with the last item
    "after_last_two",  # times it came next after the last two items in a row
    "after_age_d",  # days since the last such step
    "category_share",  # share of the history in the item's category
    "category_is_last",  # whether the last event was in it
    "category_after",  # share of the events after the last event's category that were in it
    "category_hour",  # hour_fit summed over the category's events, by the length of the history
    "km",  # from the place of the request
    "km_home",  # from the user's most frequent item among the candidates
    "log_count",  # log(1 + events of everybody with the item)
)
#: Columns of `of_query`: what is the same for all candidates of a query.
QUERY = (
    "length",  # log(1 + events of the history)
    "distinct",  # items by events
    "repeats",  # share of the last 20 events whose item was in the history before
    "session",  # events of the last session
    "gap",  # log(1 + seconds) since the last event where the time is given, else between the last two
    "hour",  # local, of the request
    "weekday",  # 0 = Monday
    "top_share",  # share of the most frequent item
    "last_count",  # events with the last item
)
NEVER_D, NEVER, NO_HOUR, NO_KM = 1e4, 1e3, 13.0, 2e4
_SIGMA_H, _RECENT, _WEEKDAY = 1.5, 20, QUERY.index("weekday")
_EARTH_KM = 6371.0


@compiled
def place_of(items: Ints, low: int, high: int, item: int) -> int:
    """Position of `item` in the ascending items[low:high], or -1."""
    stop = high
    while low < high:
        middle = (low + high) >> 1
        if items[middle] < item:
            low = middle + 1
        else:
            high = middle
    return low if low < stop and items[low] == item else -1


@released
def slots(edges: Ints, event_item: Ints, offsets: Ints, item: Ints) -> Ints:
    """(m,) candidate (n,) that each event is about, or -1; both grouped by query, candidates ascending by item."""
    out = np.full(len(event_item), -1, np.int64)
    for b in range(len(offsets) - 1):
        for e in range(edges[b], edges[b + 1]):
            out[e] = place_of(item, offsets[b], offsets[b + 1], event_item[e])
    return out


@compiled
def _circular(a: float, b: float) -> float:
    away = abs(a - b)
    return min(away, 24.0 - away)


@compiled
def _weekday(time_s: int, offset_min: int) -> int:
    """Local weekday, 0 = Monday (1970-01-01 was a Thursday)."""
    return ((time_s + 60 * offset_min) // DAY_S + 3) % 7


@released
def of_query(
    edges: Ints, item: Ints, session: Ints, every: Ints, told_s: Ints, given: bool, time_s: Ints, offset_min: Ints,
    hour: Floats,
) -> Table:  # fmt: skip
    """(B, QUERY) columns of each query.

    Parameters
    ----------
    edges : (B+1,) known events of query b are edges[b]:edges[b+1], oldest first
    item, session : (m,) of the events
    every, told_s : (B+1,), (n,) the same edges among all events, and when each was where the time is given, else
        seconds before each
    given, time_s, offset_min, hour : whether the time is given; (B,) of the request
    """
    out = np.zeros((len(edges) - 1, len(QUERY)), np.float32)
    for b in range(len(edges) - 1):
        low, high = edges[b], edges[b + 1]
        m = high - low
        ordered = np.sort(item[low:high])
        distinct, most, run, last_count = 0, 0, 0, 0
        for e in range(m):
            fresh = e == 0 or ordered[e] != ordered[e - 1]
            distinct += fresh
            run = 1 if fresh else run + 1
            most = max(most, run)
            last_count += ordered[e] == item[high - 1]
        in_session, repeats, looked = 0, 0, 0
        for e in range(high - 1, low - 1, -1):
            if session[e] != session[high - 1]:
                break
            in_session += 1
        for e in range(max(low + 1, high - _RECENT), high):
            looked += 1
            for earlier in range(e - 1, low - 1, -1):
                if item[earlier] == item[e]:
                    repeats += 1
                    break
        out[b, 0], out[b, 1], out[b, 2] = np.log1p(m), distinct / max(m, 1), repeats / max(looked, 1)
        gap_s = 0
        if every[b + 1] > every[b]:
            last_s = told_s[every[b + 1] - 1]
            gap_s = max(time_s[b] - last_s if given else last_s, 0)
        out[b, 3], out[b, 4] = in_session, np.log1p(gap_s)
        out[b, 5], out[b, 6] = hour[b], _weekday(time_s[b], offset_min[b])
        out[b, 7], out[b, 8] = most / max(m, 1), last_count
    return out


@released
def of_history(
    out: Table, offsets: Ints, item: Ints, edges: Ints, slot: Ints, event_item: Ints, age_d: Floats, time_s: Ints,
    offset_min: Ints, session: Ints, described: Table, hour: Floats, here: Floats, category: Ints, n_categories: int,
    points: Floats, count: Floats,
) -> None:  # fmt: skip
    """Fill the columns HISTORY and QUERY of all candidates.

    Parameters
    ----------
    out : (n, ≥ HISTORY + QUERY) is written
    offsets, item : (B+1,), (n,) candidates of query b are item[offsets[b]:offsets[b+1]], ascending
    edges, event_item : (B+1,), (m,) known events of each history, oldest first
    slot : (m,) candidate of each event, or -1
    age_d, time_s, offset_min, session : (m,) of the events
    described, hour : (B, QUERY), (B,) of the request
    here : (B, 3) unit vector of the request's place, NaN = unknown
    category, points, count : (V,), (V, 3), (V,) of the items; unit vectors, NaN = no place; events of everybody
    """
    in_category, at_hour, after = np.zeros(n_categories), np.zeros(n_categories), np.zeros(n_categories)
    for b in range(len(offsets) - 1):
        first, stop, low, high = offsets[b], offsets[b + 1], edges[b], edges[b + 1]
        m = high - low
        out[first:stop, : len(HISTORY)] = 0.0
        out[first:stop, len(HISTORY) : len(HISTORY) + len(QUERY)] = described[b]
        for s in range(first, stop):
            out[s, 2], out[s, 3], out[s, 4], out[s, 5] = NEVER_D, NEVER, NEVER, NO_HOUR
            out[s, 10], out[s, 11], out[s, 12], out[s, 16] = NEVER_D, NEVER_D, -1.0, NEVER_D
        last = event_item[high - 1] if m > 0 else -1
        second = event_item[high - 2] if m > 1 else -1
        last_category = category[last] if m > 0 else 0
        today, recency, steps_from = np.int64(described[b, _WEEKDAY]), 0, 0
        for e in range(high - 1, low - 1, -1):
            group = category[event_item[e]]
            off = _circular((time_s[e] + 60 * offset_min[e]) % DAY_S / 3600.0, hour[b])
            fit = np.exp(-0.5 * (off / _SIGMA_H) ** 2)
            in_category[group] += 1
            at_hour[group] += fit
            if e > low and category[event_item[e - 1]] == last_category:
                after[group] += 1
                steps_from += 1
            s = slot[e]
            if s < 0:
                continue
            if out[s, 0] == 0:
                out[s, 2], out[s, 3], out[s, 4], out[s, 5] = age_d[e], recency, high - 1 - e, off
                recency += 1
            out[s, 0] += 1
            out[s, 5] = min(out[s, 5], off)
            out[s, 6] += fit
            day = _weekday(time_s[e], offset_min[e])
            out[s, 7] += (day >= 5) == (today >= 5)
            out[s, 8] += day == today
            out[s, 9] += session[e] == session[high - 1]
            out[s, 10] = age_d[e]
            if e > low and event_item[e - 1] == last:
                if out[s, 14] == 0:
                    out[s, 16] = age_d[e]
                out[s, 14] += 1
                if e > low + 1 and event_item[e - 2] == second:
                    out[s, 15] += 1
        home = -1
        for s in range(first, stop):
            if out[s, 0] > 0 and (home < 0 or out[s, 0] > out[home, 0]):
                home = s
        for s in range(first, stop):
            code = item[s]
            group, times = category[code], out[s, 0]
            if times > 0:
                out[s, 1] = times / m
                out[s, 6] /= times
                out[s, 7] /= times
                out[s, 8] /= times
                if times > 1:
                    out[s, 11] = (out[s, 10] - out[s, 2]) / (times - 1)
                    out[s, 12] = out[s, 2] / (out[s, 11] + 0.05)
            out[s, 13] = code == last
            out[s, 17] = in_category[group] / max(m, 1)
            out[s, 18] = m > 0 and group == last_category
            out[s, 19] = after[group] / max(steps_from, 1)
            out[s, 20] = at_hour[group] / max(m, 1)
            out[s, 21] = _km(points[code], here[b])
            out[s, 22] = _km(points[code], points[item[home]]) if home >= 0 else NO_KM
            out[s, 23] = np.log1p(count[code])
        for e in range(low, high):
            group = category[event_item[e]]
            in_category[group], at_hour[group], after[group] = 0.0, 0.0, 0.0


@compiled
def _km(a: Floats, b: Floats) -> float:
    """Chord between two unit vectors on the earth, km; NO_KM where one is unknown."""
    away = np.sqrt((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2)
    return NO_KM if np.isnan(away) else _EARTH_KM * away


@released
def put_popular(out: Table, columns: Ints, weight: Floats, popular: Floats, offsets: Ints, item: Ints) -> None:
    """Write the popularity (V,) of each candidate, times each voice's weight (K, B) of it, to the columns (K,)."""
    for b in range(len(offsets) - 1):
        for s in range(offsets[b], offsets[b + 1]):
            for k in range(len(columns)):
                out[s, columns[k]] = weight[k, b] * popular[item[s]]


@released
def add_block(out: Table, column: int, block: NDArray[np.floating], weight: Floats, offsets: Ints, item: Ints) -> None:
    """Add what a block (B, V), or (1, V) for all alike, gives each candidate, times the weight (B,), to a column."""
    for b in range(len(offsets) - 1):
        row = block[b % len(block)]
        for s in range(offsets[b], offsets[b + 1]):
            out[s, column] += np.float32(weight[b] * row[item[s]])


@released
def add_pairs(out: Table, column: int, query: Ints, about: Ints, weight: Floats, offsets: Ints, item: Ints) -> None:
    """Add weighted (query, item) pairs (p,) to a column of those candidates that they are about."""
    for p in range(len(query)):
        s = place_of(item, offsets[query[p]], offsets[query[p] + 1], about[p])
        if s >= 0:
            out[s, column] += weight[p]


@released
def add_habit(out: Table, column: int, weight: Floats, slot: Ints) -> None:
    """Add weights (m,) on the events to a column of the candidates that they are about."""
    for e in range(len(slot)):
        if slot[e] >= 0:
            out[slot[e], column] += weight[e]


@released
def relative(out: Table, source: Ints, target: Ints, offsets: Ints) -> None:
    """Write column `source` divided by its largest value among the query's candidates to column `target`, for each."""
    for b in range(len(offsets) - 1):
        for k in range(len(source)):
            most = np.float32(1e-30)
            for s in range(offsets[b], offsets[b + 1]):
                most = max(most, out[s, source[k]])
            for s in range(offsets[b], offsets[b + 1]):
                out[s, target[k]] = out[s, source[k]] / most
