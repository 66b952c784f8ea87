"""The loops of one more event, compiled: an embedded event through an encoder's step, at a batch of one.

Each is the same sum as in `components.models`, in float32, in another order of addition. They start no threads. Never
here: where the weights come from, and which encoders have a step (`training.stepping`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from components.training.loops import Floats, Ints, quick, silu, times

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
def buckets(time_s: Ints, point: Floats, gap_edges: Ints, chord_edges: Floats) -> tuple[Ints, Ints]:
    """(L,) buckets of how long before the last token each one is, and of how far from it; 0 where a place is unknown.

    `gap_edges`, `chord_edges`: where bucket 1, 2, … begins; empty where nobody asks.
    """
    L = len(time_s)
    when, where = np.zeros(L, np.int64), np.zeros(L, np.int64)
    if len(gap_edges):
        for j in range(L):
            when[j] = np.searchsorted(gap_edges, abs(time_s[L - 1] - time_s[j]), side="right")
    if len(chord_edges):
        for j in range(L):
            apart, here, there = np.float32(0), np.float32(0), np.float32(0)
            for i in range(3):
                apart += (point[j, i] - point[L - 1, i]) ** 2
                here += point[L - 1, i] ** 2
                there += point[j, i] ** 2
            if here > 0.5 and there > 0.5:
                where[j] = 1 + np.searchsorted(chord_edges, np.sqrt(apart), side="right")
    return when, where


@quick
def block(
    x: Floats,
    keys: Floats,
    values: Floats,
    when: Ints,
    where: Ints,
    by_time: Floats,
    by_space: Floats,
    norm_attention: Floats,
    norm_attention_shift: Floats,
    qkv: Floats,
    qkv_shift: Floats,
    out: Floats,
    out_shift: Floats,
    gate_attention: Floats,
    gate_attention_shift: Floats,
    norm_feedforward: Floats,
    norm_feedforward_shift: Floats,
    up: Floats,
    down: Floats,
    gate_feedforward: Floats,
    gate_feedforward_shift: Floats,
) -> tuple[Floats, Floats, Floats]:
    """One block of `models.encoders.transformer` for one more token.

    Parameters
    ----------
    x : (d,) the token
    keys, values : (H, t, d/H) of the tokens before it
    when, where : (t + 1,) buckets of all tokens
    by_time, by_space : (buckets, H) what is added for them; empty where nothing is
    others : weights

    Returns
    -------
    (d,), and keys and values (H, t + 1, d/H) with its own
    """
    H, t, s = keys.shape
    d = len(x)
    parts = times(qkv, normed(x, norm_attention, norm_attention_shift), qkv_shift)
    all_keys, all_values = np.empty((H, t + 1, s), np.float32), np.empty((H, t + 1, s), np.float32)
    scale, mixed, weight = np.float32(1.0 / math.sqrt(s)), np.zeros(d, np.float32), np.empty(t + 1, np.float32)
    for h in range(H):
        all_keys[h, :t], all_values[h, :t] = keys[h], values[h]
        all_keys[h, t], all_values[h, t] = parts[d + h * s : d + (h + 1) * s], parts[2 * d + h * s : 2 * d + (h + 1) * s]
        for j in range(t + 1):
            score = np.float32(0)
            for i in range(s):
                score += parts[h * s + i] * all_keys[h, j, i]
            score *= scale
            if len(by_time):
                score += by_time[when[j], h]
            if len(by_space):
                score += by_space[where[j], h]
            weight[j] = score
        most, total = weight.max(), np.float32(0)
        for j in range(t + 1):
            weight[j] = np.exp(weight[j] - most)
            total += weight[j]
        for j in range(t + 1):
            share = weight[j] / total
            for i in range(s):
                mixed[h * s + i] += share * all_values[h, j, i]
    x = x + sigmoid(times(gate_attention, x, gate_attention_shift)) * times(out, mixed, out_shift)
    both = times(up, normed(x, norm_feedforward, norm_feedforward_shift), np.zeros(up.shape[0], np.float32))
    hidden = len(both) // 2
    grown = times(down, silu(both[:hidden]) * both[hidden:], np.zeros(d, np.float32))
    return x + sigmoid(times(gate_feedforward, x, gate_feedforward_shift)) * grown, all_keys, all_values


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
