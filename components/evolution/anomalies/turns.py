"""Accounts that change hands: from which day on a history is likelier somebody else's than the same user's.

Every user's history is cut at several days, and both pieces compared by what was done, where, when, how and on which
device; what is usual for pieces of one user, and for pieces of two, is learned from the log (`recurrence`). So
interests that drift as everybody's do are no reason. Never here: how sure that is among many users (`detectors`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evolution.anomalies.recurrence import Aspect, Pieces, comes_back, stays
from components.evolution.log import Log
from components.features.time import DAY_S, HOUR_S

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_SLOTS = 6  # of a day
_SPAN = 100_000  # days, more than any log has
_SPLICES = 6  # histories of two users, for each user
_CUTS = 12  # at most
_LEARNT = 5_000  # users, at most, by whom it is learned what is usual


@dataclass(frozen=True, eq=False)
class Turns:
    """Of V users, at the day where the later piece looks least like theirs.

    Attributes
    ----------
    user : (V,) rows of the users
    score : (V,) log-likelihood ratio of two people to one, nats; NaN where a history is too short to cut
    looks : (V,) days at which the history was cut
    since : (V,) first local day of the later piece, since 1970; -1 where there is none
    aspects : names
    parts : (V, A) what each aspect adds to the score
    """

    user: Ints
    score: Floats
    looks: Ints
    since: Ints
    aspects: tuple[str, ...]
    parts: Floats


def turns(log: Log, user: Ints, resolution: int, least_events: int, seed: int) -> Turns:
    """Where each of some users' histories looks most like two people's.

    Parameters
    ----------
    log : Log
    user : (V,) rows of the users
    resolution : of the cells that places are compared by
    least_events : of either piece
    seed : of the splices
    """
    first, day = _cuts(log, user, least_events)
    rng = np.random.default_rng(seed)
    learnt = np.flatnonzero(np.diff(first) > 0)
    if len(learnt) > _LEARNT:
        learnt = np.sort(rng.choice(learnt, _LEARNT, replace=False))
    spliced = _splices(user, first, day, learnt, rng)
    place = np.repeat(np.arange(len(user)), np.diff(first))
    owner = user[place]
    weight = np.isin(place, learnt) / np.maximum(np.diff(first), 1)[place]
    parts: dict[str, Floats] = {}
    for name, (label, size, recurs) in _labels(log, resolution).items():
        aspect, key = _aspect(log, label, size)
        own = _pieces(aspect, key, owner, day, owner, day)
        parts[name] = comes_back(aspect, own, weight, _pieces(aspect, key, *spliced)) if recurs else stays(aspect, own)
    return _best(log, user, first, day, parts)


def _labels(log: Log, resolution: int) -> Mapping[str, tuple[Ints, int, bool]]:
    """Name → label (N,) of each event, number of labels, whether they come back one by one; of what the log tells."""
    cells, cell = log.cells(resolution)
    slot = log.local_s % DAY_S * _SLOTS // DAY_S
    kind = np.where(log.category >= 0, log.category * _SLOTS + slot, -1)
    placed = np.where(log.action >= 0, 2 * log.action + (cell >= 0), -1)
    weekend = (log.day + 3) % 7 >= 5  # 1970-01-01 was a Thursday
    found = {
        "items": (log.item, len(log.items), True),
        "categories by part of the day": (kind, len(log.categories) * _SLOTS, True),
        "cells": (cell, len(cells), True),
        "actions with or without a place": (placed, 2 * len(log.actions), False),
        "devices": (log.device, len(log.devices), False),
        "hours": (weekend * 24 + log.local_s // HOUR_S % 24, 48, False),
    }
    return {
        name: (np.asarray(label, np.int64), size, recurs)
        for name, (label, size, recurs) in found.items()
        if size > 1 and (label >= 0).any()
    }


def _aspect(log: Log, label: Ints, size: int) -> tuple[Aspect, Ints]:
    """Distinct (user, day, label), and (n,) user and day of each in one number."""
    known = label >= 0
    day = log.user[known] * _SPAN + (log.day[known] - log.day.min())
    key = np.sort(day * size + label[known])  # `np.unique` would hash them first, which takes five times as long
    key = key[np.flatnonzero(np.diff(key, prepend=-1))]
    distinct = key % size
    share = np.bincount(distinct, minlength=size) + 0.5
    offsets = np.searchsorted(key // size // _SPAN, np.arange(log.n_users + 1))
    return Aspect(distinct, share / share.sum(), offsets), key // size


def _cuts(log: Log, user: Ints, least: int) -> tuple[Ints, Ints]:
    """(V+1,) first cut of each user, and (C,) days of the log from which the later piece begins."""
    begin, counts, days = int(log.day.min()), [0], []
    for one in user:
        rows = slice(int(log.offsets[one]), int(log.offsets[one + 1]))
        here, before = np.unique(log.day[rows] - begin, return_index=True)
        fair = here[(before >= least) & (rows.stop - rows.start - before >= least)]
        if len(fair) > _CUTS:
            fair = fair[np.linspace(0, len(fair) - 1, _CUTS).round().astype(np.int64)]
        days.append(fair)
        counts.append(len(fair))
    return np.cumsum(counts), np.concatenate([*days, np.zeros(0, np.int64)]).astype(np.int64)


def _splices(user: Ints, first: Ints, day: Ints, able: Ints, rng: np.random.Generator) -> tuple[Ints, Ints, Ints, Ints]:
    """Users and days of earlier pieces, and of later pieces of other users, of those `able` to be spliced (places)."""
    count = np.diff(first)
    if len(able) < 2:
        nobody = np.zeros(0, np.int64)
        return nobody, nobody, nobody, nobody
    one = np.tile(able, _SPLICES)
    other = able[(np.tile(np.arange(len(able)), _SPLICES) + rng.integers(1, len(able), len(one))) % len(able)]
    at = [first[who] + (rng.random(len(who)) * count[who]).astype(np.int64) for who in (one, other)]
    return user[one], day[at[0]], user[other], day[at[1]]


def _pieces(aspect: Aspect, key: Ints, one: Ints, until: Ints, other: Ints, since: Ints) -> Pieces:
    return Pieces(
        aspect.offsets[one],
        np.searchsorted(key, one * _SPAN + until),
        np.searchsorted(key, other * _SPAN + since),
        aspect.offsets[other + 1],
    )


def _best(log: Log, user: Ints, first: Ints, day: Ints, parts: Mapping[str, Floats]) -> Turns:
    names = tuple(parts)
    every = np.stack([parts[name] for name in names], axis=1) if names else np.zeros((len(day), 0))
    score, since = np.full(len(user), np.nan), np.full(len(user), -1, np.int64)
    shares = np.zeros((len(user), len(names)))
    whole, begin = every.sum(1), int(log.day.min())
    for one in range(len(user)):
        if first[one] < first[one + 1]:
            at = first[one] + int(whole[first[one] : first[one + 1]].argmax())
            score[one], since[one], shares[one] = whole[at], day[at] + begin, every[at]
    return Turns(user, score, np.diff(first), since, names, shares)
