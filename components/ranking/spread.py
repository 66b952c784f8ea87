"""From scores of candidates to probabilities of the whole catalogue.

The candidates share the mass that the mixture gives them together, calibrated, by a softmax of their scores and of
what the mixture says of each; all other items keep the mixture's shares of the rest, and rank behind. Never here:
who scored.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from components.compiled import quick, released
from components.errors import IntegrityError
from components.features.encoding import UNKNOWN
from components.memory.ask import Floats, Ints
from components.ranking.candidates import Candidates
from components.ranking.lessons import Lessons

Table = NDArray[np.float32]
TINY = 1e-12
_MOST, _NEAR = 30, 1e-9  # at most so many steps to a level, relative to which so little is missing
_BAND = 0.01  # width, relative, of the band in which candidates and others that would be mixed up are parted


@dataclass(frozen=True)
class Spread:
    """Four numbers that make probabilities of scores.

    Attributes
    ----------
    score, mixture : weights of the score, and of the logarithm of the mixture, in the softmax over candidates
    shift, slope : the candidates' mass is expit(shift + slope · logit(mass by the mixture))
    """

    score: float
    mixture: float
    shift: float
    slope: float

    @classmethod
    def plain(cls) -> Self:
        """The mixture as it is."""
        return cls(0.0, 1.0, 0.0, 1.0)

    def of(self, scores: Floats, mixture: Table, candidates: Candidates) -> Table:
        """(B, V) probabilities; rows sum to 1, padding and unknown have none.

        Parameters
        ----------
        scores : (n,) of the candidates
        mixture : (B, V) probabilities; is overwritten
        candidates : n items
        """
        numbers = self.score, self.mixture, self.shift, self.slope
        _fill(mixture, scores, candidates.offsets, candidates.item, *numbers, UNKNOWN)
        return mixture

    def mass_of(self, inside: Floats) -> Floats:
        """(B,) probability that the answer is a candidate, from the mixture's (B,)."""
        return np.asarray(expit(self.shift + self.slope * logit(np.clip(inside, 1e-6, 1 - 1e-6))))

    def among(self, scores: Floats, own: Floats, candidates: Candidates) -> Floats:
        """(n,) softmax among the candidates of each query, from scores (n,) and the mixture's (n,)."""
        logits = self.score * scores + self.mixture * np.log(own + TINY)
        first, query = candidates.offsets[:-1], candidates.query
        weight = np.exp(logits - np.maximum.reduceat(logits, first)[query])
        return np.asarray(weight / np.add.reduceat(weight, first)[query])

    def record(self) -> dict[str, float]:
        """The numbers as JSON."""
        return asdict(self)

    @classmethod
    def read(cls, record: Any, where: str) -> Self:
        """What `record` gave, checked."""
        try:
            found = cls(**{name: float(record[name]) for name in ("score", "mixture", "shift", "slope")})
        except (KeyError, TypeError, ValueError) as error:
            raise _broken(where, f"{type(error).__name__}: {error}") from error
        if not np.isfinite(list(asdict(found).values())).all():
            raise _broken(where, "one that is not finite")
        return found


def fit_spread(lessons: Lessons, scores: Floats) -> Spread:
    """The spread under which the answers are most probable; `score` is never negative.

    Parameters
    ----------
    lessons : candidates of queries that no tree was grown on; how many trees there are was chosen on them
    scores : (n,) of the candidates
    """
    if not lessons.right.any():
        return Spread.plain()
    right, query = lessons.right, lessons.query
    each = 1.0 / lessons.asked[query[right]]  # the answers of one query count as one
    part = lessons.found / np.maximum(lessons.asked, 1)  # of the answers that are candidates
    offsets = np.concatenate([[0], np.cumsum(lessons.sizes)])
    candidates = Candidates(offsets, np.zeros(len(scores), np.int64))

    def among(x: Floats) -> float:
        share = Spread(x[0], x[1], 0.0, 1.0).among(scores, lessons.own, candidates)
        return -float(np.average(np.log(np.maximum(share[right], TINY)), weights=each))

    bounds = [(0.0, 50.0), (-2.0, 4.0)]
    score, mixture = minimize(among, np.array([1.0, 0.5]), method="L-BFGS-B", bounds=bounds).x
    apart = logit(np.clip(lessons.inside, 1e-6, 1 - 1e-6))

    def mass(x: Floats) -> float:
        chance = np.clip(expit(x[0] + x[1] * apart), 1e-6, 1 - 1e-6)
        missed = part * np.log(chance) + (1 - part) * np.log1p(-chance)
        return -float(missed.mean()) + 1e-3 * float(x[0] ** 2 + (x[1] - 1) ** 2)

    shift, slope = minimize(mass, np.array([0.0, 1.0]), method="L-BFGS-B").x
    return Spread(float(score), float(mixture), float(shift), float(slope))


