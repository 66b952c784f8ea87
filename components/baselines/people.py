"""Who is who among learned users: rows by a digest of the id, so that no id is written to a folder.

A live request comes in a store of its own, where rows mean other people; the digest does not.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from components.features.store import Store
from components.memory.ask import Ints


def digest(user: str) -> int:
    """64 bits of BLAKE2 of an id, as a signed integer."""
    return int.from_bytes(hashlib.blake2b(user.encode(), digest_size=8).digest(), "little", signed=True)


class People:
    """Users by the order in which they were met.

    Parameters
    ----------
    keys : (P,) int64 digests
    """

    def __init__(self, keys: NDArray[np.int64]) -> None:
        self._row = {int(key): row for row, key in enumerate(keys)}

    def __len__(self) -> int:
        return len(self._row)

    def find(self, store: Store, user: NDArray[np.integer]) -> Ints:
        """(n,) row of each user (n,) of a store; -1 for those who were never met."""
        some, place = np.unique(user, return_inverse=True)
        row = [self._row.get(digest(str(store.users[one])), -1) for one in some]
        return np.array(row, np.int64)[place]

    def meet(self, store: Store, user: NDArray[np.integer]) -> Ints:
        """(n,) row of each user (n,) of a store; new ones are added."""
        some, place = np.unique(user, return_inverse=True)
        row = [self._row.setdefault(digest(str(store.users[one])), len(self._row)) for one in some]
        return np.array(row, np.int64)[place]

    def keys(self) -> NDArray[np.int64]:
        """(P,) the digests, in the order of the rows."""
        return np.array(list(self._row), np.int64)
