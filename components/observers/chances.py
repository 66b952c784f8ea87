"""The probabilities that the generator's choices imply, as arrays over all items.

The same weights (`choice`, `rules`, `PlaceTable`) that `sessions` draws from, summed instead of drawn. Exact given
what is passed in; whoever passes beliefs instead of hidden state gets their mean. Never here: where the state or the
beliefs come from.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from components.events.simulator import rules
from components.events.simulator.city import City
from components.events.simulator.day import Day

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


def category_chance(day: Day, slot: Whole, category: Whole, weight: Floats) -> Floats:
    """(n, C) category of an exploration; `category`, `weight` (n, K): what draws there (day's appetite included)."""
    n, c = len(slot), len(rules.CATEGORIES)
    total = weight.sum(axis=1, keepdims=True)
    flat = (np.arange(n)[:, None] * c + category).ravel()
    drawn = np.bincount(flat, weight.ravel(), minlength=n * c).reshape(n, c)
    base = (day.appetite * rules.SHARE)[slot]
    base = base / base.sum(axis=1, keepdims=True)
    mixed = rules.OPEN_MIND * base + (1 - rules.OPEN_MIND) * drawn / np.where(total > 0, total, 1.0)
    return np.where(total > 0, mixed, base)


def scatter(n_items: int, item: Whole, weight: Floats) -> Floats:
    """(n, I) where row r holds weight[r, j] at item[r, j] (added up); `item`, `weight` (n, J)."""
    n = len(item)
    flat = (np.arange(n)[:, None] * n_items + item).ravel()
    return np.bincount(flat, weight.ravel(), minlength=n * n_items).reshape(n, n_items).astype(np.float64)


def share(weight: Floats) -> Floats:
    """Rows scaled to sum to 1; rows of zeros stay."""
    total = weight.sum(axis=1, keepdims=True)
    return np.asarray(weight / np.where(total > 0, total, 1.0))


def successors(city: City, day: Day, slot: Whole, item: Whole) -> Floats:
    """(n, 2) weights of the two habitual successors of each item; 0 for what cannot be had."""
    return np.asarray(rules.SUCCESSOR_WEIGHT * day.open[slot[:, None], city.successor[item]])


def stays(city: City, item: Whole, action: Whole) -> Floats:
    """(n, 5) chance that each action on the same item is next, given that the session goes on."""
    return rules.FUNNEL[city.funnel[item], action][:, : rules.MOVE]


def first_actions(city: City, moved: Floats) -> Floats:
    """(n, 5) chance of each first action on the items that one comes to with chances `moved` (n, I)."""
    visit = moved[:, city.kind == rules.VENUE].sum(axis=1) * rules.VISIT
    found = np.zeros((len(moved), len(rules.ACTIONS)))
    found[:, rules.CHECKIN], found[:, rules.VIEW] = visit, moved.sum(axis=1) - visit
    return found


def goes_on(city: City, item: Whole, action: Whole, left_s: Floats) -> Floats:
    """(n,) chance that a session goes on, asked right after its last event, `left_s` before its slot ends."""
    z = np.log(np.maximum(left_s - rules.MIN_DWELL_S, 1e-3) / rules.DWELL_S[city.kind[item], action])
    return np.asarray(rules.CONTINUE[action] * ndtr(z / rules.DWELL_SIGMA))
