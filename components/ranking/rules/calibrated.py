"""Calibrated lists: if three tenths of what a user does is coffee, so should three tenths of the list be.

Among all lists of k candidates, the one is shown that maximises

    w · mean relevance - (1 - w) · KL(p ‖ q̃),    q̃ = (1 - α) q + α p

with p the user's distribution over categories and q the list's. `w` = 1 is the plain order.

With one category an item, the KL term is a sum over categories of concave functions of how many the list has of each.
So the t-th best item of a category brings what depends on t alone, and less than the one before it: the k largest
contributions are the exact optimum (the greedy search of the reference guarantees 1 - 1/e of it), one sort finds them,
and the divergence is never larger than the plain list's. The chosen keep the model's order.

Reference: Steck (2018), Calibrated recommendations, RecSys (equations 3 to 8; α = 0.01).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from components.compiled import compiled
from components.features.encoding import UNKNOWN
from components.predictor import Queries
from components.ranking.best import best
from components.ranking.rules.pool import Floats, Pool

#: α: what keeps the divergence finite where the list lacks a category.
SMOOTHING = 0.01
_DAY_S = 86_400
_ANY = np.zeros(0, np.bool_)


def calibrated(pool: Pool, taste: Floats, weight: float, k: int) -> NDArray[np.int64]:
    """(B, n) places of the chosen candidates, by relevance, n = min(k, C); -1 where there is none.

    Parameters
    ----------
    pool : the candidates
    taste : (B, G) distribution of each user over category codes; a row of zeros leaves the plain order
    weight : w, 0 … 1
    k : length of the list
    """
    size = min(k, pool.code.shape[1])
    if weight >= 1.0:
        return np.broadcast_to(np.arange(size), (len(pool.code), size))
    return _chosen(_values(pool.code, pool.category, pool.turn, pool.relevance, taste, weight, k), size)


@compiled
def _chosen(value: Floats, size: int) -> NDArray[np.int64]:
    """(B, size) places of the largest values (B, C), ascending; -1 where no more are finite."""
    out = np.full((len(value), size), -1, np.int64)
    for b in range(len(value)):
        found = np.sort(best(value[b], _ANY, size))
        out[b, : len(found)] = found
    return out


@compiled
def _values(
    code: NDArray[np.int64], category: NDArray[np.int64], turn: NDArray[np.int64], relevance: Floats, taste: Floats,
    weight: float, k: int,
) -> Floats:  # fmt: skip
    """(B, C) what each candidate brings to a list of k; -inf where there is none."""
    out = np.full(code.shape, -np.inf)
    for b in range(len(code)):
        slots, known = 0, False  # the length of the list, and whether anything is known of the user's taste
        for c in range(code.shape[1]):
            slots += code[b, c] > 0
        for g in range(taste.shape[1]):
            known = known or taste[b, g] != 0
        slots = max(min(slots, k), 1)
        for c in range(code.shape[1]):
            if code[b, c] <= 0:
                continue
            if not known:
                out[b, c] = relevance[b, c]
                continue
            p, closer = taste[b, category[b, c]], 0.0
            if p > 0:  # nats of divergence that the candidate takes away
                before = (1 - SMOOTHING) * turn[b, c] / slots + SMOOTHING * p
                closer = p * np.log((before + (1 - SMOOTHING) / slots) / before)
            out[b, c] = weight * relevance[b, c] / slots + (1 - weight) * closer
    return out


def divergence(lists: NDArray[np.integer], taste: Floats, category: NDArray[np.integer]) -> Floats:
    """(B,) KL(p ‖ q̃) of each list in nats, ≥ 0; NaN where the user's taste is not known or the list is empty.

    Parameters
    ----------
    lists : (B, k) item codes, 0 = empty place
    taste : (B, G)
    category : (V,) category of each item code
    """
    shown = lists > 0
    kind = np.asarray(category)[lists]
    count = np.zeros(taste.shape)
    np.add.at(count, (np.nonzero(shown)[0], kind[shown]), 1.0)
    q = count / np.maximum(shown.sum(axis=1, keepdims=True), 1)
    mixed = (1 - SMOOTHING) * q + SMOOTHING * taste
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(taste > 0, taste * np.log(taste / mixed), 0.0)
    return np.where(taste.any(axis=1) & shown.any(axis=1), part.sum(axis=1), np.nan)


def taste_of(queries: Queries, half_life_days: float | None) -> Floats:
    """(B, G) share of each known category in the visible histories.

    Parameters
    ----------
    queries : B questions
    half_life_days : an event counts half after so long (from the request); None: all alike

    Returns
    -------
    (B, G) float64
        Rows sum to 1, or are 0 where nothing of a known category is visible.
    """
    store, encoding = queries.store, queries.store.encoding
    return _tastes(
        queries.start, queries.stop, np.asarray(store["item"]), np.asarray(store["time_s"]), queries.time_s,
        encoding.catalogue.category, len(encoding.vocabularies["category"]),
        np.inf if half_life_days is None else _DAY_S * half_life_days, UNKNOWN,
    )  # fmt: skip


@compiled
def _tastes(
    start: NDArray[np.int64], stop: NDArray[np.int64], item: NDArray[np.integer], time_s: NDArray[np.integer],
    asked_s: NDArray[np.int64], category: NDArray[np.integer], size: int, half_life_s: float, unknown: int,
) -> Floats:  # fmt: skip
    """(B, size) see `taste_of`; an infinite half-life weighs all alike."""
    out = np.zeros((len(start), size))
    for b in range(len(start)):
        total = 0.0
        for e in range(start[b], stop[b]):
            kind = category[item[e]]
            if kind > unknown:
                weight = 1.0 if math.isinf(half_life_s) else 2.0 ** (-max(asked_s[b] - time_s[e], 0) / half_life_s)
                out[b, kind] += weight
                total += weight
        if total > 0:
            for g in range(size):
                out[b, g] /= total
    return out
