"""One who sees the hidden state: the upper bound of what can be known before the next event.

Exact when the time is given: the generator's own distribution of the next item and action, given traits, interests,
favourites, companions, the day and the session so far. Not exact: time hidden (see `ask`), an item that the store
does not know (the session is then taken to begin anew), and times outside waking hours.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from components.errors import DataError
from components.events.simulator import choice
from components.events.simulator.habits import Diary
from components.events.simulator.people import People, build_people, life
from components.events.simulator.sessions import session_chance
from components.observers import chances
from components.observers.ask import CityPredictor, bot_first
from components.observers.asked import Asked
from components.observers.chances import Floats, Whole


class CityOracle(CityPredictor):
    """Sees everything but the dice."""

    name = "city_oracle"

    @cached_property
    def people(self) -> People:
        """The people."""
        return build_people(self.city)

    def believe(self, asked: Asked) -> Asked:
        if (asked.user < 0).any():
            stranger = asked.queries.store.users[int(asked.queries.user[int(np.argmax(asked.user < 0))])]
            raise DataError("people of this city", found=f"the user {stranger!r}", do="Ask about the city's own log.")
        return asked

    @cached_property
    def _diary(self) -> Diary:
        return Diary(self.city, self.people)

    def _explore(self, asked: Asked) -> Floats:
        """(n, I) what is found by interest, popularity and nearness."""
        day, slot = asked.day, asked.slot
        category, open_now = self._diary.on(day.number).interests_of(asked.user)
        weight = choice.interest_weight(day.appetite, slot, category, open_now)
        by_category = chances.category_chance(day, slot, category.T, weight.T)
        near = day.table.chance()[self.people.anchor(asked.user, slot, day.free)]
        return np.asarray(by_category[:, self.city.category] * near)

    def _habits(self, asked: Asked) -> tuple[Whole, Whole, Floats]:
        """(roles, n) favourites, companions, and the favourites' weights in the slot."""
        habits = self._diary.on(asked.day.number)
        favourite, companion = (x[:, asked.user].astype(np.int64) for x in (habits.favourite, habits.companion))
        role = choice.role_weight(asked.day.free, asked.slot, asked.day.open[asked.slot, favourite])
        return favourite, companion, role

    def start(self, asked: Asked) -> Floats:
        day, slot, rows = asked.day, asked.slot, np.arange(len(asked))
        favourite, _, role = self._habits(asked)
        zone = self.people.anchor(asked.user, slot, day.free)
        weight = choice.at_start(self.people.loyalty[asked.user], role.sum(axis=0) > 0, day.pull[slot, zone])
        found = weight[2][:, None] * self._explore(asked)
        found += chances.scatter(self.city.n_items, favourite.T, weight[0][:, None] * chances.share(role.T))
        found[rows, day.social[slot]] += weight[1]
        return found

    def move(self, asked: Asked) -> Floats:
        day, slot, n = asked.day, asked.slot, self.city.n_items
        favourite, companions, role = self._habits(asked)
        mine = favourite == asked.item
        companion = companions[mine.argmax(axis=0), np.arange(len(asked))]
        follows = chances.successors(self.city, day, slot, asked.item)
        role = role * ~mine
        weight = choice.on_move(
            mine.any(axis=0) & day.open[slot, companion], follows.sum(axis=1) > 0, role.sum(axis=0) > 0
        )
        found = weight[3][:, None] * self._explore(asked)
        found += chances.scatter(n, companion[:, None], weight[0][:, None])
        found += chances.scatter(n, self.city.successor[asked.item], weight[1][:, None] * chances.share(follows))
        found += chances.scatter(n, favourite.T, weight[2][:, None] * chances.share(role.T))
        return found

    def sessions(self, asked: Asked) -> Floats:
        state = life(self.city, self.people, asked.day.number)
        return session_chance(self.city, self.people, asked.day, state)[asked.user]

    def bots(self, asked: Asked) -> NDArray[np.bool_]:
        return np.asarray(self.people.bot[asked.user])

    def bot_start(self, asked: Asked) -> Floats:
        return bot_first(self.city, asked.day, self.people.id[asked.user])
