"""The rules of the simulated city: its clock, its categories and the chances that move its people.

These constants define the generator, as a formula defines a function; what a user of Chronotope may turn is in
`params.simulation`. The generator, the oracle and the observer all read them here, so the truth is stated once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TIMEZONE = "Europe/Paris"
COUNTRY = "FR"
SOUTH, NORTH, WEST, EAST = 48.80, 48.92, 2.22, 2.46  # degrees; within params.validation.region
GRID = 8  # zones per side; zone ZONES stands for "online"
ZONES = GRID * GRID
REACH_KM = 1.6  # how far people go: the weight of a place falls by e over this distance
SOCIAL_REACH_KM = 4.0
KM_PER_DEGREE = 111.195

#: Local hours that cut the day into slots; nothing human happens before the first or after the last. A user has at
#: most one session a slot and a session never outlives its slot, so a time alone tells which session it is in.
SLOT_EDGES_H = (6.0, 10.0, 12.0, 14.0, 18.0, 21.0, 24.0)
SLOTS = 6
#: Sessions by slot on a working day and on a free one (weekend or public holiday), relative.
SLOT_RATE = np.array([[1.0, 0.5, 1.1, 0.8, 1.4, 1.2], [0.6, 1.0, 0.9, 1.3, 1.3, 1.3]])

ACTIONS = ("view", "like", "cart", "purchase", "checkin")
VIEW, LIKE, CART, PURCHASE, CHECKIN = range(5)
VENUE, ONLINE, PRODUCT = range(3)  # kinds of items
MOVE = 5  # the column of FUNNEL for "goes on to another item"


@dataclass(frozen=True)
class Category:
    """What one kind of item is: its share of the catalogue, when people want it, what follows it, its prices."""

    name: str
    kind: int
    share: float
    working: tuple[float, ...]  # appetite by slot; 0 = closed
    free: tuple[float, ...]
    companions: tuple[str, ...]  # categories that habitually follow
    price: tuple[float, float] | None  # euros, 10th and 90th percentile
    paid: bool = False  # whether a visit may end in a purchase


def _c(
    name: str, kind: int, share: float, working: str, free: str, companions: str,
    price: tuple[float, float] | None = None, paid: bool = False,
) -> Category:  # fmt: skip
    numbers = [tuple(float(x) for x in row.split()) for row in (working, free)]
    return Category(name, kind, share, numbers[0], numbers[1], tuple(companions.split()), price, paid)


#: The first category is open at any time, so that there is always something to do.
CATEGORIES = (
    _c("news", ONLINE, 0.10, "4 1 1 .7 .8 .6", "3 1 .6 .5 .6 .5", "news music"),
    _c("series", ONLINE, 0.10, ".1 .1 .4 .2 1.6 5", ".2 .4 .3 1.2 2 5", "series"),
    _c("music", ONLINE, 0.08, "2 1 .5 1 .8 1", "1 1 .5 1 .8 1.2", "music news"),
    _c("recipe", ONLINE, 0.05, ".1 .3 .2 .8 2 .1", ".2 1 .5 .8 2 .1", "supermarket recipe"),
    _c("course", ONLINE, 0.04, ".3 .5 .4 .3 1 1.2", ".2 .5 .2 .8 .6 .6", "course"),
    _c("electronics", PRODUCT, 0.07, ".2 .4 .8 .6 1 1", ".2 .6 .5 1 .8 1", "electronics", (20, 600)),
    _c("fashion", PRODUCT, 0.08, ".2 .4 .9 .6 1 1", ".2 .8 .5 1.2 .8 1", "fashion shop", (12, 120)),
    _c("books", PRODUCT, 0.06, ".3 .3 .6 .5 .9 1", ".4 .6 .5 1 .7 1", "books", (6, 30)),
    _c("cafe", VENUE, 0.09, "3 2 2 1.5 .3 0", "2 3 2 2 .3 0", "bakery shop news", (3, 12), True),
    _c("bakery", VENUE, 0.04, "3 1 2 .5 1 0", "4 3 1 .5 .3 0", "cafe park", (2, 9), True),
    _c("restaurant", VENUE, 0.09, "0 0 4 0 3 1", "0 0 4 0 4 1", "bar cafe", (12, 60), True),
    _c("bar", VENUE, 0.05, "0 0 0 0 2 3", "0 0 0 .5 3 4", "restaurant bar", (6, 30), True),
    _c("gym", VENUE, 0.03, "2 .5 1.2 .5 2.5 0", "1 2 .5 1 .5 0", "cafe supermarket"),
    _c("supermarket", VENUE, 0.04, ".3 .3 .6 .5 2.5 0", ".5 2 .4 1.5 1 0", "recipe bakery", (8, 90), True),
    _c("shop", VENUE, 0.04, "0 .5 1 1 1 0", "0 2 1 3 .5 0", "cafe fashion", (10, 80), True),
    _c("park", VENUE, 0.03, ".5 .3 .8 .5 .8 0", "1 2 1.5 3 .5 0", "cafe bakery"),
    _c("museum", VENUE, 0.02, "0 .3 .2 .5 0 0", "0 2 1 3 0 0", "cafe park", (8, 18), True),
    _c("cinema", VENUE, 0.02, "0 0 0 .3 2 1.5", "0 0 .2 2 3 2", "bar restaurant", (8, 15), True),
    _c("market", VENUE, 0.02, "0 0 0 0 0 0", "0 2 .5 0 0 0", "bakery cafe", (5, 35), True),
    _c("stage", VENUE, 0.02, "0 0 0 0 .5 .8", "0 0 0 0 .8 1", "bar music", (15, 70), True),
)  # fmt: skip
NAMES = tuple(c.name for c in CATEGORIES)
KIND = np.array([c.kind for c in CATEGORIES])
SHARE = np.array([c.share for c in CATEGORIES])
APPETITE = np.array([[c.working for c in CATEGORIES], [c.free for c in CATEGORIES]])  # (daytype, category, slot)
PAID = np.array([c.paid for c in CATEGORIES])
COMPANIONS = np.array([[NAMES.index((c.companions * 2)[i]) for i in range(2)] for c in CATEGORIES])  # (C, 2)

#: FUNNEL[kind of item, action just done]: chance of each action on the same item next, last column: of moving on.
#: kinds: venue, online, product, paid venue.
FUNNEL = np.zeros((4, 5, 6))
FUNNEL[..., MOVE] = 1.0
for _kind, _after, _chances in (
    (0, VIEW, {CHECKIN: 0.45, LIKE: 0.05}), (0, CHECKIN, {LIKE: 0.12}),
    (1, VIEW, {LIKE: 0.15}),
    (2, VIEW, {LIKE: 0.12, CART: 0.20}), (2, LIKE, {CART: 0.25}), (2, CART, {PURCHASE: 0.55}),
    (3, VIEW, {CHECKIN: 0.45, LIKE: 0.05}), (3, CHECKIN, {PURCHASE: 0.25, LIKE: 0.08}),
):  # fmt: skip
    for _action, _chance in _chances.items():
        FUNNEL[_kind, _after, _action] = _chance
    FUNNEL[_kind, _after, MOVE] = 1.0 - sum(_chances.values())
#: First action on an item that one moves to, by kind: chance that a venue is visited rather than looked up.
VISIT = 0.7
#: Chance that a session goes on after each action, and dwell (median seconds, deviation of its logarithm).
CONTINUE = np.array([0.66, 0.62, 0.85, 0.50, 0.70])
DWELL_S = np.array([[75.0, 20.0, 40.0, 60.0, 1500.0], [150.0, 20.0, 40.0, 60.0, 60.0], [60.0, 20.0, 40.0, 60.0, 60.0]])
DWELL_SIGMA = 0.7
MIN_DWELL_S = 2.0
MEAN_SESSION = 2.7  # events; measured (a test holds it), scales sessions to params.simulation.events_per_user_day

#: A user's interests: BASE_INTERESTS from the start, the rest open one by one (params.simulation.widening).
INTEREST_WEIGHT = np.array([1.0, 0.7, 0.5, 0.6, 0.5, 0.4])
BASE_INTERESTS = 3
OPEN_MIND = 0.15  # share of exploration that ignores interests

#: Roles of the favourites: appetite by slot on working and free days, categories, and where they lie.
ROLES = ("morning", "lunch", "errand", "evening", "night", "weekend")
ROLE_WEIGHT = np.array(
    [
        [[5, 1, 0, 0, 0, 0], [2, 0.5, 0, 0, 0, 0]],
        [[0, 0.5, 6, 0.5, 0, 0], [0, 0, 1, 0, 0, 0]],
        [[0, 1, 0, 3, 2, 0], [0, 1, 0, 1, 0, 0]],
        [[0, 0, 0, 0.5, 5, 1], [0, 0, 0, 0.5, 3, 1]],
        [[0.5, 0, 0, 0, 0.5, 6], [0.3, 0, 0, 0.3, 0.5, 5]],
        [[0, 0, 0, 0, 0, 0], [2, 4, 3, 5, 1, 0]],
    ],
    dtype=float,
)  # (role, daytype, slot)
ROLE_CATEGORIES = tuple(
    tuple(NAMES.index(n) for n in names.split())
    for names in (
        "cafe bakery news music gym park",
        "restaurant cafe bakery supermarket",
        "supermarket shop gym electronics fashion books",
        "restaurant bar gym cinema supermarket recipe",
        "series music course bar books series",
        "market park museum shop cafe cinema",
    )
)
ROLE_AT_WORK = np.array([False, True, True, False, False, False])

#: What decides the next item. At a session's start: favourite, social event, exploration; on a move: companion of
#: the favourite just visited, habitual successor of the item, favourite, exploration. What is closed, not yet
#: launched or not to be had drops out, and the rest is scaled to sum to 1.
LOYALTY = (0.35, 0.85)  # range over users of the favourites' weight at a session's start
SOCIAL = 0.5  # weight of a social event next door
MOVE_COMPANION, MOVE_FOLLOW, MOVE_FAVOURITE, MOVE_EXPLORE = 0.45, 0.38, 0.15, 0.30
SUCCESSOR_WEIGHT = np.array([0.75, 0.25])

#: Items: spread of popularity, share launched after the start, days over which they come, novelty.
POPULARITY_SIGMA = 1.1
LATE_SHARE, LATE_DAYS = 0.25, 120
NOVELTY, NOVELTY_DAYS = 2.0, 7.0
SERIES_LENGTH = 8
MONDAY_CLOSED = 0.15  # share of paid venues that close on one day of the week

#: Users: share who joined before the start, days over which the others come; life cycles.
FOUNDERS, JOIN_DAYS = 0.7, 120
CYCLE_DAYS = (50, 140)
CHURNS, PAUSES = 0.12, 0.55  # chance that a cycle (not the first) is wholly churned; below PAUSES it ends dormant
STATES = ("unborn", "new", "active", "dormant", "churned", "returning")
UNBORN, NEW, ACTIVE, DORMANT, CHURNED, RETURNING = range(6)
NEW_DAYS = 7
STATE_RATE = np.array([0.0, 1.6, 1.0, 0.04, 0.0, 1.3])

#: Bots read the catalogue in order: BOT_EVENTS views, BOT_PERIOD_S apart, one day in BOT_EVERY.
BOT_EVENTS, BOT_PERIOD_S, BOT_EVERY = 220, 20, 28
DIRT = ("latitude", "no_action", "unknown_action", "future", "negative_duration", "no_user", "no_item", "half_place")
