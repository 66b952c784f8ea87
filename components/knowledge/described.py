"""Items as plain columns: all that vectors are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Described:
    """V items; what is not known of one is "" or NaN.

    Attributes
    ----------
    ids : their ids
    trained : (V,) bool, items that may be learned from: statistics of vectors are theirs alone
    title, category, text : one string an item
    tags : an item's tags joined by line feeds
    latitude, longitude : (V,) degrees
    """

    ids: Sequence[str]
    trained: NDArray[np.bool_]
    title: Sequence[str]
    category: Sequence[str]
    text: Sequence[str]
    tags: Sequence[str]
    latitude: NDArray[np.floating]
    longitude: NDArray[np.floating]

    def __len__(self) -> int:
        return len(self.ids)
