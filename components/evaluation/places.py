"""Where the next event is: judged by the cell that was named, by the distance from its centre, and by the distance
from the point that the ranked items are expected at.

A predictor without a head for places is judged by the places of the items it ranks. Centres and the cell of an
item are those of the training events. Nothing here ranks items.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from components.evaluation.protocol import Targets, finest_cell
from components.features.encoding import UNKNOWN
from components.features.place import expected_place, haversine_km
from components.features.store import WINDOWS, Store
from components.predictor import Scores


@dataclass(frozen=True)
class Places:
    """What the training window knows about cells.

    Attributes
    ----------
    latitude, longitude : (cells,) mean of the training events in each cell code, degrees; NaN = none there
    item_cell : (V, cells) sparse share of each item's training events by cell; rows sum to 1 or 0
    items : (V,) latitude and longitude of the catalogue, degrees; NaN = no place
    """

    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    item_cell: sparse.csr_array
    items: tuple[NDArray[np.floating], NDArray[np.floating]]

    @classmethod
    def of(cls, store: Store) -> Places:
        """Centres and items' cells of the store's training events."""
        name = finest_cell(store)
        items = store.encoding.catalogue.latitude, store.encoding.catalogue.longitude
        if name is None:
            return cls(np.empty(0), np.empty(0), sparse.csr_array((store.encoding.n_items, 0)), items)
        size = len(store.encoding.vocabularies[name])
        training = np.asarray(store["window"]) == WINDOWS["train"]
        cell = np.asarray(store[name])[training]
        item = np.asarray(store["item"])[training]
        latitude, longitude = (np.asarray(store[axis], np.float64)[training] for axis in ("latitude", "longitude"))
        there = (cell > UNKNOWN) & ~np.isnan(latitude) & ~np.isnan(longitude)
        count = np.bincount(cell[there], minlength=size)
        centre = [
            np.where(
                count > 0,
                np.bincount(cell[there], weights=axis[there], minlength=size) / np.maximum(count, 1),
                np.nan,
            )
            for axis in (latitude, longitude)
        ]
        pairs = sparse.coo_array(
            (np.ones(int(there.sum())), (item[there], cell[there])), shape=(store.encoding.n_items, size)
        ).tocsr()
        total = np.asarray(pairs.sum(axis=1)).ravel()
        share = sparse.csr_array(sparse.diags_array(1 / np.maximum(total, 1)) @ pairs)
        return cls(centre[0], centre[1], share, items)

    def judge(self, scores: Scores, targets: Targets) -> dict[str, NDArray[np.float32]]:
        """Probability and rank of the true cell, and distances from the centre of the likeliest and the expected point.

        Returns
        -------
        dict
            `cell_p`, `cell_rank`, `error_km`, `expected_km`, each (B,) float32; NaN where the answer has no place.
            An answer in a cell that training never saw is a miss: rank infinite.
        """
        item = np.exp(np.asarray(scores.item, np.float64))
        chance = np.asarray(item @ self.item_cell if scores.place is None else scores.place, np.float64)
        real, cell = chance[:, UNKNOWN + 1 :], targets.cell
        if real.shape[1] == 0:
            return {}
        index = np.maximum(cell - UNKNOWN - 1, 0)
        own = real[np.arange(len(real)), index]
        # 1 + greater + half of the ties, as for items; NaN counts as greater
        rank = real.shape[1] + 0.5 * (1 - (real <= own[:, None]).sum(axis=1) - (real < own[:, None]).sum(axis=1))
        best = np.argmax(np.nan_to_num(real, nan=-1.0), axis=1) + UNKNOWN + 1
        there = [degrees.astype(np.float64) for degrees in (targets.latitude, targets.longitude)]
        error = haversine_km(self.latitude[best], self.longitude[best], *there)
        expected = haversine_km(*expected_place(item, *self.items), *there)
        somewhere = cell > 0
        known = cell > UNKNOWN
        return {
            "cell_p": np.where(known, own, np.where(somewhere, 0.0, np.nan)).astype(np.float32),
            "cell_rank": np.where(known, rank, np.where(somewhere, np.inf, np.nan)).astype(np.float32),
            "error_km": error.astype(np.float32),
            "expected_km": expected.astype(np.float32),
        }
