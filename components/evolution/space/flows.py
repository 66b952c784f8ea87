"""Flows: how many steps lead from each cell to each other, the origin–destination matrix.

A step is two events of one user in a row, no farther apart in time than a limit. Never here: routes between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from components.evolution.log import Log


@dataclass(frozen=True)
class Flows:
    """Steps between C cells.

    Attributes
    ----------
    cells : (C,) H3 cells
    origin, destination : (F,) indices into `cells`, of pairs with any step; a step that stays is one too
    steps : (F,) how often
    users : (F,) by how many users
    """

    cells: NDArray[np.uint64]
    origin: NDArray[np.int64]
    destination: NDArray[np.int64]
    steps: NDArray[np.int64]
    users: NDArray[np.int64]

    def matrix(self) -> sparse.csr_array:
        """(C, C) steps from the row to the column."""
        n = len(self.cells)
        return sparse.csr_array((self.steps, (self.origin, self.destination)), shape=(n, n))

    def shown(self, least_users: int) -> Flows:
        """Flows of at least so many users, so that nobody's way can be read from them."""
        kept = self.users >= least_users
        columns = (getattr(self, name)[kept] for name in ("origin", "destination", "steps", "users"))
        return Flows(self.cells, *columns)


def flows(log: Log, resolution: int, within_s: int) -> Flows:
    """Count steps between cells.

    Parameters
    ----------
    log : Log
    resolution : H3 resolution, 0..15
    within_s : longest time between two events of a step, s

    Returns
    -------
    Flows
        Ascending by origin and destination. Events without a place are passed over: a step leads from one located
        event to the next.
    """
    cells, index = log.cells(resolution)
    row = np.flatnonzero(index >= 0)
    user, time_s, place = log.user[row], log.time_s[row], index[row]
    step = (user[1:] == user[:-1]) & (time_s[1:] - time_s[:-1] <= within_s)
    n = max(len(cells), 1)
    pair = place[:-1][step] * n + place[1:][step]
    walker = pair * max(log.n_users, 1) + user[1:][step]
    found, steps = np.unique(pair, return_counts=True)
    _, users = np.unique(np.unique(walker) // max(log.n_users, 1), return_counts=True)
    return Flows(cells, found // n, found % n, steps, users)
