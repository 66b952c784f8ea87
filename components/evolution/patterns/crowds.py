"""Where and when go together beyond what each user's own places and hours would give.

The null gives each user the same places and the same hours, and pairs them anew. Its mean and variance are known
exactly (visits are drawn without replacement); shuffles say how large the largest of all pairs gets by chance.
Never here: what a place or an hour is called.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from components.compiled import released
from components.evolution.shuffles import bounds_of, shuffle_groups
from components.evolution.significance import p_value

Floats = NDArray[np.float64]
Codes = NDArray[np.integer]
_LEAST_EXPECTED = 5.0  # visits, below which the normal score is too rough
_NEVER = -1e9  # the score of what is not tested


@dataclass(frozen=True)
class Crowds:
    """K places and V windows.

    Attributes
    ----------
    tested : (K, V) whether enough visits are expected
    visits : (K, V) of the place in the window
    expected : (K, V) mean under the null
    z : (K, V) standardised excess; far below all others where fewer than five visits are expected or nothing varies
    p : (K, V) adjusted over all of them: how often the largest z of a shuffle is as large
    """

    tested: NDArray[np.bool_]
    visits: Floats
    expected: Floats
    z: Floats
    p: Floats


def crowds(user: Codes, place: Codes, slot: Codes, windows: NDArray[np.bool_], permutations: int, seed: int) -> Crowds:
    """Test every place in every window.

    Parameters
    ----------
    user : (N,) codes, ascending; one row for each visit
    place : (N,) codes 0..K-1; what is elsewhere is a place like others
    slot : (N,) codes 0..S-1
    windows : (S, V) slots of each window
    permutations, seed : places are shuffled within each user

    References
    ----------
    Westfall, Young (1993), Resampling-based multiple testing (the largest statistic); the moments are those of the
    hypergeometric distribution, summed over users.
    """
    _, owner = np.unique(user, return_inverse=True)
    people, places = int(owner.max(initial=-1)) + 1, int(place.max(initial=-1)) + 1
    ones = np.ones(len(owner))
    at = sparse.csr_array((ones, (owner, place)), shape=(people, places)).toarray()
    then = sparse.csr_array((ones, (owner, slot)), shape=(people, len(windows))) @ windows.astype(np.float64)
    n = at.sum(axis=1, keepdims=True)
    expected = (at / n).T @ then
    several = np.where(n > 1, n**2 * (n - 1), np.inf)
    variance = (at * (n - at) / several).T @ (then * (n - then))
    enough = (expected >= _LEAST_EXPECTED) & (variance > 1e-9)
    spread = np.sqrt(np.where(enough, variance, 1.0))

    def score(visits: Floats) -> Floats:
        return np.where(enough, (visits - expected) / spread, _NEVER)

    whole = windows.astype(np.float64)
    visits = _table(place, slot, places, len(windows)) @ whole
    z = score(visits)
    bounds, rng = bounds_of(owner), np.random.default_rng(seed)
    moved = np.array(place, np.int64)
    most = np.empty(permutations)
    for one in range(permutations):
        shuffle_groups(moved, bounds, rng)
        most[one] = score(_table(moved, slot, places, len(windows)) @ whole).max(initial=_NEVER)
    return Crowds(enough, visits, expected, z, p_value(z, most[:, None, None], "greater"))


@released
def _counted(place: NDArray[np.int64], slot: NDArray[np.int64], table: Floats) -> None:
    for row in range(len(place)):
        table[place[row], slot[row]] += 1.0


def _table(place: Codes, slot: Codes, places: int, slots: int) -> Floats:
    """(K, S) visits."""
    table = np.zeros((places, slots))
    _counted(np.asarray(place, np.int64), np.asarray(slot, np.int64), table)
    return table


def excess_of(user: Codes, here: NDArray[np.bool_], then: NDArray[np.bool_], n_users: int) -> tuple[Floats, Floats]:
    """(U,) visits of each user to one place in one window, and as many as the null has.

    Parameters
    ----------
    user : (N,) codes below n_users
    here, then : (N,) whether a visit is to the place, and in the window
    """
    n = np.bincount(user, minlength=n_users).astype(np.float64)
    at = np.bincount(user[here], minlength=n_users)
    when = np.bincount(user[then], minlength=n_users)
    both = np.bincount(user[here & then], minlength=n_users).astype(np.float64)
    return both, np.divide(at * when, n, out=np.zeros(n_users), where=n > 0)
