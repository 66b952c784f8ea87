"""Whom to trust for this query: weights of the voices by a softmax of what the query is like.

The light alternative to trees: what is mixed are distributions over the whole catalogue, so the mixture is one too,
and it costs a product of a few hundred numbers. Never here: what the voices are.

Reference: Jacobs, Jordan, Nowlan, Hinton (1991), with fixed experts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax

from components.compiled import released
from components.errors import IntegrityError, TrainingError
from components.memory.mixture import TINY, fit_weights, log_likelihood

Floats = NDArray[np.float64]
#: Tried strengths of the pull of each slope to zero, in queries; infinity: the same weights for everybody.
PULLS = (np.inf, 300.0, 30.0, 3.0)
_STEPS = 200


@dataclass(frozen=True)
class Gate:
    """weights(x) = softmax(bias + slope · (x - centre) / spread).

    Attributes
    ----------
    centre, spread : (D,) of the columns that describe a query
    bias : (K,) of the voices
    slope : (D, K)
    """

    centre: Floats
    spread: Floats
    bias: Floats
    slope: Floats

    def of(self, described: NDArray[np.floating]) -> Floats:
        """(B, K) weights for queries that are described by (B, D); rows sum to 1."""
        return _weights(described, self.centre, self.spread, self.bias, self.slope)

    @classmethod
    def even(cls, voices: int, columns: int) -> Self:
        """Equal weights: what nothing is known about."""
        return cls(np.zeros(columns), np.ones(columns), np.zeros(voices), np.zeros((columns, voices)))

    def record(self) -> dict[str, object]:
        """The gate as JSON."""
        return {name: getattr(self, name).tolist() for name in ("centre", "spread", "bias", "slope")}

    @classmethod
    def read(cls, record: Any, voices: int, columns: int, where: str) -> Self:
        """What `record` gave, checked.

        Raises
        ------
        IntegrityError
            The numbers are not finite, or of another shape.
        """
        shapes = {"centre": (columns,), "spread": (columns,), "bias": (voices,), "slope": (columns, voices)}
        try:
            found = {name: np.asarray(record[name], np.float64) for name in shapes}
        except (KeyError, TypeError, ValueError) as error:
            raise _broken(where, voices, f"{type(error).__name__}: {error}") from error
        whole = all(found[name].shape == shape and np.isfinite(found[name]).all() for name, shape in shapes.items())
        if not whole or not (found["spread"] > 0).all():
            raise _broken(where, voices, "numbers of other shapes, or not finite")
        return cls(**found)


@released
def _weights(described: NDArray[np.floating], centre: Floats, spread: Floats, bias: Floats, slope: Floats) -> Floats:
    """See `Gate.of`."""
    out = np.empty((len(described), len(bias)))
    for b in range(len(out)):
        row = out[b]
        row[:] = bias
        for d in range(len(centre)):
            row += (described[b, d] - centre[d]) / spread[d] * slope[d]
        row[:] = np.exp(row - row.max())
        row /= row.sum()
    return out


def fit_gate(likelihood: Floats, described: NDArray[np.floating], steps: int, weight: Floats | None = None) -> Gate:
    """The gate that makes what happened most probable.

    Slopes are pulled to zero; how strongly is decided by the second half of the queries under a gate that was fitted
    on the first half, then all are used.

    Parameters
    ----------
    likelihood : (Q, K) probability that each voice gave to what happened, in time order
    described : (Q, D)
    steps : EM steps for the common weights that it starts from
    weight : (Q,) as how many queries each counts; None: as one

    Raises
    ------
    TrainingError
        A value is not finite, or a likelihood is negative.
    """
    if not np.isfinite(likelihood).all() or (likelihood < 0).any() or not np.isfinite(described).all():
        raise TrainingError(
            "finite probabilities of every voice", found="NaN, infinite or negative values", do="Leave it out."
        )
    half = len(likelihood) // 2
    counted = np.ones(len(likelihood)) if weight is None else weight
    best, best_value = np.inf, -np.inf
    for pull in PULLS:
        trial = _fit(likelihood[:half], described[:half], steps, pull, counted[:half])
        value = log_likelihood(likelihood[half:], trial.of(described[half:]), counted[half:])
        if value > best_value + 1e-9:
            best, best_value = pull, value
    return _fit(likelihood, described, steps, best, counted)


def _fit(likelihood: Floats, described: NDArray[np.floating], steps: int, pull: float, weight: Floats) -> Gate:
    queries, voices = likelihood.shape
    columns = described.shape[1]
    common = np.maximum(fit_weights(likelihood, steps, weight=weight), 1e-4)
    bias = np.log(common / common.sum())
    if np.isinf(pull) or not queries:
        return Gate(np.zeros(columns), np.ones(columns), bias, np.zeros((columns, voices)))
    centre, spread = described.mean(axis=0, dtype=np.float64), described.std(axis=0, dtype=np.float64)
    spread = np.where(spread > 1e-6, spread, 1.0)
    x = np.concatenate([np.ones((queries, 1)), (described - centre) / spread], axis=1)
    start = np.concatenate([bias[None], np.zeros((columns, voices))])

    def loss(flat: Floats) -> tuple[float, Floats]:
        table = flat.reshape(start.shape)
        weights = softmax(x @ table, axis=1)
        joint = weights * likelihood
        total = np.maximum(joint.sum(axis=1, keepdims=True), TINY)
        away = table - start
        gradient = x.T @ ((weights - joint / total) * weight[:, None]) + pull * away
        return float(-np.log(total[:, 0]) @ weight + 0.5 * pull * (away**2).sum()), gradient.reshape(-1)

    found = minimize(loss, start.reshape(-1), jac=True, method="L-BFGS-B", options={"maxiter": _STEPS})
    table = found.x.reshape(start.shape)
    return Gate(centre, spread, table[0], table[1:])


def _broken(where: str, voices: int, found: str) -> IntegrityError:
    return IntegrityError(f"a gate over {voices} voices in {where}", found=found, do="Run the blend stage again.")
