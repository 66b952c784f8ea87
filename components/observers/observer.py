"""One who knows the generator and the city's items, but of its people only what the log shows.

The generator's own formulas, with beliefs (`beliefs`) in the place of hidden state: what a learner could reach at
best if it had to learn nothing but people. Approximations are those of `beliefs` and `ask`; a companion's chance is
that of the item's being a favourite at all. Who reads in steps of exactly BOT_PERIOD_S is taken for a bot.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from components.errors import DataError
from components.events.simulator import choice, rules
from components.events.simulator.day import clock_of
from components.observers import chances
from components.observers.ask import CityPredictor
from components.observers.asked import Asked, numbers
from components.observers.beliefs import MAX_EVENTS, Beliefs, Past, Reader, told_zone
from components.observers.chances import Floats, Whole


class CityObserver(CityPredictor):
    """Knows the rules, sees the log."""

    name = "city_observer"

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.city)

    def _past(self, asked: Asked) -> Past:
        """Visible histories, padded at the left."""
        queries, store = asked.queries, asked.queries.store
        longest = int(min(MAX_EVENTS, max(1, (queries.stop - queries.start).max(initial=1))))
        row = queries.stop[:, None] - np.arange(longest, 0, -1)
        there = row >= queries.start[:, None]
        row = np.where(there, row, 0)
        code_item = numbers(store.encoding.vocabularies["item"].ids, "i", self.city.n_items)
        item = np.where(there, code_item[np.asarray(store["item"])[row]], -1)
        time_s = np.asarray(store["time_s"])[row]
        number = self.number_of(time_s)
        clocks = {one: clock_of(self.simulation.start, one) for one in np.unique(number).tolist()}
        keys = np.array(sorted(clocks))
        at = np.searchsorted(keys, number)
        midnight = np.array([clocks[k].midnight_s for k in keys.tolist()])[at]
        slot = self.slot_of(time_s, midnight)
        session = np.where(there, number * rules.SLOTS + slot, -1)
        same = np.zeros_like(there)
        same[:, 1:] = there[:, :-1] & (session[:, 1:] == session[:, :-1])
        before = np.full_like(item, -1)
        before[:, 1:] = np.where(same[:, 1:], item[:, :-1], -1)
        visit = np.asarray(store["action"])[row] == store.encoding.vocabularies["action"].code_of.get("checkin", -1)
        lat, lon = (np.asarray(store[name], np.float64)[row] for name in ("latitude", "longitude"))
        return Past(
            real=there & (item >= 0),
            item=np.maximum(item, 0),
            before=before,
            slot=slot,
            free=np.array([clocks[k].free for k in keys.tolist()])[at],
            chosen=item != before,
            age=np.maximum((asked.time_s[:, None] - time_s) / 86_400.0, 0.0),
            zone=np.where(there, told_zone(lat, lon, visit), -1),
        )

    def believe(self, asked: Asked) -> Asked:
        return dataclasses.replace(asked, beliefs=self._reader.read(self._past(asked), asked.item))

    def _zones(self, asked: Asked, beliefs: Beliefs) -> Floats:
        """(n, ZONES) where each starts from: by the slot and the kind of day, home or the place of working hours."""
        at_work = (asked.slot >= 1) & (asked.slot <= 3) & (not asked.day.free)
        return np.where(at_work[:, None], beliefs.work, beliefs.home)

    def _explore(self, asked: Asked, beliefs: Beliefs, zones: Floats) -> Floats:
        """(n, I) what is found by interest, popularity and nearness."""
        weight = beliefs.interest * asked.day.appetite[asked.slot]
        every = np.broadcast_to(np.arange(weight.shape[1]), weight.shape)
        by_category = chances.category_chance(asked.day, asked.slot, every, weight)
        return np.asarray(by_category[:, self.city.category] * (zones @ asked.day.table.chance()))

    def _favourite(self, asked: Asked, beliefs: Beliefs, but: Whole | None = None) -> tuple[Floats, Floats]:
        """(n, I) the favourite that is chosen, and (n,) the chance that any can be had; `but` one item."""
        there = beliefs.favourite * asked.day.open[asked.slot][:, None, :]
        if but is not None:
            there[np.arange(len(asked)), :, but] = 0.0
        role = rules.ROLE_WEIGHT[:, int(asked.day.free), asked.slot].T  # (n, roles)
        none = np.prod(1.0 - np.minimum(there.sum(axis=2), 1.0) * (role > 0), axis=1)
        return chances.share(np.einsum("nr,nri->ni", role, there)), 1.0 - none

    def start(self, asked: Asked) -> Floats:
        beliefs = _held(asked)
        zones = self._zones(asked, beliefs)
        favourite, has = self._favourite(asked, beliefs)
        pull = (zones * asked.day.pull[asked.slot]).sum(axis=1)
        every, none = np.ones(len(asked), bool), np.zeros(len(asked), bool)
        weight = has * choice.at_start(beliefs.loyalty, every, pull)
        weight += (1.0 - has) * choice.at_start(beliefs.loyalty, none, pull)
        found = weight[0][:, None] * favourite + weight[2][:, None] * self._explore(asked, beliefs, zones)
        found[np.arange(len(asked)), asked.day.social[asked.slot]] += weight[1]
        return found

    def move(self, asked: Asked) -> Floats:
        beliefs, rows = _held(asked), np.arange(len(asked))
        explore = self._explore(asked, beliefs, self._zones(asked, beliefs))
        favourite, has_favourite = self._favourite(asked, beliefs, asked.item)
        follows = chances.successors(self.city, asked.day, asked.slot, asked.item)
        succeed = chances.scatter(self.city.n_items, self.city.successor[asked.item], chances.share(follows))
        companion, has_companion = self._companion(asked, beliefs, explore, succeed)
        weight = np.zeros((4, len(asked)))
        for with_companion in (True, False):
            for with_favourite in (True, False):
                chance = np.where(with_companion, has_companion, 1 - has_companion)
                chance = chance * np.where(with_favourite, has_favourite, 1 - has_favourite)
                a, b = (np.full(len(rows), flag) for flag in (with_companion, with_favourite))
                weight += chance * choice.on_move(a, follows.sum(axis=1) > 0, b)
        parts = (companion, succeed, favourite, explore)
        return chances.share(sum((weight[i][:, None] * part for i, part in enumerate(parts)), np.zeros_like(explore)))

    def _companion(self, asked: Asked, beliefs: Beliefs, explore: Floats, succeed: Floats) -> tuple[Floats, Floats]:
        """(n, I) the companion of the last item, and (n,) the chance that it has one that can be had."""
        city, rows = self.city, np.arange(len(asked))
        zone = city.zone[asked.item]
        from_zone = np.where(
            (zone < rules.ZONES)[:, None], np.eye(rules.ZONES + 1)[zone][:, : rules.ZONES], beliefs.home
        )
        wanted = rules.COMPANIONS[city.category[asked.item]]
        fits = 0.5 * (wanted[:, :, None] == city.category).sum(axis=1)
        prior = chances.share(fits * (from_zone @ self._reader.chance))
        other = 0.3 * explore + 0.35 * succeed + 1e-4
        log = np.log(np.maximum(prior, 1e-12)) + beliefs.follows * np.log1p(0.35 / other)
        log -= log.max(axis=1, keepdims=True)
        companion = chances.share(np.exp(log)) * asked.day.open[asked.slot]
        held = 1.0 - np.prod(1.0 - np.minimum(beliefs.favourite[rows, :, asked.item], 1.0), axis=1)
        return chances.share(companion), held * companion.sum(axis=1)

    def sessions(self, asked: Asked) -> Floats:
        """As of a person of mean activity."""
        rate = rules.SLOT_RATE[int(asked.day.free)] / rules.SLOT_RATE[int(asked.day.free)].sum()
        each = self.simulation.events_per_user_day / rules.MEAN_SESSION
        return np.tile(np.minimum(rate * each, 0.95), (len(asked), 1))

    def bots(self, asked: Asked) -> NDArray[np.bool_]:
        """Those whose last two gaps were a bot's to the second."""
        queries = asked.queries
        time_s = np.asarray(queries.store["time_s"])
        enough = queries.stop - queries.start >= 3
        last = np.where(enough, queries.stop - 1, 2)
        regular = np.ones(len(asked), bool)
        for back in (0, 1):
            regular &= time_s[last - back] - time_s[last - back - 1] == rules.BOT_PERIOD_S
        return enough & regular


def _held(asked: Asked) -> Beliefs:
    """The beliefs that `believe` put there."""
    if asked.beliefs is None:
        raise DataError("beliefs about the people asked about", found="none", do="Ask through `score`.")
    return asked.beliefs
