"""What this user does: how often, how lately, at this hour, in this session.

All of it is read from the visible history; there is no table, so a new user is known after one event and a
forgotten history leaves nothing behind. Reference: research/spatiotemporal.md §2.6.
"""

from __future__ import annotations

from components.memory import loops
from components.memory.ask import Ask, weekend
from components.memory.counter import Counter, Popularity
from components.memory.share import Share, habit_share


class Frequency(Counter):
    """p(v | user) ∝ Σ 2^(-age / half-life) over the user's events with v; without half-life, their number."""

    kind = "user_frequency"
    optional = frozenset({"half_life_days"})

    def share(self, ask: Ask, popularity: Popularity) -> Share:
        return habit_share(ask, self.decay(ask.item_age_d), self.world.prior)


class Hour(Counter):
    """p(v | user, hour) ∝ Σ exp(-Δh² / 2σ²) 2^(-age / half-life) × `weekend_match` where one is a weekend day only.

    Δh is the circular distance of the local hours of event and request. When the time of the answer is hidden,
    that of the last visible event stands in.
    """

    kind = "user_hour"
    required = frozenset({"sigma_h", "weekend_match"})
    optional = frozenset({"half_life_days"})

    def share(self, ask: Ask, popularity: Popularity) -> Share:
        weight = self.decay(ask.item_age_d)
        asked = weekend(ask.queries.time_s, ask.queries.utc_offset_min)
        loops.at_hour(
            weight, ask.item_query, ask.of_known(ask.time_s), ask.of_known(ask.column("utc_offset_min")),
            ask.hour, asked, self.options["sigma_h"], self.options["weekend_match"],
        )  # fmt: skip
        return habit_share(ask, weight, self.world.prior)


class Trajectory(Counter):
    """p(v | session) ∝ Σ decay^k over the events of the user's last session, k = 0 for the newest."""

    kind = "trajectory"
    required = frozenset({"decay"})

    def share(self, ask: Ask, popularity: Popularity) -> Share:
        weight = loops.in_last_session(ask.edges, ask.column("session"), self.options["decay"])
        return habit_share(ask, ask.of_known(weight), self.world.prior)
