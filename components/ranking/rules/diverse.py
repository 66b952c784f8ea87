"""Maximal marginal relevance: the next item is the one that is good and unlike those that were taken.

    next = argmax_i  w · relevance(i) - (1 - w) · max_{j taken} alike(i, j)

`w` = 1 is the plain order. Likeness is that of category (equal or not) and of place (e^(-distance / scale)), their mean
where both are asked for; what is not known is like nothing.

With categories alone there is nothing to search: the best item of a category is taken before the others of it, and from
then on they all pay the same, so one sort gives the greedy order. Places need the greedy steps.

Reference: Carbonell, Goldstein (1998), The use of MMR, diversity-based reranking for reordering documents, SIGIR.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from components.features.encoding import UNKNOWN, Catalogue
from components.features.hexagon import unit_vectors
from components.features.place import EARTH_KM
from components.ranking.rules.pool import Pool

Floats32 = NDArray[np.float32]
#: For at most so many questions, and for lists at least so long, all pairs are compared before the search; else row by
#: row within it.
_FEW, _LONG = 4, 40


def diverse(
    pool: Pool, by: Sequence[Literal["category", "place"]], place_km: float, catalogue: Catalogue, weight: float, k: int
) -> NDArray[np.int64]:
    """(B, n) places of the candidates in the order in which they are taken, n = min(k, C); -1 after the last.

    Parameters
    ----------
    pool : the candidates
    by : what makes two of them alike
    place_km : distance at which likeness by place has fallen to 1/e
    catalogue : where items are
    weight : w, 0 … 1
    k : how many are taken
    """
    size = min(k, pool.code.shape[1])
    if weight >= 1.0:
        return np.broadcast_to(np.arange(size), (len(pool.code), size))
    if "place" not in by:
        pays = (pool.turn > 0) & (pool.category > UNKNOWN)
        value = np.where(pool.there, weight * pool.relevance - (1 - weight) * pays, -np.inf)
        return np.argsort(-value, axis=1, kind="stable")[:, :size]
    likeness = Likeness.of(pool, by, place_km, catalogue)
    value = np.where(pool.there, weight * pool.relevance, -np.inf).astype(np.float32)
    price = np.float32(1 - weight)
    if len(pool.code) > _FEW or size < _LONG:
        return _of_many(value, price, likeness, size)
    paid = likeness.whole()
    paid *= price
    return np.stack([_of_one(value[b], paid[b], size) for b in range(len(value))])


def _of_one(value: Floats32, paid: Floats32, size: int) -> NDArray[np.int64]:
    """(size,) places, from what each of C candidates is worth (C,) and what it pays beside each other one (C, C)."""
    nearest = np.zeros_like(value)
    score = value
    taken = np.empty(size, np.int64)
    for step in range(size):
        best = score.argmax()  # of equal ones the more relevant
        if score[best] == -np.inf:
            taken[step:] = -1
            break
        taken[step] = best
        value[best] = -np.inf
        np.maximum(nearest, paid[best], out=nearest)
        score = value - nearest
    return taken


def _of_many(value: Floats32, price: np.float32, likeness: Likeness, size: int) -> NDArray[np.int64]:
    """(B, size) the same for many questions at once, without comparing all pairs."""
    row = np.arange(len(value))
    nearest = np.zeros_like(value)
    score = value
    taken = np.empty((len(value), size), np.int64)
    for step in range(size):
        best = score.argmax(axis=1)
        taken[:, step] = np.where(score[row, best] > -np.inf, best, -1)
        value[row, best] = -np.inf
        if step + 1 < size:
            np.maximum(nearest, price * likeness.to(best), out=nearest)
            score = value - nearest
    return taken


@dataclass(frozen=True)
class Likeness:
    """How alike the C candidates of B questions are, 0 … 1: the mean of what is asked for.

    Attributes
    ----------
    kind : (B, C) category, or a number of its own where it is not known; None where it does not count
    point : x, y, z on the unit sphere, (B, C) each, NaN = nowhere
    scale : radii of the sphere that likeness by place falls to 1/e over, inverted
    nowhere : whether some have no place
    """

    kind: NDArray[np.int64] | None
    point: tuple[Floats32, ...]
    scale: np.float32
    nowhere: bool

    @classmethod
    def of(cls, pool: Pool, by: Sequence[str], place_km: float, catalogue: Catalogue) -> Likeness:
        """That of a pool's candidates."""
        alone = -1 - np.arange(pool.code.shape[1])
        kind = np.where(pool.category > UNKNOWN, pool.category, alone) if "category" in by else None
        places = (np.asarray(axis, np.float64)[pool.code] for axis in (catalogue.latitude, catalogue.longitude))
        point = unit_vectors(*(np.radians(one) for one in places)).astype(np.float32)  # to half a metre
        return cls(kind, tuple(point), np.float32(EARTH_KM / place_km), bool(np.isnan(point[0]).any()))

    def whole(self) -> Floats32:
        """(B, C, C) of all pairs."""
        apart = [axis[:, :, None] - axis[:, None] for axis in self.point]
        return self._mean(apart, None if self.kind is None else self.kind[:, :, None] == self.kind[:, None])

    def to(self, chosen: NDArray[np.int64]) -> Floats32:
        """(B, C) to one candidate (B,) of each question."""
        row = np.arange(len(chosen))
        apart = [axis[row, chosen][:, None] - axis for axis in self.point]
        return self._mean(apart, None if self.kind is None else self.kind[row, chosen][:, None] == self.kind)

    def _mean(self, apart: Sequence[Floats32], same: NDArray[np.bool_] | None) -> Floats32:
        near, y, z = apart  # differences, not products: near places are told apart in single precision too
        near *= near  # in place: this is most of what the search costs
        near += np.multiply(y, y, out=y)
        near += np.multiply(z, z, out=z)
        np.sqrt(near, out=near)
        near *= -self.scale
        np.exp(near, out=near)
        if self.nowhere:
            near[np.isnan(near)] = 0.0
        if same is not None:
            near += same
            near *= np.float32(0.5)
        return near
