"""Sparse rows: the histories of queries, the largest of each row, and how a matrix is kept in a folder.

Never here: what a similarity means.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from components.errors import IntegrityError
from components.memory.ask import Ask, Floats, Ints

Arrays = Mapping[str, NDArray]


def steps_back(ask: Ask) -> Ints:
    """(m,) how many events ago each known event was; 0 for the newest of its query."""
    return np.asarray(ask.edges[1:][ask.item_query] - 1 - ask.known, np.int64)


def histories(ask: Ask, weight: Floats, n_items: int) -> csr_array:
    """(B, V) sums of the weights (m,) of the known events, by query and item."""
    return csr_array((weight, (ask.item_query, ask.item_code)), shape=(ask.size, n_items))


def row_of(matrix: csr_array) -> Ints:
    """(nnz,) row of each stored value."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def row_norms(matrix: csr_array) -> Floats:
    """(rows,) Euclidean norms."""
    return np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1), np.float64))


def scaled_rows(matrix: csr_array, scale: Floats) -> csr_array:
    """The matrix with each row multiplied by its scale (rows,)."""
    return csr_array((matrix.data * scale[row_of(matrix)], matrix.indices, matrix.indptr), shape=matrix.shape)


def unit_rows(matrix: csr_array) -> csr_array:
    """Rows of length 1; empty rows stay empty."""
    norm = row_norms(matrix)
    return scaled_rows(matrix, 1.0 / np.where(norm > 0, norm, 1.0))


def top_rows(matrix: csr_array, k: int) -> csr_array:
    """The k largest positive values of each row; of equal ones those of the smaller column stay.

    Examples
    --------
    >>> top_rows(csr_array(np.array([[1.0, 3.0, 2.0], [0.0, -1.0, 5.0]])), 2).toarray().tolist()
    [[0.0, 3.0, 2.0], [0.0, 0.0, 5.0]]
    """
    row = row_of(matrix)
    keep = np.flatnonzero(matrix.data > 0)
    order = keep[np.lexsort((matrix.indices[keep], -matrix.data[keep], row[keep]))]
    row = row[order]
    place = np.arange(len(order)) - np.searchsorted(row, row)  # within the row
    order, row = order[place < k], row[place < k]
    return csr_array((matrix.data[order], (row, matrix.indices[order])), shape=matrix.shape)


def without(matrix: csr_array, column: Ints) -> csr_array:
    """The matrix without one column (rows,) of each row; -1 takes nothing."""
    data = np.where(matrix.indices == column[row_of(matrix)], 0.0, matrix.data)
    return csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def sparse_state(name: str, matrix: csr_array) -> dict[str, NDArray]:
    """The arrays that hold a matrix in a folder."""
    matrix.sum_duplicates()
    return {
        f"{name}.data": matrix.data,
        f"{name}.indices": matrix.indices.astype(np.int32),
        f"{name}.indptr": matrix.indptr.astype(np.int64),
    }


def read_sparse(arrays: Arrays, name: str, n_columns: int, where: str) -> csr_array:
    """What `sparse_state` wrote.

    Raises
    ------
    IntegrityError
        The arrays are no matrix with so many columns, or hold NaN or infinity.
    """
    data, indices, indptr = (np.asarray(arrays[f"{name}.{part}"]) for part in ("data", "indices", "indptr"))
    flat = data.ndim == indices.ndim == indptr.ndim == 1 and data.dtype.kind == "f"
    whole = flat and len(indptr) > 0 and indptr[0] == 0 and indptr[-1] == len(data) == len(indices)
    inside = whole and bool((np.diff(indptr) >= 0).all() and (indices >= 0).all() and (indices < n_columns).all())
    if not inside or not np.isfinite(data).all():
        raise IntegrityError(
            f"a sparse matrix `{name}` with {n_columns} columns in {where}",
            found="arrays that contradict each other",
            do="Train again, or bring the folder back from DVC.",
        )
    return csr_array((data, indices, indptr), shape=(len(indptr) - 1, n_columns))
