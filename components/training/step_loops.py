"""The loops of one more event, compiled: an embedded event through an encoder's step, at a batch of one.

Each is the same sum as in `components.models`, in float32, in another order of addition. They start no threads. Never
here: where the weights come from, and which encoders have a step (`training.stepping`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from components.compiled import quick
from components.training.loops import Floats, Ints, silu, times

_EPS = np.float32(1e-5)  # of torch's layer norm


@quick
def normed(x: Floats, scale: Floats, shift: Floats) -> Floats:
    """(d,) layer norm."""
    d = len(x)
    mean, square = np.float32(0), np.float32(0)
    for i in range(d):
        mean += x[i]
    mean /= np.float32(d)
    for i in range(d):
        square += (x[i] - mean) ** 2
    return (x - mean) / np.sqrt(square / np.float32(d) + _EPS) * scale + shift


@quick
def sigmoid(x: Floats) -> Floats:
    """(n,)."""
    out = np.empty_like(x)
    for i in range(len(x)):
        out[i] = np.float32(1) / (np.float32(1) + np.exp(-x[i]))
    return out


@quick
def embedded(
    codes: Ints, row: int, numbers: Floats, item: Floats, trained: int, item_row: int, by_category: Floats,
    category: NDArray[np.int32], table: Floats, begins: Ints, rows: Ints, scale: float, weight: Floats,
) -> Floats:  # fmt: skip
    """(d,) vector of the event in one column of codes (C, L); see `models.embedding`.

    Parameters
    ----------
    codes, row : the column; `item_row` is the row of items, -1 where they are not read
    numbers, weight : (2F,), and their layer (d, 2F); empty where they are not read
    item, trained : (trained, d) vectors of items, codes from `trained` on being unknown
    by_category, category : (K, d) vectors, and the category of each item; empty where they are not read
    table, begins, rows : vectors of all other codes one after the other, where those of each begin, its row of codes
    """
    out = np.zeros(item.shape[1], np.float32)
    if item_row >= 0:
        code = codes[item_row, row]
        out += item[code if code < trained else 1]
        if len(by_category):
            out += by_category[category[code]]
    for place in range(len(rows)):
        out += table[begins[place] + codes[rows[place], row]]
    out *= np.float32(scale)
    return times(weight, numbers, out) if len(numbers) else out


@quick
def bucket_of(edges: NDArray[np.generic], value: float) -> int:
    """How many of the ascending edges are at most `value`."""
    low, high = 0, len(edges)
    while low < high:
        middle = (low + high) >> 1
        if edges[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low


@quick
def biased(
    out: Floats, time_s: Ints, point: Floats, t: int, gap_edges: Ints, chord_edges: Floats, by_time: Floats,
    by_space: Floats,
) -> None:  # fmt: skip
    """Fill (N, H, ≥ t + 1) with what N blocks add for how long before token t each token is, and how far from it.

    `gap_edges`, `chord_edges` say where bucket 1, 2, … begins, empty where nobody asks; tables are (N, buckets, H).
    """
    N, H = out.shape[0], out.shape[1]
    for j in range(t + 1):
        when = bucket_of(gap_edges, abs(time_s[t] - time_s[j])) if len(gap_edges) else 0
        where = 0
        if len(chord_edges):
            apart, here, there = np.float32(0), np.float32(0), np.float32(0)
            for i in range(3):
                apart += (point[j, i] - point[t, i]) ** 2
                here += point[t, i] ** 2
                there += point[j, i] ** 2
            if here > 0.5 and there > 0.5:
                where = 1 + bucket_of(chord_edges, np.sqrt(apart))
        for n in range(N):
            for h in range(H):
                out[n, h, j] = np.float32(0)
                if len(gap_edges):
                    out[n, h, j] += by_time[n, when, h]
                if len(chord_edges):
                    out[n, h, j] += by_space[n, where, h]


@quick
def attended(asking: Floats, keys: Floats, values: Floats, t: int, added: Floats) -> Floats:
    """(d,) what a query (d,) finds among tokens 0..t of (H, ≥ t + 1, d/H) keys and values, `added` to its logits."""
    H, s = keys.shape[0], keys.shape[2]
    scale, mixed, weight = np.float32(1.0 / math.sqrt(s)), np.zeros(H * s, np.float32), np.empty(t + 1, np.float32)
    for h in range(H):
        most, total = np.float32(-np.inf), np.float32(0)
        for j in range(t + 1):
            score = np.float32(0)
            for i in range(s):
                score += asking[h * s + i] * keys[h, j, i]
            weight[j] = score * scale + added[h, j]
            most = max(most, weight[j])
        for j in range(t + 1):
            weight[j] = np.exp(weight[j] - most)
            total += weight[j]
        for j in range(t + 1):
            share = weight[j] / total
            for i in range(s):
                mixed[h * s + i] += share * values[h, j, i]
    return mixed


@quick
def transformed(
    x: Floats, t: int, keys: Floats, values: Floats, time_s: Ints, point: Floats, gap_edges: Ints, chord_edges: Floats,
    by_time: Floats, by_space: Floats, norm_a: Floats, norm_a_shift: Floats, qkv: Floats, qkv_shift: Floats,
    out: Floats, out_shift: Floats, gate_a: Floats, gate_a_shift: Floats, norm_f: Floats, norm_f_shift: Floats,
    up: Floats, down: Floats, gate_f: Floats, gate_f_shift: Floats, norm: Floats, norm_shift: Floats,
) -> Floats:  # fmt: skip
    """(d,) state of token t of a Transformer; see `models.encoders.transformer`.

    Parameters
    ----------
    x : (d,) its vector
    keys, values : (N, H, > t, d/H) of the tokens before it; place t is written
    time_s, point, gap_edges, chord_edges, by_time, by_space : see `biased`; the token is among the first two
    others : weights of N blocks, one after the other, and of the last norm
    """
    N, H, s = keys.shape[0], keys.shape[1], keys.shape[3]
    d = len(x)
    added, nothing = np.empty((N, H, t + 1), np.float32), np.zeros(up.shape[1], np.float32)
    biased(added, time_s, point, t, gap_edges, chord_edges, by_time, by_space)
    for n in range(N):
        parts = times(qkv[n], normed(x, norm_a[n], norm_a_shift[n]), qkv_shift[n])
        for h in range(H):
            for i in range(s):
                keys[n, h, t, i], values[n, h, t, i] = parts[d + h * s + i], parts[2 * d + h * s + i]
        mixed = times(out[n], attended(parts[:d], keys[n], values[n], t, added[n]), out_shift[n])
        x = x + sigmoid(times(gate_a[n], x, gate_a_shift[n])) * mixed
        both = times(up[n], normed(x, norm_f[n], norm_f_shift[n]), nothing)
        hidden = len(both) // 2
        grown = times(down[n], silu(both[:hidden]) * both[hidden:], nothing[:d])
        x = x + sigmoid(times(gate_f[n], x, gate_f_shift[n])) * grown
    return normed(x, norm, norm_shift)


@quick
def gru(x: Floats, hidden: Floats, inward: Floats, inward_shift: Floats, on: Floats, on_shift: Floats) -> Floats:
    """(d,) hidden state of one GRU cell after one more input (d,); gates are reset, update, new, as torch has them."""
    d = len(hidden)
    told, kept = times(inward, x, inward_shift), times(on, hidden, on_shift)
    both = sigmoid(told[: 2 * d] + kept[: 2 * d])
    reset, update = both[:d], both[d:]
    new = np.tanh(told[2 * d :] + reset * kept[2 * d :])
    return new + update * (hidden - new)


@quick
def recurred(
    x: Floats, t: int, hidden: Floats, inward: Floats, inward_shift: Floats, on: Floats, on_shift: Floats,
    norm: Floats, norm_shift: Floats,
) -> Floats:  # fmt: skip
    """(d,) state of token t of a stack of N GRU cells; see `models.encoders.recurrent`.

    Parameters
    ----------
    x : (d,) its vector
    hidden : (N, > t, d) states of the cells after each token; place t is written
    others : weights of N cells, one after the other, and of the norm
    """
    fed = x
    for n in range(len(hidden)):
        fed = gru(fed, hidden[n, t - 1], inward[n], inward_shift[n], on[n], on_shift[n])
        hidden[n, t] = fed
    return normed(x + fed, norm, norm_shift)


@quick
def keyed(
    keys: Floats, events: Floats, states: Floats, known: int, weight: Floats, shift: Floats, heads: int
) -> Floats:
    """(L, H, s) keys of a copy head: those of the first `known` tokens, and of what followed.

    Parameters
    ----------
    keys : (≥ known, H, s); empty where nothing is known
    events, states : (L, d) of all tokens; a key sees its event and the state before it
    weight, shift : of the layer
    """
    L, d = events.shape
    out = np.empty((L, heads, weight.shape[0] // heads), np.float32)
    both = np.zeros(2 * d, np.float32)
    out[:known] = keys[:known]
    for j in range(known, L):
        both[:d] = events[j]
        if j > 0:
            both[d:] = states[j - 1]
        out[j] = times(weight, both, shift).reshape(heads, -1)
    return out
