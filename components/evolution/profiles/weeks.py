"""Profiles of users: how what each does lies over the week and over categories, the two together.

Never here: users who did too little to have one, or what is made of the profiles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evolution.habits.profiles import smoothed
from components.evolution.log import HOURS_OF_WEEK, Log

Codes = NDArray[np.integer]
Floats = NDArray[np.float32]
PART_H = 3  # hours of a part of the week
PARTS = HOURS_OF_WEEK // PART_H


@dataclass(frozen=True)
class Kinds:
    """What users do, in few names.

    Attributes
    ----------
    names : (C,) categories (actions, where a log has no categories), those of most users first
    code : (N,) of each event; -1 = not told
    rest : whether the last name is `other`, all that have fewer users
    """

    names: list[str]
    code: NDArray[np.int64]
    rest: bool

    @property
    def named(self) -> list[str]:
        """Those that are one category each."""
        return self.names[: len(self.names) - self.rest]


def kinds_of(log: Log, rows: NDArray[np.bool_], most: int, least: int) -> Kinds:
    """The categories that most users have, and all others as one.

    Parameters
    ----------
    log : Log
    rows : (N,) events that count; others have no kind
    most : categories that are told apart
    least : users that a category must have to be one, and all others together: else these are not told at all
    """
    code, names = (log.category, log.categories) if len(log.categories) else (log.action, log.actions)
    if not len(names):
        return Kinds(["events"], np.where(rows, 0, -1), False)
    known = rows & (code >= 0)
    pairs = np.unique(code[known].astype(np.int64) * log.n_users + log.user[known])
    users = np.bincount(pairs // log.n_users, minlength=len(names))
    order = np.argsort(-users, kind="stable")
    kept = order[: int((users >= least).sum())]
    kept = kept if len(kept) <= most + 1 and len(kept) == len(names) else kept[:most]
    place = np.full(len(names) + 1, len(kept), np.int64)
    place[kept], place[-1] = np.arange(len(kept)), -1
    found = np.where(known, place[code], -1)
    rest = len(np.unique(log.user[found == len(kept)])) >= least
    if not rest:
        found[found == len(kept)] = -1
    return Kinds([str(names[one]) for one in kept] + ["other"] * rest, found, rest)


def counts(unit: Codes, hour_of_week: Codes, kind: Codes, n_units: int, n_kinds: int) -> NDArray[np.float64]:
    """(C, U, 168) events of each unit (a user) by kind and hour of the week."""
    key = (kind.astype(np.int64) * n_units + unit) * HOURS_OF_WEEK + hour_of_week
    size = n_kinds * n_units * HOURS_OF_WEEK
    return np.bincount(key, minlength=size).reshape(n_kinds, n_units, HOURS_OF_WEEK).astype(np.float64)


def profiles(count: NDArray[np.float64], bandwidth_h: float, prior: float) -> Floats:
    """(U, C · 56) square roots of shares, so that Euclidean distance / √2 is Hellinger's.

    Parameters
    ----------
    count : (C, U, 168) as `counts`
    bandwidth_h : standard deviation of the kernel around the week, hours
    prior : events of everybody's mix that each profile is drawn to, above 0: few events look like a kind of their own

    References
    ----------
    Hellinger (1909), whose distance weighs rare and frequent things alike; the kernel as in `habits.profiles`.
    """
    kinds, users, _ = count.shape
    part = np.empty((kinds, users, PARTS))
    for one in range(kinds):
        part[one] = parts(smoothed(count[one], bandwidth_h))
    whole = part.sum(axis=(0, 2))
    everybody = part.sum(axis=1) / max(float(part.sum()), 1.0)
    share = (part + prior * everybody[:, None]) / (whole + prior)[None, :, None]
    return np.sqrt(share.transpose(1, 0, 2).reshape(users, -1)).astype(np.float32)


def parts(hours: NDArray[np.float64]) -> NDArray[np.float64]:
    """(…, 56) sums of three hours each of (…, 168)."""
    return hours.reshape(*hours.shape[:-1], PARTS, PART_H).sum(axis=-1)
