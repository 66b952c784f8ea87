"""How the live champion and a challenger are compared on people: what an experiment takes where nothing is said."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from components.params.section import Fraction, Section

#: Of one user: whether an event came of a list at all, what the events were worth, or the share of lists that hit.
Metric = Literal["conversion", "reward", "hit_rate"]


class ExperimentParams(Section):
    """An experiment's settings; its plan keeps a copy, so a later change of params changes no experiment under way."""

    share: float = Field(gt=0, lt=1)  # of the users who get the challenger
    metric: Metric  # that decides
    rewards: dict[str, float]  # action → what an event is worth; empty: any action, 1 each
    horizon_h: float = Field(gt=0)  # an event counts for a list that was shown at most so long before
    window_h: float = Field(gt=0)  # a user's lists count from the first one on for so long
    k: int = Field(ge=1)  # of HR@k, NDCG@k and overlap@k
    level: float = Field(gt=0, le=0.5)  # chance of a false alarm, however often one looks
    guard: float = Field(ge=0)  # a challenger that is worse by more, surely, is turned off
    least_users: int = Field(ge=10)  # of each arm, before anything is said
    aim_users: int = Field(ge=10)  # of both arms, where the interval is narrowest for its level
    explore: float = Fraction  # chance that the first place is drawn from the list: what off-policy estimates need
    expose: bool  # whether the service logs what it answered as shown; else the page that shows it does
    check_s: float = Field(gt=0)  # between two looks of the automatic switch
    waiting: int = Field(ge=1)  # questions that may wait for a silent challenger; more are left out

    @model_validator(mode="after")
    def _worth(self) -> Self:
        if any(worth < 0 for worth in self.rewards.values()):
            raise ValueError("an event's worth is below 0")
        return self
