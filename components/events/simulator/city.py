"""The city's items: where they are, what they cost, how popular they are, what habitually follows them.

Everything is a hash of the seed and the item, so it is the same for any range of days. Never here: people, days,
words (`catalogue`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.events.simulator import rules
from components.events.simulator.draw import flatten_rows, pick, uniform
from components.events.simulator.places import PlaceTable, zone_of
from components.params import SimulationParams

#: Districts: middle (degrees), share of venues and work places, share of homes.
DISTRICTS = (
    ("Centre", 48.860, 2.345, 0.34, 0.14),
    ("Opéra", 48.875, 2.330, 0.22, 0.12),
    ("Rive Gauche", 48.845, 2.335, 0.16, 0.17),
    ("Bastille", 48.853, 2.375, 0.14, 0.21),
    ("Défense", 48.890, 2.245, 0.09, 0.08),
    ("Belleville", 48.880, 2.400, 0.05, 0.28),
)
DISTRICT_NAMES = tuple(d[0] for d in DISTRICTS)


def normal(u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard normal numbers from two uniform ones (Box, Muller 1958)."""
    return np.asarray(np.sqrt(-2.0 * np.log1p(-u)) * np.cos(2.0 * np.pi * v))


def somewhere(
    seed: int, stream: str, ids: NDArray[np.integer], column: int, sigma: float
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """District, latitude and longitude of each id; `column` chooses whose shares of DISTRICTS hold."""
    share = flatten_rows(np.array([[float(d[column]) for d in DISTRICTS]]))
    district = pick(share, np.zeros(len(ids), np.int64), uniform(seed, stream + "/district", ids))
    x = normal(uniform(seed, stream + "/x1", ids), uniform(seed, stream + "/x2", ids))
    y = normal(uniform(seed, stream + "/y1", ids), uniform(seed, stream + "/y2", ids))
    lat = np.array([d[1] for d in DISTRICTS])[district] + sigma * y
    lon = np.array([d[2] for d in DISTRICTS])[district] + 1.5 * sigma * x
    edge = 1e-4
    return (
        district,
        np.clip(lat, rules.SOUTH + edge, rules.NORTH - edge),
        np.clip(lon, rules.WEST + edge, rules.EAST - edge),
    )


@dataclass(frozen=True)
class City:
    """I items.

    Attributes
    ----------
    simulation, seed : what it was made from
    category, kind : (I,) code of rules.CATEGORIES; rules.VENUE, ONLINE or PRODUCT
    funnel : (I,) row of rules.FUNNEL
    district, zone : (I,); zone rules.ZONES = online
    latitude, longitude : (I,) degrees, NaN = no place
    weight : (I,) popularity, mean 1
    launch : (I,) day number of the first day that it can be had (0 = the log's first day)
    closed_weekday : (I,) 0 = Monday; -1 = never
    price : (I,) euros, NaN = free
    successor : (I, 2) items that habitually follow, weights rules.SUCCESSOR_WEIGHT
    order : (I,) items sorted by (category, zone)
    table : P(item | category, zone) by popularity alone, launched or not
    """

    simulation: SimulationParams
    seed: int
    category: NDArray[np.int64]
    kind: NDArray[np.int64]
    funnel: NDArray[np.int64]
    district: NDArray[np.int64]
    zone: NDArray[np.int64]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    weight: NDArray[np.float64]
    launch: NDArray[np.int64]
    closed_weekday: NDArray[np.int64]
    price: NDArray[np.float64]
    successor: NDArray[np.int64]
    order: NDArray[np.int64]
    table: PlaceTable

    @property
    def n_items(self) -> int:
        return len(self.category)


def _price(seed: int, item: NDArray[np.int64], category: NDArray[np.int64]) -> NDArray[np.float64]:
    """Log-normal between the category's 10th and 90th percentile, in cents' precision."""
    low, high = (
        np.array([np.nan if c.price is None else c.price[i] for c in rules.CATEGORIES])[category] for i in (0, 1)
    )
    z = normal(uniform(seed, "item/price1", item), uniform(seed, "item/price2", item))
    middle, sigma = 0.5 * (np.log(low) + np.log(high)), (np.log(high) - np.log(low)) / (2 * 1.2816)
    return np.round(np.exp(middle + sigma * np.clip(z, -2.5, 2.5)), 2)


def _successors(
    seed: int, category: NDArray[np.int64], zone: NDArray[np.int64], order: NDArray[np.int64], table: PlaceTable
) -> NDArray[np.int64]:
    """(I, 2): the next episode or issue for what is online, else a near item of a companion category."""
    item = np.arange(len(category))
    found = np.empty((len(item), 2), np.int64)
    has = table.has()
    middle = rules.ZONES // 2 + rules.GRID // 2
    for way in range(2):
        wanted = rules.COMPANIONS[category, way]
        wanted = np.where(has[wanted], wanted, category)
        u, v = (uniform(seed, f"item/successor{way}{x}", item) for x in "uv")
        found[:, way] = table.draw(wanted, np.where(zone < rules.ZONES, zone, middle), u, v)
    by_category = np.argsort(category, kind="stable")
    place = np.empty_like(item)
    place[by_category] = item - np.searchsorted(category[by_category], category[by_category])
    following = np.empty_like(item)
    following[by_category] = np.roll(by_category, -1)
    episode = (rules.KIND[category] == rules.ONLINE) & (place % rules.SERIES_LENGTH < rules.SERIES_LENGTH - 1)
    episode &= category[following] == category
    found[:, 0] = np.where(episode, following, found[:, 0])
    another = np.empty_like(item)
    another[order] = np.roll(order, -1)
    return np.where(found == item[:, None], another[:, None], found)


def build_city(simulation: SimulationParams, seed: int) -> City:
    """The items of the city of this seed; O(items)."""
    item = np.arange(simulation.items)
    share = flatten_rows(rules.SHARE[None, :] / rules.SHARE.sum())
    category = pick(share, np.zeros(len(item), np.int64), uniform(seed, "item/category", item))
    category[0] = 0
    kind = rules.KIND[category]
    district, lat, lon = somewhere(seed, "item", item, 3, 0.012)
    lat, lon = (np.where(kind == rules.VENUE, x, np.nan) for x in (lat, lon))
    zone = zone_of(lat, lon)
    z = normal(uniform(seed, "item/weight1", item), uniform(seed, "item/weight2", item))
    weight = np.exp(rules.POPULARITY_SIGMA * z)
    late = uniform(seed, "item/late", item) < rules.LATE_SHARE
    launch = np.where(late, (uniform(seed, "item/launch", item) * rules.LATE_DAYS).astype(np.int64), -1000)
    paid = rules.PAID[category]
    closes = paid & (uniform(seed, "item/closes", item) < rules.MONDAY_CLOSED)
    weekday = (uniform(seed, "item/closed", item) * 4).astype(np.int64)
    launch[0], weight[0] = -1000, 1.0
    order = np.lexsort((item, zone, category))
    weight /= weight.mean()
    table = PlaceTable(category, zone, weight, order)
    return City(
        simulation=simulation,
        seed=seed,
        category=category,
        kind=kind,
        funnel=np.where(paid & (kind == rules.VENUE), 3, kind),
        district=district,
        zone=zone,
        latitude=lat,
        longitude=lon,
        weight=weight,
        launch=launch,
        closed_weekday=np.where(closes, weekday, -1),
        price=_price(seed, item, category),
        successor=_successors(seed, category, zone, order, table),
        order=order,
        table=table,
    )
