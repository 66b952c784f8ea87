"""Items as vectors of what happens near them: shifted positive PMI, factored.

M(v, w) = max(PMI(v, w) - log(negatives), 0) of pairs at most `window` events apart within a user's training events
(weight 1 / distance), contexts smoothed by the power 0.75; the vectors are U √Σ of its truncated SVD. That is what
skip-gram with negative sampling factors implicitly, found without a draw: the same log gives the same vectors.

References: Levy and Goldberg, NeurIPS 2014; Levy, Goldberg and Dagan, TACL 2015; Barkan and Koenigstein, 2016.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

from components.baselines.sparse import histories, row_of
from components.baselines.vectors import VectorBaseline, VectorOptions
from components.features.encoding import UNKNOWN
from components.memory.ask import Ask, Floats
from components.memory.counter import checked
from components.predictor import Window


class Item2VecOptions(VectorOptions):
    """width: of the vectors; window: farthest neighbours, in events; negatives: the shift is its logarithm."""

    width: int = Field(ge=1)
    window: int = Field(ge=1)
    negatives: float = Field(ge=1)


class Item2Vec(VectorBaseline[Item2VecOptions]):
    """See the module."""

    kind = "item2vec"
    options_type = Item2VecOptions

    def begin(self, train: Window, tune: Window) -> None:
        pairs = neighbour_pairs(train, self.options.window)
        self.vectors = unit(factored(shifted_ppmi(pairs, self.options.negatives), self.options.width))  # (V, d)

    def weigh(self, ask: Ask) -> NDArray[np.float32]:
        query = unit(histories(ask, self.decayed(ask), self.n_items) @ self.vectors)
        return self.weight_of(query @ self.vectors.T)

    def state(self) -> dict[str, NDArray]:
        return {**super().state(), "vectors": self.vectors}

    def restore(self, arrays: Mapping[str, NDArray], where: str) -> None:
        super().restore(arrays, where)
        vectors = np.atleast_2d(arrays["vectors"])
        self.vectors = checked(vectors, (self.n_items, vectors.shape[1]), where)


def unit(rows: NDArray[np.floating]) -> Floats:
    """Rows of length 1; rows of zeros stay."""
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norm > 0, norm, 1.0), np.float64)


def neighbour_pairs(train: Window, window: int) -> csr_array:
    """(V, V) symmetric Σ 1 / distance over pairs of known items of one user, at most `window` training events apart."""
    store, rows = train.store, np.sort(train.events)
    item = np.asarray(store["item"])[rows].astype(np.int64)
    user = store.user[rows]
    size = store.encoding.n_items
    found = csr_array((size, size))
    for distance in range(1, window + 1):
        one, other = item[:-distance], item[distance:]
        use = (user[:-distance] == user[distance:]) & (one > UNKNOWN) & (other > UNKNOWN) & (one != other)
        weight = np.full(int(use.sum()), 1.0 / distance)
        found = csr_array(found + csr_array((weight, (one[use], other[use])), shape=found.shape))
    return csr_array(found + found.T)


def shifted_ppmi(pairs: csr_array, negatives: float) -> csr_array:
    """Positive part of log(p(v, w) / (p(v) p(w)^0.75)) - log(negatives), where p(w)^0.75 is made to sum to 1."""
    count = np.asarray(pairs.sum(axis=1), np.float64)
    context = count**0.75
    total, row = count.sum(), row_of(pairs)
    if total == 0:
        return pairs
    value = np.log(pairs.data * context.sum() / (count[row] * context[pairs.indices])) - np.log(negatives)
    found = csr_array((np.maximum(value, 0.0), pairs.indices, pairs.indptr), shape=pairs.shape)
    found.eliminate_zeros()
    return found


def factored(matrix: csr_array, width: int) -> Floats:
    """(V, d) left singular vectors × √(singular values), d = width or less; ARPACK from a fixed start."""
    rank = min(width, matrix.shape[0] - 1)
    if matrix.nnz == 0:
        return np.zeros((matrix.shape[0], rank))
    left, value, _ = svds(matrix, k=rank, v0=np.ones(matrix.shape[0]))
    return np.asarray(left * np.sqrt(value), np.float64)