@released
def _fill(
    block: Table, scores: Floats, offsets: Ints, item: Ints, by_score: float, by_mixture: float, shift: float,
    slope: float, unknown: int,
) -> None:  # fmt: skip
    """Make mixtures (B, V) what `Spread.of` says, in place; see `mass_of` and `among`."""
    for b in range(len(block)):
        row, own = block[b], item[offsets[b] : offsets[b + 1]]
        inside, total = 0.0, _sum(row)
        for v in own:
            inside += row[v]
        logit_inside = min(max(inside / total, 1e-6), 1 - 1e-6)
        mass = 1.0 / (1.0 + np.exp(-(shift + slope * np.log(logit_inside / (1.0 - logit_inside)))))
        weight = np.empty(len(own))
        for place in range(len(own)):
            weight[place] = by_score * scores[offsets[b] + place] + by_mixture * np.log(float(row[own[place]]) + TINY)
        weight = np.exp(weight - weight.max())
        weight *= mass / weight.sum()
        row *= np.float32((1.0 - mass) / max(total - inside, TINY))
        for place in range(len(own)):
            row[own[place]] = weight[place]
    _part(block, offsets, item)
    for b in range(len(block)):
        row = block[b]
        row[: unknown + 1] = 0.0
        row *= np.float32(1.0) / np.float32(_sum(row))


@quick
def _sum(row: NDArray[np.float32]) -> float:
    """Of a row (V,), in double precision."""
    total = 0.0
    for v in range(len(row)):
        total += row[v]
    return total


@released
def _part(block: Table, offsets: Ints, item: Ints) -> None:
    """Raise low candidates and lower other items in place, by as much in sum, until every candidate is above the rest.

    Orders among the candidates, and among the rest, stay.
    """
    for b in range(len(offsets) - 1):
        row, own = block[b], item[offsets[b] : offsets[b + 1]]
        least, rest = row[own].min(), row.copy()
        rest[own] = -1.0
        most = rest.max()
        if not most >= least:
            continue
        level = _level(row[own], rest, float(least), float(most))
        above = np.flatnonzero(rest >= level)
        for place, v in enumerate(above[np.argsort(row[above])]):
            row[v] = level * (1 + _BAND * place / len(above))
        below = own[row[own] < level * (1 + 2 * _BAND)]
        for place, v in enumerate(below[np.argsort(row[below])]):
            row[v] = level * (1 + _BAND + _BAND * place / len(below))


@quick
def _level(own: NDArray[np.float32], rest: NDArray[np.float32], low: float, high: float) -> float:
    """Where candidates (n,) lack in sum what the others (m,) exceed, between `low` and `high`.

    By Newton's steps, within a bracket; who cannot lack or exceed any more is looked at no more.
    """
    level = 0.5 * (low + high)
    for _ in range(_MOST):
        lack, slope = 0.0, 0.0
        for place in range(len(own)):
            lack += max(level - own[place], 0.0)
            slope += own[place] < level
        for place in range(len(rest)):
            lack -= max(rest[place] - level, 0.0)
            slope += rest[place] > level
        if abs(lack) <= _NEAR * level * slope:
            break
        if lack < 0:
            low, rest = level, rest[rest > level]
        else:
            high, own = level, own[own < level]
        level -= lack / slope
        if not low < level < high:
            level = 0.5 * (low + high)
    return level


def _broken(where: str, found: str) -> IntegrityError:
    return IntegrityError(f"the four numbers of a spread in {where}", found=found, do="Run the blend stage again.")
