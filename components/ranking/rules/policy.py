"""The policy: which rules shape the list of whom. One call for one live question or for a judge's block of many.

Filters first (they are promises), then the order that the segment asks for. Rules are declared in `policy` of the
params; what they cost is for the judge to say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.features.encoding import UNKNOWN
from components.features.place import haversine_km
from components.params import PolicyParams, RuleParams
from components.predictor import Queries
from components.ranking.best import best
from components.ranking.rules.calibrated import calibrated, taste_of
from components.ranking.rules.diverse import diverse
from components.ranking.rules.history import history_rows
from components.ranking.rules.pool import Pool, pool_of
from components.ranking.rules.segment import SEGMENTS, segments

_HOUR_S = 3600


@dataclass(frozen=True)
class Shaped:
    """Lists after the rules.

    Attributes
    ----------
    lists : (B, k) int64 item codes, best first, 0 = empty place
    segment : (B,) int8 codes of SEGMENTS
    """

    lists: NDArray[np.int64]
    segment: NDArray[np.int8]


def is_plain(rule: RuleParams) -> bool:
    """Whether a rule changes nothing."""
    return not applied(rule)


def applied(rule: RuleParams) -> list[str]:
    """Names of what a rule does, for people: in the order in which it is done."""
    names = {
        "without seen items": rule.drop_seen,
        "without recent items": rule.skip_recent_h > 0,
        "up to a price": rule.max_price is not None,
        "near the user": rule.radius_km is not None,
        "at most so many of a category": rule.max_per_category is not None,
        "diverse": rule.order == "diverse" and rule.weight < 1,
        "calibrated": rule.order == "calibrated" and rule.weight < 1,
    }
    return [name for name, does in names.items() if does]


def shape(
    policy: PolicyParams,
    queries: Queries,
    log_p: NDArray[np.floating],
    allowed: NDArray[np.bool_],
    k: int,
    now_s: NDArray[np.int64],
) -> Shaped:
    """Make the lists that are shown.

    Parameters
    ----------
    policy : `policy` of the params
    queries : B questions
    log_p : (B, V) log-probabilities of items
    allowed : (B, V) or (V,) what the question itself allows
    k : length of the lists
    now_s : (B,) UTC seconds of the requests

    Returns
    -------
    Shaped
        Only items that are allowed, none twice; shorter lists where the rules leave fewer.
    """
    segment = segments(queries, now_s, policy.segments)
    lists = np.zeros((len(queries), k), np.int64)
    if len(queries) == 1:
        rule = policy.rules[SEGMENTS[int(segment[0])]]
        return Shaped(_shaped(rule, queries, log_p, allowed, k, now_s, policy.candidates), segment)
    for code in np.unique(segment).tolist():
        at = np.flatnonzero(segment == code)
        may = allowed if allowed.ndim == 1 else allowed[at]
        part = queries if len(at) == len(queries) else queries[at]
        lists[at] = _shaped(policy.rules[SEGMENTS[code]], part, log_p[at], may, k, now_s[at], policy.candidates)
    return Shaped(lists, segment)


def _shaped(
    rule: RuleParams,
    queries: Queries,
    log_p: NDArray[np.floating],
    allowed: NDArray[np.bool_],
    k: int,
    now_s: NDArray[np.int64],
    candidates: int,
) -> NDArray[np.int64]:
    """(B, k) lists of questions of one segment."""
    catalogue = queries.store.encoding.catalogue
    may = _filtered(rule, queries, allowed, now_s)
    if is_plain(rule):
        if len(log_p) == 1:
            found = best(log_p[0], np.atleast_2d(may)[0], k)
            return np.concatenate([found, np.zeros(k - len(found), np.int64)])[None]
        pool = pool_of(log_p, may, catalogue.category, k)
        return pool.listed(np.broadcast_to(np.arange(pool.code.shape[1]), pool.code.shape), k)
    pool = pool_of(log_p, may, catalogue.category, max(candidates, k))
    if rule.max_per_category is not None:
        pool = pool.kept((pool.turn < rule.max_per_category) | (pool.category <= UNKNOWN))
    return pool.listed(_ordered(rule, queries, pool, k), k)


def _ordered(rule: RuleParams, queries: Queries, pool: Pool, k: int) -> NDArray[np.int64]:
    """(B, n) places of the candidates that are shown."""
    if rule.order == "diverse":
        catalogue = queries.store.encoding.catalogue
        return diverse(pool, rule.alike, rule.place_km, catalogue, rule.weight, k)
    weight = rule.weight if rule.order == "calibrated" else 1.0
    taste = taste_of(queries, rule.half_life_days) if weight < 1 else np.zeros((len(queries), 1))
    return calibrated(pool, taste, weight, k)


def _filtered(
    rule: RuleParams, queries: Queries, allowed: NDArray[np.bool_], now_s: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """What the filters of a rule leave of what is allowed: (V,) where they are the same for all, else (B, V)."""
    catalogue = queries.store.encoding.catalogue
    may = allowed
    if rule.max_price is not None:
        may = may & catalogue.up_to(rule.max_price)
    if rule.radius_km is not None:
        may = may & _near(queries, rule.radius_km)
    if rule.drop_seen or rule.skip_recent_h > 0:
        may = np.array(np.broadcast_to(may, (len(queries), queries.store.encoding.n_items)))
        query, row = history_rows(queries)
        age_s = now_s[query] - np.asarray(queries.store["time_s"])[row]
        gone = age_s < rule.skip_recent_h * _HOUR_S if not rule.drop_seen else np.ones(len(row), bool)
        may[query[gone], np.asarray(queries.store["item"])[row[gone]]] = False
    return may


def _near(queries: Queries, radius_km: float) -> NDArray[np.bool_]:
    """(B, V) items within a radius of the request's place, else of the last located event; all if neither is known."""
    store, catalogue = queries.store, queries.store.encoding.catalogue
    here = np.full((len(queries), 2), np.nan)
    query, row = history_rows(queries)
    seen = np.stack([np.asarray(store[name])[row] for name in ("latitude", "longitude")], axis=1).astype(np.float64)
    located = ~np.isnan(seen).any(axis=1)
    here[query[located]] = seen[located]  # of equal indices the last is kept: the newest
    asked = np.stack([queries.latitude, queries.longitude], axis=1).astype(np.float64)
    here = np.where(np.isnan(asked).any(axis=1, keepdims=True), here, asked)
    there = np.asarray(catalogue.latitude, np.float64), np.asarray(catalogue.longitude, np.float64)
    km = haversine_km(here[:, :1], here[:, 1:], there[0][None], there[1][None])
    return (km <= radius_km) | np.isnan(here[:, :1])
