"""The city's catalogue: items with titles and descriptions, users with what they told about themselves.

Never here: anything hidden (interests, favourites, popularity, who is a bot).
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.events.simulator import rules
from components.events.simulator.city import DISTRICT_NAMES, City, build_city
from components.events.simulator.draw import uniform
from components.events.simulator.frame import item_ids, user_ids
from components.events.simulator.people import build_people
from components.params import SimulationParams

AGES = ("18-24", "25-34", "35-49", "50-64", "65+")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ADJECTIVES = (
    "Blue", "Golden", "Quiet", "Little", "Grand", "Green", "Old", "New", "Red", "Silver", "Hidden", "Sunny",
    "Wild", "Northern", "Velvet", "Paper", "Copper", "Winter", "Bright", "Secret",
)  # fmt: skip
_NOUNS = (
    "Lantern", "Bridge", "Garden", "Fox", "Harbour", "Tower", "Swallow", "Canal", "Orchard", "Compass", "Mirror",
    "Chestnut", "Balloon", "Bicycle", "Window", "River", "Anchor", "Cloud", "Star", "Violin",
)  # fmt: skip
#: Per category: what it is called, and words that describe it (three are taken).
_WORDS = {
    "news": ("Journal", "morning politics local economy weather sport opinion interview"),
    "series": ("Saga", "drama crime comedy mystery family city night season"),
    "music": ("Session", "jazz piano electronic acoustic live playlist quartet vinyl"),
    "recipe": ("Recipe", "soup bread lentils dessert vegetables quick seasonal oven"),
    "course": ("Course", "language photography cooking history drawing coding beginners evening"),
    "electronics": ("Device", "wireless headphones speaker screen camera compact battery charger"),
    "fashion": ("Collection", "linen cotton wool jacket shoes scarf summer tailored"),
    "books": ("Book", "novel essay travel poetry biography paperback illustrated classic"),
    "cafe": ("Café", "espresso terrace croissant breakfast roastery cosy pastries laptop"),
    "bakery": ("Boulangerie", "baguette sourdough croissant tart brioche oven morning organic"),
    "restaurant": ("Bistro", "lunch dinner wine seasonal duck vegetarian terrace market"),
    "bar": ("Bar", "cocktails wine beer late music terrace natural tapas"),
    "gym": ("Gym", "climbing weights yoga pool cardio class sauna boxing"),
    "supermarket": ("Market Hall", "groceries organic cheese vegetables wine household bakery fresh"),
    "shop": ("Boutique", "gifts design ceramics vintage stationery plants records clothing"),
    "park": ("Park", "trees playground pond running picnic roses benches view"),
    "museum": ("Museum", "painting sculpture photography modern history exhibition garden guided"),
    "cinema": ("Cinema", "premiere classics documentary subtitled festival balcony matinee large"),
    "market": ("Street Market", "cheese flowers fish antiques vegetables honey weekend farmers"),
    "stage": ("Hall", "concert jazz orchestra theatre comedy dance festival chamber"),
}


def _titles(city: City, name: NDArray[np.int64]) -> list[str]:
    """Adjective, noun and kind; series number their episodes."""
    by_category = np.argsort(city.category, kind="stable")
    place = np.empty(city.n_items, np.int64)
    ordered = city.category[by_category]
    place[by_category] = np.arange(city.n_items) - np.searchsorted(ordered, ordered)
    online = city.kind == rules.ONLINE
    group = np.where(online, place // rules.SERIES_LENGTH, -1)
    shown = np.where(online, uniform(city.seed, "title/series", city.category, group) * name.max(), name).astype(int)
    titles = []
    for item in range(city.n_items):
        adjective, noun = divmod(int(shown[item]), len(_NOUNS))
        kind = _WORDS[rules.NAMES[city.category[item]]][0]
        part = f", part {place[item] % rules.SERIES_LENGTH + 1}" if online[item] else ""
        titles.append(f"{_ADJECTIVES[adjective % len(_ADJECTIVES)]} {_NOUNS[noun]} {kind}{part}")
    return titles


def _descriptions(city: City, chosen: NDArray[np.int64]) -> tuple[list[str], list[list[str]]]:
    """Texts and tags from three words of the category, the district and the closing day."""
    texts, tags = [], []
    for item in range(city.n_items):
        category = rules.NAMES[city.category[item]]
        words = _WORDS[category][1].split()
        three = [words[(chosen[item] + step) % len(words)] for step in (0, 3, 5)]
        text = f"{category.capitalize()}: {three[0]}, {three[1]} and {three[2]}."
        if city.kind[item] == rules.VENUE:
            text += f" In {DISTRICT_NAMES[city.district[item]]}."
        if city.closed_weekday[item] >= 0:
            text += f" Closed on {WEEKDAYS[city.closed_weekday[item]]}."
        texts.append(text)
        tags.append(three)
    return texts, tags


def catalogue(simulation: SimulationParams, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Items and users of the city.

    Returns
    -------
    items : item_id, category, title, text, latitude, longitude, price, tags
    users : user_id, home_region, age_band, worker, joined (date)
    """
    city = build_city(simulation, seed)
    item = np.arange(city.n_items)
    name = (uniform(seed, "title/name", item) * len(_ADJECTIVES) * len(_NOUNS)).astype(np.int64)
    texts, tags = _descriptions(city, (uniform(seed, "title/words", item) * 8).astype(np.int64))
    items = pl.DataFrame(
        {
            "item_id": item_ids(city.n_items),
            "category": pl.Series(rules.NAMES).gather(city.category),
            "title": _titles(city, name),
            "text": texts,
            "latitude": pl.Series(city.latitude, nan_to_null=True),
            "longitude": pl.Series(city.longitude, nan_to_null=True),
            "price": pl.Series(city.price, nan_to_null=True),
            "tags": pl.Series(tags, dtype=pl.List(pl.String)),
        }
    )
    people = build_people(city)
    users = pl.DataFrame(
        {
            "user_id": user_ids(people.id),
            "home_region": pl.Series(DISTRICT_NAMES).gather(people.home_district),
            "age_band": pl.Series(AGES).gather(people.age),
            "worker": people.worker,
            "joined": pl.select(pl.lit(simulation.start) + pl.duration(days=pl.lit(pl.Series(people.joined))))
            .to_series()
            .cast(pl.Date),
        }
    )
    return items, users
