"""What is served: rules on the final list by segment of the user, limits, updates, and the schedule of retraining."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from components.params.section import Fraction, Section

#: Where a user stands in their own life with us.
Segment = Literal["new", "active", "returning"]


class SegmentParams(Section):
    """Where a user stands: new, active, or returning by their own rhythm."""

    new_below: int = Field(ge=0)  # with fewer events a user is new
    returning_after: float = Field(gt=0)  # multiple of the own median pause between sessions


class RuleParams(Section):
    """What shapes the lists of one segment; filters first, then the order."""

    order: Literal["plain", "diverse", "calibrated"]
    weight: float = Fraction  # of the model's own order; 1 changes nothing
    alike: list[Literal["category", "place"]] = Field(min_length=1)  # diverse: what makes two items alike
    place_km: float = Field(gt=0)  # diverse: likeness by place has fallen to 1/e
    half_life_days: float | None = Field(gt=0)  # calibrated: of the events that make a taste; null: all alike
    max_per_category: int | None = Field(ge=1)
    drop_seen: bool
    skip_recent_h: float = Field(ge=0)  # items of the last hours are left out
    max_price: float | None = Field(ge=0)
    radius_km: float | None = Field(gt=0)


class PolicyParams(Section):
    """Rules on the final list, by segment of the user."""

    candidates: int = Field(ge=1)  # best items that rules choose from
    segments: SegmentParams
    rules: dict[Segment, RuleParams]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        missing = set(get_args(Segment)) - set(self.rules)
        if missing:
            raise ValueError(f"rules for {', '.join(sorted(missing))} are missing")
        return self


class ServingParams(Section):
    history: int = Field(ge=1)
    max_k: int = Field(ge=1)
    max_body_bytes: int = Field(ge=1)
    max_inline_events: int = Field(ge=1)
    explain_items: int = Field(ge=1)  # items that one request may have explained
    explain_events: int = Field(ge=1)  # newest events of a history that are left out one by one
    gradient_steps: int = Field(ge=2)  # points of the path of integrated gradients
    poll_s: float = Field(gt=0)


class UpdateParams(Section):
    """How a champion learns new days."""

    replay: float = Fraction  # of the older events, learned again
    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0)


class FlowParams(Section):
    cron: str
    timeout_s: int = Field(ge=1)
    retries: int = Field(ge=0)
    retry_delay_s: int = Field(ge=0)
