"""The loops behind a network's answer to one query, compiled: what torch spends on calls, not on arithmetic.

Each is the same sum as in `components.models`, in float32, in another order of addition. They start no threads. Never
here: where the weights come from, and which of these a model needs.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from components.compiled import quick

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_EPS = np.float32(1e-5)  # of torch's layer norm


@quick
def times(matrix: Floats, x: Floats, shift: Floats) -> Floats:
    """(m,) matrix (m, n) · x (n,) + shift (m,)."""
    out = np.empty(matrix.shape[0], np.float32)
    for i in range(matrix.shape[0]):
        total = np.float32(0)
        for j in range(matrix.shape[1]):
            total += matrix[i, j] * x[j]
        out[i] = total + shift[i]
    return out


@quick
def silu(x: Floats) -> Floats:
    """(n,) x · sigmoid(x)."""
    out = np.empty_like(x)
    for i in range(len(x)):
        out[i] = x[i] / (np.float32(1) + np.exp(-x[i]))
    return out


@quick
def log_softmax(x: Floats) -> Floats:
    """(n,)."""
    most = x.max()
    total = np.float32(0)
    for i in range(len(x)):
        total += np.exp(x[i] - most)
    return x - (most + np.log(total))


@quick
def chances(matrix: Floats, x: Floats, shift: Floats, temperature: float) -> Floats:
    """(m + 2,) probabilities of a class head, after 0 for padding and unknown."""
    logits = times(matrix, x, shift)
    if temperature != 1.0:
        logits = log_softmax(logits) / np.float32(temperature)
    out = np.zeros(len(logits) + 2, np.float32)
    out[2:] = np.exp(log_softmax(logits))
    return out


@quick
def filmed(
    state: Floats, clock: Floats, waves: int, minute: float, log_gap: float, known: bool, knots: Floats,
    smooth: Floats, smooth_shift: Floats, unknown: Floats, film: Floats, film_shift: Floats, norm: Floats,
    norm_shift: Floats, up: Floats, down: Floats,
) -> Floats:  # fmt: skip
    """(d,) a state that knows of the request; see `models.query`.

    `clock` (d,) are the vectors of hour and weekday, `knots` those of the gap; the rest are weights.
    """
    d, size = len(state), len(knots)
    q = unknown
    if known:
        told = np.empty(2 * waves + size, np.float32)
        angle = np.float32(minute) * np.float32(2 * math.pi / 1440)
        for k in range(waves):
            told[k], told[waves + k] = np.sin(angle * np.float32(k + 1)), np.cos(angle * np.float32(k + 1))
        width = knots[1]
        for k in range(size):
            away = (np.float32(log_gap) - knots[k]) / width
            told[2 * waves + k] = np.exp(np.float32(-0.5) * away * away)
        q = clock + times(smooth, told, smooth_shift)
    moved = times(film, q, film_shift)
    mean, square = np.float32(0), np.float32(0)
    for i in range(d):
        mean += state[i]
    mean /= np.float32(d)
    for i in range(d):
        square += (state[i] - mean) ** 2
    both = np.empty(2 * d, np.float32)
    both[:d] = (state - mean) / np.sqrt(square / np.float32(d) + _EPS) * norm + norm_shift
    both[d:] = q
    grown = times(up, both, np.zeros(up.shape[0], np.float32))
    half = len(grown) // 2
    brought = times(down, silu(grown[:half]) * grown[half:], moved[d:])
    return state * (np.float32(1) + moved[:d]) + brought


@quick
def apart(points: Floats, scale: Floats, here: Floats) -> Floats:
    """(V,) 1 + straight distances of places (3, V) from one (3,) on the unit sphere, times `scale` (V,); 1 = unknown.

    `scale` is 0 where there is no place.
    """
    out = np.ones(len(scale), np.float32)
    if here[0] ** 2 + here[1] ** 2 + here[2] ** 2 < 0.5:
        return out
    for v in range(len(scale)):
        dx, dy, dz = points[0, v] - here[0], points[1, v] - here[1], points[2, v] - here[2]
        out[v] = np.float32(1) + np.sqrt(dx * dx + dy * dy + dz * dz) * scale[v]
    return out


@quick
def scored(
    items: Floats, asked: Floats, scale: float, bias: Floats, away: Floats, strength: Floats, strength_shift: Floats
) -> Floats:
    """(V,) logits of items (V, d) for what is asked (d,), less what lies far away.

    Parameters
    ----------
    scale, bias : of all products; (V,) of each item
    away : (V,) logarithms of distances; empty where they do not count
    strength, strength_shift : how much they do, before softplus: weights (1, d), (1,)
    """
    out = times(items, asked * np.float32(scale), bias)
    if len(away):
        pull = times(strength, asked, strength_shift)[0]
        pull = max(pull, np.float32(0)) + np.log1p(np.exp(-abs(pull)))
        for v in range(len(away)):
            out[v] -= pull * away[v]
    return out


@quick
def timed(matrix: Floats, x: Floats, shift: Floats) -> Floats:
    """(3, C) weights, means and deviations of the components of time; see `models.heads`."""
    out = times(matrix, x, shift).reshape(3, -1)
    out[0] = np.exp(log_softmax(out[0]))
    for c in range(out.shape[1]):
        out[2, c] = np.exp(min(max(out[2, c], np.float32(-5)), np.float32(3)))
    return out


@quick
def _bucket(x: float, size: int) -> int:
    """Half powers of two of x ≥ 1, the last open."""
    return min(max(int(np.floor(np.float32(2) * np.log2(np.float32(x)))), 0), size - 1)


@quick
def pointed(
    asked: Floats, query: Floats, query_shift: Floats, keys: Floats, lasting: Floats, known: Bools, time_s: Ints,
    log_gap: float, clock_known: bool, age: Floats, pause: Floats, pauses: Floats, follows: Bools, hour: Floats,
    own_hour: int, own_day: int, hours: Ints, days: Ints,
) -> Floats:  # fmt: skip
    """(H, L) log-shares of a copy head's events for one question; see `models.copy`. Empty tables say nothing.

    Parameters
    ----------
    asked : (d,) the state that asks
    query, query_shift, keys : weights; (L, H, s) what each event is found by
    lasting : (L, H) biases that do not depend on the request
    known : (L,) events of known items
    time_s, hours, days, pauses, follows : (L,) of the events; `pauses` are logarithms of what came before each
    log_gap, clock_known, own_hour, own_day : of the request
    age, pause, hour : (buckets, H) tables
    """
    L, H, s = keys.shape
    asking = times(query, asked, query_shift)
    scale = np.float32(1.0 / math.sqrt(s))
    gap = np.float32(np.expm1(np.float32(log_gap))) if clock_known else np.float32(0)
    out = np.full((H, L), np.float32(-np.inf))
    for j in range(L):
        if not known[j]:
            continue
        at_age = at_hour = at_pause = 0
        if len(age):
            since = np.float32(max(time_s[L - 1] - time_s[j], 0)) + gap
            at_age = _bucket(float(since / np.float32(60) + np.float32(1)), len(age))
        if len(hour):
            apart = abs(own_hour - hours[j])
            alike = (own_day >= 5) == (days[j] >= 5)
            at_hour = min(apart, 24 - apart) + (13 if alike else 0)
        if len(pause):
            half = len(pause) // 2
            if clock_known and j > 0:
                at_pause = 1 + min(int(np.float32(2) * abs(np.float32(log_gap) - pauses[j])), half - 2)
            if follows[j]:
                at_pause += half
        for h in range(H):
            score = np.float32(0)
            for i in range(s):
                score += asking[h * s + i] * keys[j, h, i]
            score = score * scale + lasting[j, h]
            if len(pause):
                score += pause[at_pause, h]
            if len(age):
                score += age[at_age, h]
            if len(hour):
                score += hour[at_hour, h]
            out[h, j] = score
    for h in range(H):
        most = out[h].max()
        if most > -np.inf:
            total = np.float32(0)
            for j in range(L):
                total += np.exp(out[h, j] - most)
            out[h] -= most + np.log(total)
    return out


@quick
def gated(
    asked: Floats, shares: Floats, support: float, first: Floats, first_shift: Floats, last: Floats, last_shift: Floats
) -> Floats:
    """(1 + H,) log-weights of the softmax and of the pointers (H, L)."""
    H, d = len(shares), len(asked)
    told = np.empty(d + H + 1, np.float32)
    told[:d] = asked
    for h in range(H):
        told[d + h] = np.exp(shares[h].max()) if support > 0 else np.float32(0)
    told[d + H] = np.log1p(np.float32(support))
    weights = times(last, silu(times(first, told, first_shift)), last_shift)
    if support == 0:  # there is nothing to point at
        weights[1:] = -np.inf
        weights[0] = 0
        return weights
    return log_softmax(weights)


@quick
def mixed(item: Floats, weights: Floats, shares: Floats, codes: Ints) -> None:
    """Make log-probabilities (V,) those of the mixture with the pointers (H, L) at events of items (L,), in place."""
    found = np.zeros(len(item), np.float32)
    item += weights[0]
    for j in range(len(codes)):
        for h in range(len(shares)):
            if shares[h, j] > -np.inf:
                found[codes[j]] += np.exp(weights[1 + h] + shares[h, j])
    for j in range(len(codes)):
        code = codes[j]
        if found[code] > 0:
            other = np.log(found[code])
            most = max(item[code], other)
            item[code] = most + np.log1p(np.exp(min(item[code], other) - most))
            found[code] = 0


@quick
def lasting(
    code: Ints, time_s: Ints, point: Floats, rank: Floats, same: Floats, place: Floats, earth_km: float, near_km: float
) -> tuple[Floats, Bools, Floats]:
    """What a copy head knows of each token (L,) before a request.

    Parameters
    ----------
    code, time_s, point : (L,), (L,), (L, 3) of the tokens; `point` is empty where places are not read
    rank, same, place : (buckets, H) tables
    earth_km, near_km : radius; the distance at which buckets begin
    """
    L, H = len(code), rank.shape[1]
    out, follows, pauses = np.empty((L, H), np.float32), np.zeros(L, np.bool_), np.zeros(L, np.float32)
    placed = len(point) > 0 and len(place) > 0
    far = len(place) - 1
    for j in range(L):
        before = code[j - 1] if j > 0 else 0
        follows[j] = before == code[L - 1]
        if j > 0:
            pauses[j] = np.log1p(np.float32(max(time_s[j] - time_s[j - 1], 0)))
        at_rank = _bucket(float(L - j), len(rank))
        at_same = (1 if code[j] == code[L - 1] else 0) + (2 if follows[j] else 0)
        at_place = far
        if placed:
            apart, here, there = np.float32(0), np.float32(0), np.float32(0)
            for i in range(3):
                apart += (point[j, i] - point[L - 1, i]) ** 2
                here += point[L - 1, i] ** 2
                there += point[j, i] ** 2
            if here > 0.5 and there > 0.5:
                km = np.float32(earth_km) * np.sqrt(apart)
                at_place = _bucket(float(max(km / np.float32(near_km), np.float32(1))), far)
        for h in range(H):
            out[j, h] = rank[at_rank, h] + same[at_same, h]
            if placed:
                out[j, h] += place[at_place, h]
    return out, follows, pauses
