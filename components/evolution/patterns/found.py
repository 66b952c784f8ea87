"""Patterns that hold: more visits to a place in a window than chance, by many users, in most weeks.

Two tests must agree: that of shuffled visits (`crowds`), which a single strong habit can pass, and one over users, each
with one vote of the size of their excess. Never here: whose visits they are, beyond counts of users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from components.evolution.patterns.crowds import crowds, excess_of
from components.evolution.patterns.windows import Window

Codes = NDArray[np.integer]
_REGULAR_WEEKS = 3
_MOST = 2  # windows of a place
_OVERLAP = 0.34  # of the smaller of two windows; more, and they tell of one pattern


@dataclass(frozen=True)
class Visits:
    """N visits, by user.

    Attributes
    ----------
    user, place, slot, week : (N,) codes; users ascending
    row : (N,) event that each visit is told by
    """

    user: Codes
    place: Codes
    slot: Codes
    week: Codes
    row: Codes

    @classmethod
    def of(cls, user: Codes, place: Codes, slot: Codes, moment: Codes, week: Codes) -> Visits:
        """Visits of events: those of one user to one place in one slot of one moment (a day, a month) are one."""
        known = np.flatnonzero(place >= 0)
        key = np.stack([user[known], moment[known], slot[known], place[known]])
        _, first = np.unique(key, axis=1, return_index=True)
        row = known[first]
        return cls(user[row], place[row], slot[row], week[row], row)


@dataclass(frozen=True)
class Pattern:
    """One place in one window.

    Attributes
    ----------
    place, window : codes
    visits, expected : in the window, and by the null
    users, regulars : who came; and who came in three weeks or more
    z : of the excess
    p : of the shuffles, adjusted over all places and windows
    q : of the test over users, false discoveries held over all places and windows
    weeks_share : of the weeks of the window in which anybody came
    rows : (M,) events, one a visit
    """

    place: int
    window: int
    visits: int
    expected: float
    users: int
    regulars: int
    z: float
    p: float
    q: float
    weeks_share: float
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Rules:
    """What a pattern needs, and how many are told.

    Attributes
    ----------
    level : chance of a false one
    ratio : to the null, and to other times
    weeks : share of the weeks of its window
    users, most : who came at least; patterns that are told
    """

    level: float
    ratio: float
    weeks: float
    users: int
    most: int


def patterns(
    visits: Visits,
    windows: Sequence[Window],
    exposure: NDArray[np.floating],
    rules: Rules,
    permutations: int,
    seed: int,
) -> list[Pattern]:
    """Patterns, the surest first; at most two of a place, in windows that hardly overlap.

    Parameters
    ----------
    visits : of places that enough users have
    windows : to look in
    exposure : (S,) how often each slot was, e.g. hours. A place must be busier in the window than it is on the whole,
        too: where others have a crowd, all the rest is less than usual there, and more elsewhere
    permutations, seed : of the shuffles

    References
    ----------
    Liang, Zeger (1986), Longitudinal data analysis using generalized linear models (variance over clusters); Benjamini,
    Hochberg (1995).
    """
    if not len(visits.user):
        return []
    inside = np.zeros((len(exposure), len(windows)), bool)
    for place, window in enumerate(windows):
        inside[list(window.slots), place] = True
    found = crowds(visits.user, visits.place, visits.slot, inside, permutations, seed)
    ratio = np.divide(found.visits, found.expected, out=np.zeros_like(found.z), where=found.expected > 0)
    part = exposure @ inside / max(float(exposure.sum()), 1.0)  # (V,) of the time
    whole = np.bincount(visits.place, minlength=len(ratio))[:, None] * part
    usual = np.maximum(whole, _otherwise(visits, windows, exposure, inside, len(ratio)))
    busier = np.divide(found.visits, usual, out=np.zeros_like(ratio), where=usual > 0)
    held = (found.p <= rules.level) & (ratio >= rules.ratio) & (busier >= rules.ratio)
    candidates = np.argwhere(held)
    _, owner = np.unique(visits.user, return_inverse=True)
    told = {
        (int(k), int(v)): _over_users(visits, owner, int(k), inside[:, v], float(part[v]), rules.users)
        for k, v in candidates
    }
    tests = int(found.tested.sum())
    p = np.ones(max(tests, 1))
    p[: len(told)] = list(told.values())
    q = dict(zip(told, stats.false_discovery_control(p)[: len(told)], strict=True))
    kept: list[Pattern] = []
    for k, v in sorted(told, key=lambda one: -found.z[one]):
        same = [inside[:, one.window] for one in kept if one.place == k]
        if q[k, v] > rules.level or len(same) == _MOST or any(_overlap(one, inside[:, v]) > _OVERLAP for one in same):
            continue
        if same and _told_by(visits, owner, k, inside[:, v], np.any(same, axis=0), float(ratio[k, v])):
            continue
        one = _described(
            visits, owner, k, v, inside[:, v], (found.expected[k, v], found.z[k, v], found.p[k, v], q[k, v])
        )
        if one.users >= rules.users and one.weeks_share >= rules.weeks:
            kept.append(one)
        if len(kept) == rules.most:
            break
    return kept


def _otherwise(
    visits: Visits, windows: Sequence[Window], exposure: NDArray[np.floating], inside: NDArray[np.bool_], places: int
) -> NDArray[np.float64]:
    """(K, V) visits that the hours of a window would have on the days that they are otherwise like; 0 of no such."""
    table = np.zeros((places, len(exposure)))
    np.add.at(table, (visits.place, visits.slot), 1)
    answer = np.zeros((places, len(windows)))
    for at, window in enumerate(windows):
        like = list(window.like)
        often = float(exposure[like].sum())
        if often:
            answer[:, at] = table[:, like].sum(axis=1) / often * float(exposure @ inside[:, at])
    return answer


def _over_users(visits: Visits, owner: Codes, place: int, slots: NDArray[np.bool_], part: float, few: int) -> float:
    """One-sided p of the mean excess over users, the larger of that to the null and to other times (`part` of all).

    1 where a few users make all of it.
    """
    n = int(owner.max()) + 1
    here = visits.place == place
    both, expected = excess_of(owner, here, slots[visits.slot], n)
    p = []
    for usual in (expected, part * np.bincount(owner[here], minlength=n)):
        excess = np.sort((both - usual)[(both > 0) | (usual > 0)])
        if excess[: len(excess) - few].sum() <= 0:
            return 1.0
        p.append(float(stats.norm.sf(excess.sum() / np.sqrt(np.sum(excess**2)))))
    return max(p)


def _told_by(
    visits: Visits, owner: Codes, place: int, slots: NDArray[np.bool_], told: NDArray[np.bool_], ratio: float
) -> bool:
    """Whether hardly half of a window's excess is left beside what is told of the place already."""
    then = (slots & ~told)[visits.slot]
    both, expected = excess_of(owner, visits.place == place, then, int(owner.max()) + 1)
    return bool(both.sum() < (1 + (ratio - 1) / 2) * expected.sum())


def _overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / max(min(a.sum(), b.sum()), 1))


def _described(
    visits: Visits,
    owner: Codes,
    place: int,
    window: int,
    slots: NDArray[np.bool_],
    told: tuple[float, float, float, float],
) -> Pattern:
    then = slots[visits.slot]
    mine = then & (visits.place == place)
    weeks = np.unique(np.stack([owner[mine], visits.week[mine]]), axis=1)
    came = np.bincount(weeks[0], minlength=int(owner.max()) + 1)
    return Pattern(
        place=place,
        window=window,
        visits=int(mine.sum()),
        expected=float(told[0]),
        users=int((came > 0).sum()),
        regulars=int((came >= _REGULAR_WEEKS).sum()),
        z=float(told[1]),
        p=float(told[2]),
        q=float(told[3]),
        weeks_share=len(np.unique(visits.week[mine])) / max(len(np.unique(visits.week[then])), 1),
        rows=visits.row[mine].astype(np.int64),
    )
