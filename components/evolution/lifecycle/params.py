"""What `lifecycle` is told: the section of a params file that it reads.

Never here: a default; every knob that changes a result stands where people see it.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from components.params import Section


class LifecycleParams(Section):
    """Knobs of the life cycle; times in units of `unit_s`."""

    unit_s: int = Field(ge=60)  # seconds of an occasion: 86400, what a user does in a day is one sign of life
    actions: list[str] | None = Field(min_length=1)  # that count as activity; null: all
    every: int = Field(ge=1)  # units between the moments at which states are told
    moments: int = Field(ge=2)  # at most, the latest
    limits: tuple[float, float, float]  # quantiles of a user's pauses: lapsing, dormant, churned beyond them
    fresh: int = Field(ge=1)  # units that a user is new, or returning, at least
    chain_moves: int = Field(ge=1)  # latest moves that the forecast of states is learned from
    steps: tuple[int, ...] = Field(min_length=1)  # moments ahead that states are forecast, and judged, at
    origins: int = Field(ge=1)  # moments, at most, that forecasts of states are judged from
    horizon: int = Field(ge=1)  # units over which churn, activity and value are told
    model: Literal["bg_nbd", "pareto_nbd"]  # whose expectations users are given
    churn: Literal["recency", "frequency", "bg_nbd", "pareto_nbd", "cox", "logistic"]  # whose chances users are given
    calibration: Literal["none", "isotonic", "platt"]
    min_users: int = Field(ge=1)  # fewer users in a cell, and it is not shown
    bootstrap: int = Field(ge=50)
    confidence: float = Field(gt=0.5, lt=1)
    seed: int

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if not 0 < self.limits[0] < self.limits[1] < self.limits[2] < 1:
            raise ValueError("limits are three quantiles, ascending, between 0 and 1")
        if min(self.steps) < 1:
            raise ValueError("steps count from 1")
        if self.churn in {"recency", "frequency"} and self.calibration == "none":
            raise ValueError(f"{self.churn} is no probability: calibration must be isotonic or platt")
        return self
