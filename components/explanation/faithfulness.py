"""Whether reasons are reasons: take events away in the order of their effect, and the item must fall fast.

Deletion starts from the whole history and takes the most important events first; insertion starts from none and brings
them first. A method is faithful as far as its curves leave those of a random order behind. Nothing here makes reasons.

Reference: Petsiuk, Das, Saenko (2018), RISE: Randomized input sampling for explanation of black-box models, §3.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.explanation.occlusion import asked_without, log_probability
from components.predictor import Predictor, Queries

#: Shares of the events that are gone (or there) at each point of a curve.
LEVELS: NDArray[np.float64] = np.linspace(0.0, 1.0, 11)


@dataclass(frozen=True)
class Curves:
    """Log-probability of one item along the two paths, in nats.

    Attributes
    ----------
    deletion : (L,) with the first LEVELS of the order gone
    insertion : (L,) with only the first LEVELS of the order there
    """

    deletion: NDArray[np.float64]
    insertion: NDArray[np.float64]


def curves(
    predictor: Predictor, query: Queries, item: int, orders: Mapping[str, Sequence[NDArray[np.integer]]]
) -> dict[str, Curves]:
    """The curves of several orders, asked in one batch.

    Parameters
    ----------
    predictor : whose answer is explained
    query : one question (B = 1) with n ≥ 1 visible events
    item : code of the item
    orders : name → orders, each a permutation (n,) of the events, most important first; of several the mean is taken

    Returns
    -------
    dict
        name → Curves
    """
    n = int(query.stop[0] - query.start[0])
    taken = np.rint(LEVELS * n).astype(np.int64)  # (L,) events
    masks = []
    for order in (order for several in orders.values() for order in several):
        place = np.empty(n, np.int64)
        place[order] = np.arange(n)
        first = place[None] < taken[:, None]  # (L, n) the events that come first
        masks += [~first, first]
    keep, back = np.unique(np.concatenate(masks), axis=0, return_inverse=True)
    value = log_probability(predictor, asked_without(query, keep), np.array([item]))[:, 0][back.ravel()]
    value = value.reshape(-1, 2, len(LEVELS))  # (orders, deletion and insertion, L)
    found, done = {}, 0
    for name, several in orders.items():
        mean = value[done : done + len(several)].mean(axis=0)
        found[name] = Curves(mean[0], mean[1])
        done += len(several)
    return found


def gain(method: Curves, random: Curves) -> tuple[float, float]:
    """Area between a method and a random order: (deletion, insertion), nats; above 0: the method is faithful.

    The mean over LEVELS: how much lower the item lies while the method deletes, and how much higher while it inserts.

    Examples
    --------
    >>> flat = Curves(np.zeros(11), np.zeros(11))
    >>> gain(Curves(flat.deletion - 1, flat.insertion + 2), flat)
    (1.0, 2.0)
    """
    return float(np.mean(random.deletion - method.deletion)), float(np.mean(method.insertion - random.insertion))
