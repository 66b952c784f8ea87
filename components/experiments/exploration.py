"""A little chance in the first place of a list, with its exact probabilities: what off-policy estimates live on.

With a stated chance the first place goes to an item drawn evenly from the list, the others keep their order. A list
that is always the same says nothing of any other. Never here: which list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def explored(items: Sequence[T], chance: float, seed: str) -> tuple[list[T], list[float]]:
    """A list as it is shown, and how likely each of its items was to be shown where it is.

    Parameters
    ----------
    items : best first
    chance : that the first place is drawn evenly from all of them
    seed : decides the draw; any string that differs from list to list

    Returns
    -------
    The items, one of them moved to the front; (k,) probabilities that such an item is in such a place.
    """
    k = len(items)
    if not chance or k < 2:
        return list(items), [1.0] * k
    digest = hashlib.blake2b(seed.encode(), digest_size=16).digest()
    lucky, which = (int.from_bytes(part) / 2.0**64 for part in (digest[:8], digest[8:]))
    drawn = int(which * k) if lucky < chance else 0
    order = [drawn, *(place for place in range(k) if place != drawn)]
    return [items[place] for place in order], [_probability(rank, place, k, chance) for place, rank in enumerate(order)]


def _probability(rank: int, place: int, k: int, chance: float) -> float:
    """Of the item of a rank (0 = best) to be in a place: drawn to the front, left alone, or pushed back by one."""
    if place == 0:
        return chance / k + (1.0 - chance if rank == 0 else 0.0)
    if place == rank:  # something before it, or the first itself, was drawn
        return 1.0 - chance + chance * rank / k
    return chance * (k - 1 - rank) / k  # something behind it was drawn
