"""What `chronotope evolve` asks of a log: space, interests, habits, the life cycle, trends, anomalies."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from components.params.section import Fraction, Section


class HoursParams(Section):
    """Local hours of an anchor, over midnight where begin is after end."""

    begin: int = Field(ge=0, le=23)
    end: int = Field(ge=1, le=24)
    weekdays_only: bool


class SpaceParams(Section):
    """What is asked of space; lengths of time are whole days or hours, distances km."""

    resolution: int = Field(ge=0, le=15)  # of hot spots, flows and information
    region_resolution: int = Field(ge=0, le=15)  # of regions that may lead each other
    place_resolution: int = Field(ge=0, le=15)  # of places that users know
    period_days: int = Field(ge=1)
    around: int = Field(ge=0)
    permutations: int = Field(ge=99)
    level: float = Fraction
    distances_km: tuple[float, ...] = Field(min_length=1)
    spans_h: tuple[int, ...] = Field(min_length=1)
    interaction_events: int = Field(ge=100)
    regions: int = Field(ge=2)
    lag_h: int = Field(ge=1)
    flow_h: int = Field(ge=1)
    busiest: int = Field(ge=10)  # cells that are asked how they follow each other
    lags_days: tuple[int, ...] = Field(min_length=1)
    least_users: int = Field(ge=1)
    core_places: int = Field(ge=1)
    home: HoursParams
    work: HoursParams
    anchor_events: int = Field(ge=1)
    anchor_share: float = Fraction
    area_radius_km: float = Field(gt=0)
    area_events: int = Field(ge=1)
    area_sample: int = Field(ge=100)  # places that areas of any density are looked for among
    area_share: float = Fraction  # of those, that an area holds
    compared: int = Field(ge=10)  # courses, at most, that are compared
    draws: int = Field(ge=10)
    confidence: float = Field(gt=0, lt=1)


class InterestParams(Section):
    """What is asked of interests."""

    window_days: int = Field(ge=1)
    step_days: int = Field(ge=1)
    least_events: int = Field(ge=2)  # of a window, and of a user in all
    permutations: int = Field(ge=99)
    level: float = Fraction
    least_users: int = Field(ge=1)  # of a segment that is shown
    lags: int = Field(ge=1)
    half_lives: tuple[float, ...]  # months
    priors: tuple[float, ...] = Field(min_length=1)  # events
    scored_months: int = Field(ge=1)
    head_share: float = Fraction
    draws: int = Field(ge=10)
    confidence: float = Field(gt=0, lt=1)


class HabitParams(Section):
    """What is asked of habits."""

    bandwidth_h: float = Field(ge=0)
    profile_prior: float = Field(gt=0)  # events
    least_events: int = Field(ge=2)  # of a user whose figures are averaged
    most_events: int = Field(ge=10)  # newest ones, of an entropy rate
    least_days: int = Field(ge=1)  # on each side of a shift
    permutations: int = Field(ge=99)
    level: float = Fraction
    draws: int = Field(ge=10)
    confidence: float = Field(gt=0, lt=1)


class LifecycleParams(Section):
    """What is asked of the life cycle; times in units of `unit_s`."""

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

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if not 0 < self.limits[0] < self.limits[1] < self.limits[2] < 1:
            raise ValueError("limits are three quantiles, ascending, between 0 and 1")
        if min(self.steps) < 1:
            raise ValueError("steps count from 1")
        if self.churn in {"recency", "frequency"} and self.calibration == "none":
            raise ValueError(f"{self.churn} is no probability: calibration must be isotonic or platt")
        return self


class TrendStepParams(Section):
    """What is asked of one length of step."""

    horizon: int = Field(ge=1)  # steps ahead
    latest: int = Field(ge=14)  # steps that forecasts look at, at most
    by: list[list[Literal["action", "category", "region"]]]  # splits; those of one value are left out
    methods: list[str] = Field(min_length=2)  # candidates, by the names of `trends/methods`


class TrendParams(Section):
    """What is asked of trends."""

    steps: dict[Literal["hour", "day", "week"], TrendStepParams]
    most: int = Field(ge=1)  # values of a split that are shown; the rest is one
    resolution: int = Field(ge=0, le=15)  # of regions
    least_users: int = Field(ge=1)
    origins: int = Field(ge=2)  # that judge and calibrate; more where few series leave too few errors
    shortlist: tuple[int, int]  # methods, at least and at most
    levels: tuple[float, ...] = Field(min_length=2)  # quantiles, evenly spaced
    around: int = Field(ge=1)  # weeks on each side that say what is usual
    alarms_a_month: float = Field(gt=0, lt=10)  # unusual days that may be false, of all series together
    level_days: int = Field(ge=2)  # of a level at least
    permutations: int = Field(ge=99)
    level: float = Fraction

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if "day" not in self.steps:
            raise ValueError("steps name day: unusual days and changes of level are looked for there")
        if not 1 <= self.shortlist[0] <= self.shortlist[1]:
            raise ValueError("shortlist is the least and the most, from 1")
        if list(self.levels) != sorted(set(self.levels)) or not 0 < self.levels[0] < self.levels[-1] < 1:
            raise ValueError("levels are ascending quantiles between 0 and 1")
        return self


class AnomalyParams(Section):
    """What is asked of users that behave as nobody does."""

    least_events: int = Field(ge=5)  # of a user
    resolution: int = Field(ge=0, le=15)  # of the cells that a user's places are compared by
    level: float = Field(gt=0, lt=1)  # share of false discoveries
    least_users: int = Field(ge=1)  # that a reason must have to be shown
    likelihoods: str | None  # file of user_id, log_likelihood of events under a model; null: none
    named: bool  # whether the users that stand out are named in a table


class PatternParams(Section):
    """What is asked of recurring patterns."""

    resolution: int = Field(ge=0, le=15)  # of cells that are places
    places: int = Field(ge=1)  # with most users, of each kind
    least_users: int = Field(ge=1)
    ratio: float = Field(ge=1)  # visits to what the null has
    weeks: float = Fraction  # share of the weeks in which it happens
    level: float = Fraction
    permutations: int = Field(ge=99)
    most: int = Field(ge=1)  # that are told


class ProfileParams(Section):
    """What is asked of the map of users' weeks."""

    units: int = Field(ge=4, le=100)  # of the map, at most
    categories: int = Field(ge=1)  # that are told apart, those of most users; the rest is one
    least_events: int = Field(ge=2)  # of a user
    least_users: int = Field(ge=1)
    bandwidth_h: float = Field(ge=0)
    prior: float = Field(gt=0)  # events
    rounds: int = Field(ge=2)
    deals: int = Field(ge=1)  # maps of figures dealt anew that it is judged beside
    permutations: int = Field(ge=99)
    level: float = Fraction


class TraceParams(Section):
    """What is asked of raw traces of positions."""

    path: str | None  # file or folder of the workspace; null: there are none
    radius_m: float = Field(gt=0)  # of a stay
    least_min: float = Field(gt=0)  # that a stay lasts
    silence_min: float = Field(gt=0)  # that ends one
    pause_h: float = Field(gt=0)  # that ends a trajectory
    compared: int = Field(ge=10)  # trajectories, at most, that are compared
    least_users: int = Field(ge=1)


class EvolveParams(Section):
    """How behaviour evolves; described and forecast, never used to rank."""

    keep: int = Field(ge=2)  # reports that are kept
    most_events: int = Field(ge=1000)  # of users drawn at random, for what is asked of single users; all where fewer
    space: SpaceParams
    patterns: PatternParams
    traces: TraceParams
    profiles: ProfileParams
    interests: InterestParams
    habits: HabitParams
    lifecycle: LifecycleParams
    trends: TrendParams
    anomalies: AnomalyParams
