"""What this user does: how often, how lately, at this hour, in this session.

All of it is read from the visible history; there is no table, so a new user is known after one event and a
forgotten history leaves nothing behind. Reference: research/spatiotemporal.md §2.6.
"""

from __future__ import annotations

import numpy as np

from components.memory.ask import Ask, local_hour, weekend
from components.memory.counter import Counter, Popularity
from components.memory.share import Share, habit_share


class Frequency(Counter):
    """p(v | user) ∝ Σ 2^(-age / half-life) over the user's events with v; without half-life, their number."""

    kind = "user_frequency"
    optional = frozenset({"half_life_days"})

    def share(self, ask: Ask, popularity: Popularity) -> Share:
        return habit_share(ask, self.decay(ask.age_d[ask.known]), self.world.prior)


class Hour(Counter):
    """p(v | user, hour) ∝ Σ exp(-Δh² / 2σ²) 2^(-age / half-life) × `weekend_match` where one is a weekend day only.

    Δh is the circular distance of the local hours of event and request. When the time of the answer is hidden,
    that of the last visible event stands in.
    """

    kind = "user_hour"
    required = frozenset({"sigma_h", "weekend_match"})
    optional = frozenset({"half_life_days"})

    def share(self, ask: Ask, popularity: Popularity) -> Share:
        time_s = ask.time_s[ask.known]
        offset = ask.column("utc_offset_min")[ask.known]
        away = np.abs(local_hour(time_s, offset) - ask.hour[ask.item_query])
        weight = self.decay(ask.age_d[ask.known])
        weight = weight * np.exp(-0.5 * (np.minimum(away, 24 - away) / self.options["sigma_h"]) ** 2)
        asked = weekend(ask.queries.time_s, ask.queries.utc_offset_min)
        same = weekend(time_s, offset) == asked[ask.item_query]
        return habit_share(ask, np.where(same, weight, weight * self.options["weekend_match"]), self.world.prior)


class Trajectory(Counter):
    """p(v | session) ∝ Σ decay^k over the events of the user's last session, k = 0 for the newest."""

    kind = "trajectory"
    required = frozenset({"decay"})

    def share(self, ask: Ask, popularity: Popularity) -> Share:
        session = ask.column("session")
        current = np.full(ask.size, -1, session.dtype)
        current[ask.query] = session  # of equal indices the last is kept: the newest
        steps = ask.edges[1:][ask.query] - 1 - np.arange(len(ask.query))
        weight = np.where(session == current[ask.query], np.power(self.options["decay"], steps), 0.0)
        return habit_share(ask, weight[ask.known], self.world.prior)
