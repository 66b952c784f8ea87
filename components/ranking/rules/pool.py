"""The items that rules choose from: the best few hundred of each ranking, best first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
        best = self.log_p[:, :1]
        worst = np.min(np.where(self.there, self.log_p, np.inf), axis=1, keepdims=True)
        width = np.where(best > worst, best - worst, 1.0)
        with np.errstate(invalid="ignore"):
            return np.where(self.there, np.where(best > worst, (self.log_p - worst) / width, 1.0), 0.0)

    @made_once
    def turn(self) -> NDArray[np.int64]:
        """(B, C) how many better candidates have the same category: 0, 1, …"""
        order = np.argsort(self.category, axis=1, kind="stable")
        ordered = np.take_along_axis(self.category, order, axis=1)
        place = np.broadcast_to(np.arange(ordered.shape[1]), ordered.shape)
        opens = np.ones(ordered.shape, bool)
        opens[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        begin = np.maximum.accumulate(np.where(opens, place, 0), axis=1)
        turn = np.empty(ordered.shape, np.int64)
        np.put_along_axis(turn, order, place - begin, axis=1)
        return turn

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
        codes = np.where(place >= 0, np.take_along_axis(self.code, np.maximum(place, 0), axis=1), 0)[:, :k]
        codes = np.take_along_axis(codes, np.argsort(codes == 0, axis=1, kind="stable"), axis=1)
        short = k - codes.shape[1]
        return np.pad(codes, ((0, 0), (0, short))) if short > 0 else codes


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
    rows, columns = log_p.shape
    code = np.zeros((rows, min(size, columns)), np.int64)
    value = np.full(code.shape, -np.inf)
    shown = np.broadcast_to(allowed, log_p.shape)
    for b in range(rows):
        found = best(log_p[b], shown[b], code.shape[1])
        code[b, : len(found)] = found
        value[b, : len(found)] = log_p[b, found]
    return Pool(code, value, np.asarray(category)[code].astype(np.int64))
