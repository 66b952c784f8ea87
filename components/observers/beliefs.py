"""What a log tells about people, to somebody who knows how they are made.

For each question, from the visible history alone: where home and work are, which categories somebody explores,
which item is the favourite of each role, and what follows a favourite. Never here: the day that is asked about.

Approximations, all of the posterior, none of the generator: the parts are inferred one after another rather than
jointly (favourites in ROUNDS rounds, each explaining away the others); interests are a Dirichlet mean instead of a
sum over sets of slots; what may have been replaced since an event is discounted by the chance that it was.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.events.simulator import rules
from components.events.simulator.city import DISTRICTS, City
from components.events.simulator.places import zone_centres, zone_of
from components.observers import chances
from components.observers.chances import Floats, Whole

MAX_EVENTS = 250  # of a history that are read
ROUNDS = 2
INTEREST_PRIOR = 2.0  # weight of "any category", in explorations
_ROLES = len(rules.ROLES)


@dataclass(frozen=True)
class Past:
    """Histories of n people, L events each at most, newest last; arrays are (n, L).

    Attributes
    ----------
    real : whether there is an event of a known item
    item, before : item, and the one before it in the session (-1 = the session's start)
    slot, free : slot and kind of day
    chosen : whether the item was newly chosen (not the next action on the same item)
    age : days before the question
    zone : zone where the person said to be, -1 = said nothing, or at the venue itself
    """

    real: NDArray[np.bool_]
    item: Whole
    before: Whole
    slot: Whole
    free: NDArray[np.bool_]
    chosen: NDArray[np.bool_]
    age: Floats
    zone: Whole


@dataclass(frozen=True)
class Beliefs:
    """What is believed about n people.

    Attributes
    ----------
    home, work : (n, ZONES) chance that they start there, at home or in working hours
    interest : (n, C) appetite-free weight of each category, prior included
    favourite : (n, roles, I) chance that an item is the favourite of a role
    follows : (n, I) evidence (likelihood ratio) that an item is the companion of the last visited one
    loyalty : (n,) expected weight of favourites
    """

    home: Floats
    work: Floats
    interest: Floats
    favourite: Floats
    follows: Floats
    loyalty: Floats

    def part(self, rows: NDArray) -> Beliefs:
        """The beliefs about some of the people."""
        return Beliefs(**{f.name: getattr(self, f.name)[rows] for f in dataclasses.fields(self)})


class Reader:
    """Reads histories of one city."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.chance = city.table.chance()  # (Z, I) P(item | its category, zone)
        self.home_prior, self.work_prior = _prior(4, 0.010), _prior(3, 0.007)
        self.popular = self.chance.mean(axis=0)
        self.keep = city.simulation.drift / 30.0  # share replaced in a day
        options = np.zeros((_ROLES, len(rules.CATEGORIES)))
        for role, categories in enumerate(rules.ROLE_CATEGORIES):
            np.add.at(options[role], list(categories), 1.0 / len(categories))
        self.role_category = options
        weight = rules.ROLE_WEIGHT  # (role, daytype, slot)
        self.role_share = weight / np.maximum(weight.sum(axis=0), 1e-9)

    def read(self, past: Past, last: Whole) -> Beliefs:
        """Beliefs from histories; `last` (n,) is the item that a companion may follow, -1 = none."""
        times = _times_seen(past, self.city.n_items)
        home, work = self._zones(past, times)
        interest = self._interests(past, times)
        favourite, loyalty = self._favourites(past, home, work, interest)
        return Beliefs(home, work, interest, favourite, self._follows(past, last), loyalty)

    def _zones(self, past: Past, times: Floats) -> tuple[Floats, Floats]:
        """Posterior of home and of the place in working hours, from venues visited and places told."""
        at_work = (past.slot >= 1) & (past.slot <= 3) & ~past.free
        ratio = 0.65 * self.chance / np.maximum(self.popular, 1e-12) + 0.35
        venue = self.city.kind[past.item] == rules.VENUE
        weight = np.where(past.real & past.chosen & venue, 1.0 / times, 0.0)
        log_ratio = np.log(ratio).T  # (I, Z)
        found: list[Floats] = []
        for here, prior in ((~at_work, self.home_prior), (at_work, self.work_prior)):
            told = here & (past.zone >= 0)
            log = np.log(prior) + np.einsum("nl,nlz->nz", weight * here, log_ratio[past.item])
            found.append(log + 3.0 * chances.scatter(rules.ZONES, np.maximum(past.zone, 0), told.astype(np.float64)))
        home = _softmax(found[0])
        # those who do not work spend working hours at home
        mixed = 0.75 * self.work_prior + 0.25 * home
        return home, _softmax(found[1] - np.log(self.work_prior) + np.log(mixed))

    def _interests(self, past: Past, times: Floats) -> Floats:
        """(n, C) prior plus discounted explorations; an item seen often was a favourite rather than explored."""
        appetite = rules.APPETITE[past.free.astype(int), :, past.slot]  # (n, L, C)
        category = self.city.category[past.item]
        base = np.take_along_axis(appetite, category[..., None], axis=2)[..., 0]
        still = np.maximum(1.0 - past.age * self.keep, 0.0)
        weight = np.where(past.real & past.chosen, still / times**1.5, 0.0)
        weight *= appetite.mean(axis=2) / np.maximum(base, 0.05)
        return INTEREST_PRIOR / len(rules.CATEGORIES) + chances.scatter(len(rules.CATEGORIES), category, weight)

    def _favourites(self, past: Past, home: Floats, work: Floats, interest: Floats) -> tuple[Floats, Floats]:
        """Posterior of the favourite of each role, and loyalty.

        Given that item i is the favourite, an event of item i is (1 + a / b) times as likely, a the chance that the
        favourite of the role is chosen there and b the chance that i is chosen for any other reason.
        """
        n, items = len(past.item), self.city.n_items
        near_home, near_work = home @ self.chance, work @ self.chance
        category = chances.share(interest)
        elsewhere = np.take_along_axis(category, self.city.category[past.item], axis=1)
        elsewhere = elsewhere * np.take_along_axis(near_home + near_work, past.item, axis=1) * 0.5
        after = self.city.successor[np.maximum(past.before, 0)] == past.item[..., None]
        follow = np.where(past.before >= 0, (after * rules.SUCCESSOR_WEIGHT).sum(axis=2), 0.0)
        start = past.before < 0
        loyalty = np.full(n, 0.5 * sum(rules.LOYALTY))
        pulled = np.where(start, loyalty[:, None], 0.15)
        other = np.where(start, 1.0 - pulled, 0.35) * elsewhere + np.where(start, 0.0, 0.4 * follow) + 1e-5
        still = np.maximum(1.0 - past.age * self.keep, 0.0) * (past.real & past.chosen)
        share = self.role_share[:, past.free.astype(int), past.slot]  # (roles, n, L)
        place = np.where(rules.ROLE_AT_WORK[:, None, None], near_work[None], near_home[None])
        prior = self.role_category[:, None, self.city.category] * place  # (roles, n, I)
        prior = prior / np.maximum(prior.sum(axis=2, keepdims=True), 1e-300)
        log_prior = np.log(np.maximum(prior, 1e-12))
        held = np.zeros((_ROLES, n, past.item.shape[1]))
        post = prior
        for _ in range(ROUNDS):
            explained = (pulled * share * held).sum(axis=0)
            new = np.empty_like(post)
            for role in range(_ROLES):
                base = other + explained - pulled * share[role] * held[role]
                evidence = np.log1p(pulled * share[role] * still / base)
                new[role] = _softmax(log_prior[role] + chances.scatter(items, past.item, evidence))
            post = new
            held = np.stack([np.take_along_axis(post[role], past.item, axis=1) for role in range(_ROLES)])
        mine = (pulled * share * held).sum(axis=0)
        begun = past.real & past.chosen & start
        by_favourite = (begun * mine / (mine + other)).sum(axis=1)
        low, high = rules.LOYALTY
        loyalty = np.clip((by_favourite + 4.0 * 0.5 * (low + high)) / (begun.sum(axis=1) + 4.0), low, high)
        return post.transpose(1, 0, 2), loyalty

    def _follows(self, past: Past, last: Whole) -> Floats:
        """(n, I) discounted number of times that each item was chosen right after `last`."""
        here = past.real & past.chosen & (past.before >= 0) & (past.before == last[:, None])
        still = np.maximum(1.0 - past.age * self.keep, 0.0)
        return chances.scatter(self.city.n_items, past.item, here * still)


def _prior(column: int, sigma: float) -> Floats:
    """(ZONES,) chance of each zone under the districts' shares: what `city.somewhere` draws, at the zones' middles."""
    lat, lon = zone_centres()
    found = np.zeros(rules.ZONES)
    for district in DISTRICTS:
        x = (lon - float(district[2])) / (1.5 * max(sigma, 0.012))
        y = (lat - float(district[1])) / max(sigma, 0.012)
        density = np.exp(-0.5 * (x**2 + y**2))
        found += float(district[column]) * density / density.sum()
    return np.asarray((found + 1e-4) / (found + 1e-4).sum())


def _softmax(log: Floats) -> Floats:
    weight = np.exp(log - log.max(axis=-1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=-1, keepdims=True), np.float64)


def _times_seen(past: Past, n_items: int) -> Floats:
    """(n, L) how often the item of each event was chosen in the history; at least 1."""
    count = chances.scatter(n_items, past.item, (past.real & past.chosen).astype(np.float64))
    return np.maximum(np.take_along_axis(count, past.item, axis=1), 1.0)


def told_zone(lat: Floats, lon: Floats, visit: NDArray[np.bool_]) -> Whole:
    """Zone that a person tells with an event: -1 without a place, and for visits, where it is the venue's."""
    zone = zone_of(lat, lon)
    return np.where((zone < rules.ZONES) & ~visit, zone, -1)
