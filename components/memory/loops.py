"""The loops behind counters that read a history, compiled: one pass over the events in place of twenty small arrays.

Sums are of float64 and in the order of the events, but where a loop is `quick`. They start no threads. Never here:
which counter uses which.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from components.compiled import compiled, quick

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_DAY_S = 86_400


@compiled
def aged(age_d: Floats, half_life_d: float) -> Floats:
    """(n,) 2^(-age / half-life); 1 where the half-life is infinite."""
    out = np.ones(len(age_d))
    if not math.isinf(half_life_d):
        for e in range(len(out)):
            out[e] = 2.0 ** (-age_d[e] / half_life_d)
    return out


@compiled
def at_hour(
    weight: Floats, query: Ints, time_s: Ints, offset_min: NDArray[np.int16], hour: Floats, weekend: NDArray[np.bool_],
    sigma_h: float, match: float,
) -> None:  # fmt: skip
    """Multiply weights (m,) by how near each event's hour is to its query's (B,), and by `match` on other days."""
    for e in range(len(weight)):
        local = time_s[e] + 60 * np.int64(offset_min[e])
        away = abs((local % _DAY_S) / 3600.0 - hour[query[e]])
        away = min(away, 24 - away)
        weight[e] *= math.exp(-0.5 * (away / sigma_h) ** 2)
        if ((local // _DAY_S + 3) % 7 >= 5) != weekend[query[e]]:
            weight[e] *= match


@compiled
def near(weight: Floats, query: Ints, item: Ints, here: Floats, points: Floats, nowhere: NDArray[np.bool_],
         scale_km: float, earth_km: float) -> None:  # fmt: skip
    """Multiply weights (m,) by exp(-km / scale) from the places (B, 3) of their queries; 0 where one is unknown."""
    for e in range(len(weight)):
        x, y, z = here[query[e]]
        if nowhere[item[e]] or math.isnan(x):
            weight[e] = 0.0
            continue
        dx, dy, dz = x - points[item[e], 0], y - points[item[e], 1], z - points[item[e], 2]
        weight[e] *= math.exp(-earth_km * math.sqrt(dx * dx + dy * dy + dz * dz) / scale_km)


@compiled
def in_last_session(edges: Ints, session: NDArray[np.integer], decay: float) -> Floats:
    """(n,) decay^k of the events of each query's last session, k = 0 for the newest; else 0."""
    out = np.zeros(edges[-1])
    for b in range(len(edges) - 1):
        for e in range(edges[b], edges[b + 1]):
            if session[e] == session[edges[b + 1] - 1]:
                out[e] = decay ** (edges[b + 1] - 1 - e)
    return out


@compiled
def shared(weight: Floats, query: Ints, prior: float, size: int) -> Floats:
    """(size,) what popularity gets of each query; the weights (m,) become shares, in place."""
    total = np.zeros(size)
    for e in range(len(weight)):
        total[query[e]] += weight[e]
    for b in range(size):
        total[b] += prior
    for e in range(len(weight)):
        weight[e] /= total[query[e]]
    return prior / total


@compiled
def steps(
    edges: Ints, item: Ints, time_s: Ints, last_item: Ints, asked_s: Ints, most_s: float, half_life_d: float,
    sigma: float, unknown: int, prior: float,
) -> tuple[Ints, Ints, Floats, Floats]:  # fmt: skip
    """Events that came, within `most_s`, just after an event with the query's last item (B,).

    Returns
    -------
    (p,) query, (p,) item, (p,) share of 2^(-age / half-life) exp(-(Δ log pause)² / 2σ²), the pause until `asked_s` (B,)
    being compared where σ is finite, and (B,) the share of `prior`
    """
    query, code, weight = np.empty(edges[-1], np.int64), np.empty(edges[-1], np.int64), np.empty(edges[-1])
    popular = np.empty(len(edges) - 1)
    found = 0
    for b in range(len(edges) - 1):
        low, high, first, total = edges[b], edges[b + 1], found, 0.0
        now = math.log1p(max(asked_s[b] - time_s[high - 1], 0)) if high > low else 0.0
        for e in range(low + 1, high):
            after_last = item[e - 1] == last_item[b] and item[e - 1] > unknown
            if after_last and item[e] > unknown and time_s[e] - time_s[e - 1] < most_s:
                heavy = 1.0
                if not math.isinf(half_life_d):
                    heavy = 2.0 ** (-(max(asked_s[b] - time_s[e], 0) / _DAY_S) / half_life_d)
                if not math.isinf(sigma):
                    then = math.log1p(max(time_s[e] - time_s[e - 1], 0))
                    heavy *= math.exp(-0.5 * ((then - now) / sigma) ** 2)
                query[found], code[found], weight[found] = b, item[e], heavy
                total += heavy
                found += 1
        total += prior
        popular[b] = prior / total
        for p in range(first, found):
            weight[p] /= total
    return query[:found], code[:found], weight[:found], popular


@compiled
def capped(query: Ints, count: Floats, total: Floats, prior: float) -> tuple[Floats, Floats]:
    """(p,) counts as shares of their row's total (B,) and `prior` events, and (B,) what popularity gets.

    That is the prior, and what the row has lost of its rare pairs.
    """
    whole, popular = np.zeros(len(total)), np.empty(len(total))
    for p in range(len(count)):
        whole[query[p]] += count[p]
    for b in range(len(total)):
        behind = prior + max(total[b] - whole[b], 0.0)
        whole[b] += behind
        popular[b] = behind / whole[b]
    out = np.empty(len(count))
    for p in range(len(count)):
        out[p] = count[p] / whole[query[p]]
    return out, popular


