"""The items that rules choose from: the best few hundred of each ranking, best first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.compiled import compiled
from components.once import made_once
from components.ranking.best import best

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pool:
    """C candidates of each of B questions, best first; what is no candidate stands at the end.

    Attributes
    ----------
    code : (B, C) int64 item codes, 0 = none
    log_p : (B, C) float64 log-probabilities, descending; -inf where there is none
    category : (B, C) int64 category of each, 0 = none
    """

    code: NDArray[np.int64]
    log_p: Floats
    category: NDArray[np.int64]

    @made_once
    def there(self) -> NDArray[np.bool_]:
        """(B, C) whether there is a candidate."""
        return self.code > 0

    @made_once
    def relevance(self) -> Floats:
        """(B, C) in [0, 1]: where the log-probability lies between the worst candidate's and the best's; 0 for none.

        One candidate, or several that are equal, have 1.
        """
        return _relevance(self.code, self.log_p)

    @made_once
    def turn(self) -> NDArray[np.int64]:
        """(B, C) how many better candidates have the same category: 0, 1, …"""
        return _turns(self.category, int(self.category.max(initial=0)) + 1)

    def kept(self, keep: NDArray[np.bool_]) -> Pool:
        """The candidates where `keep` (B, C), still best first."""
        if keep.all():
            return self
        keep = keep & self.there
        order = np.argsort(~keep, axis=1, kind="stable")
        taken = np.take_along_axis(keep, order, axis=1)

        def of(values: NDArray, none: float) -> NDArray:
            return np.where(taken, np.take_along_axis(values, order, axis=1), none)

        return Pool(of(self.code, 0), of(self.log_p, -np.inf), of(self.category, 0))

    def listed(self, place: NDArray[np.integer], k: int) -> NDArray[np.int64]:
        """(B, k) codes of the candidates at `place` (B, n), in that order; places below 0 and empty ones come last."""
        return _listed(self.code, np.ascontiguousarray(place[:, :k], np.int64), k)


@compiled
def _relevance(code: NDArray[np.int64], log_p: Floats) -> Floats:
    """(B, C) see `Pool.relevance`."""
    out = np.zeros(log_p.shape)
    for b in range(len(code)):
        worst = np.inf
        for c in range(code.shape[1]):
            if code[b, c] > 0:
                worst = min(worst, log_p[b, c])
        for c in range(code.shape[1]):
            if code[b, c] > 0:
                out[b, c] = (log_p[b, c] - worst) / (log_p[b, 0] - worst) if log_p[b, 0] > worst else 1.0
    return out


@compiled
def _turns(category: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """(B, C) how often each category, below `size`, stands before it in its row."""
    out = np.empty_like(category)
    for b in range(len(category)):
        met = np.zeros(size, np.int64)
        for c in range(category.shape[1]):
            out[b, c] = met[category[b, c]]
            met[category[b, c]] += 1
    return out


@compiled
def _listed(code: NDArray[np.int64], place: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """(B, k) codes at the places (B, n) that are none below 0, empty ones last."""
    out = np.zeros((len(code), k), np.int64)
    for b in range(len(code)):
        n = 0
        for at in place[b]:
            if at >= 0 and code[b, at] > 0:
                out[b, n] = code[b, at]
                n += 1
    return out


def pool_of(log_p: NDArray[np.floating], allowed: NDArray[np.bool_], category: NDArray[np.integer], size: int) -> Pool:
    """The best items of each ranking.

    Parameters
    ----------
    log_p : (B, V) log-probabilities by item code
    allowed : (B, V) or (V,) what may be shown; items without a finite log-probability never are
    category : (V,) category of each item code
    size : candidates at most

    Returns
    -------
    Pool
        Equal ones are ordered by their code.
    """
    return Pool(*_pool(log_p, np.atleast_2d(allowed), category, min(size, log_p.shape[1])))


@compiled
def _pool(
    log_p: NDArray[np.floating], allowed: NDArray[np.bool_], category: NDArray[np.integer], size: int
) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
    """(B, size) codes, log-probabilities and categories; `allowed` has one row for all, or one for each."""
    code = np.zeros((len(log_p), size), np.int64)
    value, kind = np.full(code.shape, -np.inf), np.full(code.shape, np.int64(category[0]))
    for b in range(len(log_p)):
        found = best(log_p[b], allowed[b if len(allowed) > 1 else 0], size)
        for c in range(len(found)):
            code[b, c], value[b, c], kind[b, c] = found[c], log_p[b, found[c]], category[found[c]]
    return code, value, kind
