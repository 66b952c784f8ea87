"""Items as vectors: the history's decayed mean against every item, and how closeness becomes weight.

weight(v) = popularity(v)^popularity × exp(cosine(query, v) / temperature). Never here: where vectors come from.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from components.baselines.items import ItemBaseline, ItemOptions
from components.baselines.sparse import steps_back
from components.memory.ask import Ask, Floats


class VectorOptions(ItemOptions):
    """Options of every baseline with vectors.

    Attributes
    ----------
    decay : weight of an event of the history per step back
    temperature : of the cosine
    popularity : power of the item's popularity; 0 = similarity alone
    """

    decay: float = Field(gt=0, le=1)
    temperature: float = Field(gt=0)
    popularity: float = Field(ge=0)


V = TypeVar("V", bound=VectorOptions)


class VectorBaseline(ItemBaseline[V]):
    """A baseline that compares vectors of items."""

    def weight_of(self, cosine: NDArray[np.floating]) -> NDArray[np.float32]:
        """(B, V) weights of cosines; each row is scaled so that its largest is 1."""
        bias = np.log(np.maximum(self.popularity, 1e-30)) * self.options.popularity
        logit = (np.asarray(cosine, np.float64) / self.options.temperature + bias)[:, 2:]
        weight = np.zeros(np.shape(cosine), np.float32)
        weight[:, 2:] = np.exp(logit - logit.max(axis=1, keepdims=True))
        return weight

    def decayed(self, ask: Ask) -> Floats:
        """(m,) decay^steps of the known events."""
        return np.asarray(np.power(self.options.decay, steps_back(ask)), np.float64)