@compiled
def row_of(key: Ints, count: Floats, row: int, columns: int) -> tuple[Ints, Floats]:
    """(p,) columns and counts of one row, from the sorted keys row · columns + column."""
    low, high = np.searchsorted(key, row * columns), np.searchsorted(key, (row + 1) * columns)
    return key[low:high] - row * columns, count[low:high]


@compiled
def everywhere(count: Floats, first: int) -> Floats:
    """(n,) counts as a distribution over the codes from `first` on, one more being counted of each."""
    out = np.zeros(len(count))
    total = 0.0
    for c in range(first, len(count)):
        out[c] = max(count[c], 0.0) + 1.0
        total += out[c]
    return out / total


@compiled
def cell_parts(edges: Ints, cell: NDArray[np.integer], count: Floats, prior: float, unknown: int) -> Floats:
    """(4, B, C) distributions over the cells, the first still empty; see `memory.cells`."""
    everybody = everywhere(count, unknown + 1)
    size, n = len(edges) - 1, len(everybody)
    out = np.zeros((4, size, n))
    for b in range(size):
        last, events = 0, 0.0
        for e in range(edges[b], edges[b + 1]):
            if cell[e] > unknown:
                last = cell[e]
                events += 1.0
                out[1, b, last] += 1.0
        for c in range(n):
            out[1, b, c] = (out[1, b, c] + prior * everybody[c]) / (events + prior)
            out[2, b, c] = everybody[c] * (prior / (1.0 + prior)) if last else everybody[c]
            out[3, b, c] = everybody[c]
        if last:
            out[2, b, last] += 1.0 / (1.0 + prior)
    return out


@quick
def spread(item: NDArray[np.float32], total: Floats, prior: float) -> tuple[NDArray[np.float32], float]:
    """(V,) probabilities over the smoothed totals (V,), and what of them is anywhere."""
    out, anywhere, least = np.empty(len(item), np.float32), np.float32(0.0), np.float32(prior)
    for v in range(len(item)):
        once = np.float32(total[v])
        out[v] = item[v] / ((once if once > 0 else np.float32(0.0)) + least)
        anywhere += out[v]
    return out, float(anywhere) * prior


@quick
def through(scaled: NDArray[np.float32], edges: NDArray[np.int32], item: NDArray[np.int32],
            count: NDArray[np.float32], out: Floats) -> None:  # fmt: skip
    """Add Σ scaled (V,) · count over the items edges[c]:edges[c+1] of each cell to (C,), in place."""
    for c in range(len(out)):
        found = np.float32(0.0)
        for p in range(np.uint32(edges[c]), np.uint32(edges[c + 1])):  # below 0 nothing would be counted from the end
            found += scaled[np.uint32(item[p])] * count[p]
        out[c] += found


@compiled
def smoothed(out: Floats, base: Floats, prior: float, unknown: int) -> None:
    """Counts (A,) as a distribution over the real codes, smoothed by `prior` events of `base`; in place."""
    total = 0.0
    for a in range(len(out)):
        out[a] = max(out[a], 0.0) if a > unknown else 0.0
        total += out[a]
    for a in range(len(out)):
        out[a] = (out[a] + prior * base[a]) / (total + prior)


@compiled
def action_parts(
    edges: Ints, action: NDArray[np.integer], count: Floats, step: Floats, prior: float, unknown: int
) -> Floats:
    """(4, B, A) distributions over the actions; see `memory.actions`."""
    everybody = everywhere(count, unknown + 1)
    size, n = len(edges) - 1, len(everybody)
    out = np.zeros((4, size, n))
    for b in range(size):
        out[0, b] = everybody
        last = action[edges[b + 1] - 1] if edges[b + 1] > edges[b] else 0
        if last > unknown:
            out[1, b] = step[last]
        for e in range(edges[b], edges[b + 1]):
            out[2, b, action[e]] += 1.0
            if e > edges[b] and action[e - 1] == last:
                out[3, b, action[e]] += 1.0
        smoothed(out[1, b], everybody, prior, unknown)
        smoothed(out[2, b], everybody, prior, unknown)
        smoothed(out[3, b], out[1, b], prior, unknown)
    return out


@compiled
def row_of_gap(gap_s: int, rows: int, steps: float) -> int:
    """Row of a table of log-pauses, `steps` to each unit, that a pause belongs to; the last where there is none."""
    return min(int(math.log1p(float(gap_s)) * steps), rows - 2) if gap_s >= 0 else rows - 1


@compiled
def gap_parts(
    edges: Ints, gap_s: NDArray[np.integer], table: Floats, steps: float, count: Floats, step: Floats, prior: float
) -> Floats:
    """(3, B, C) weights of the components of time, for pauses (n,) before events; see `memory.gaps`."""
    everybody = everywhere(count, 0)
    size, n = len(edges) - 1, len(everybody)
    out = np.zeros((3, size, n))
    for b in range(size):
        out[0, b] = everybody
        known = 0.0
        if edges[b + 1] > edges[b]:
            last = table[row_of_gap(gap_s[edges[b + 1] - 1], len(table), steps)]
            for c in range(n):
                known += last[c]
                row = 0.0
                for d in range(n):
                    row += max(step[c, d], 0.0) + prior * everybody[d]
                for d in range(n):
                    out[1, b, d] += last[c] * (max(step[c, d], 0.0) + prior * everybody[d]) / row
        total = 0.0
        for c in range(n):
            out[1, b, c] += (1.0 - known) * everybody[c]
        for e in range(edges[b], edges[b + 1]):
            at = row_of_gap(gap_s[e], len(table), steps)
            for c in range(n):
                out[2, b, c] += table[at, c]
        for c in range(n):
            total += out[2, b, c]
        for c in range(n):
            out[2, b, c] = (out[2, b, c] + prior * out[1, b, c]) / (total + prior)
    return out
