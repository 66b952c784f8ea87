"""The search of better params: which models, how often, on which folds, and what may change."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.params.section import Section, Span


class _Between(Section):
    low: float
    high: float
    log: bool  # as likely between 1 and 10 as between 10 and 100

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if self.low > self.high or (self.log and self.low <= 0):
            raise ValueError("low must not be above high, and above 0 where log is true")
        return self


class FloatRange(_Between):
    kind: Literal["float"]


class IntRange(_Between):
    kind: Literal["int"]
    low: int
    high: int


class Choices(Section):
    kind: Literal["categorical"]
    choices: list[bool | int | float | str | list | None] = Field(min_length=1)


#: What one key of params.yaml may be.
Range = Annotated[FloatRange | IntRange | Choices, Field(discriminator="kind")]


class SamplerParams(Section):
    """Where the next trial is looked for."""

    kind: Literal["tpe", "random"]
    startup: int = Field(ge=1)  # trials that are drawn before the others are learned from (tpe)


class PrunerParams(Section):
    """Which trials end early; a step is an epoch or a fold."""

    kind: Literal["none", "median", "halving", "hyperband"]
    startup: int = Field(ge=0)  # whole trials before the first is cut (median)
    warmup: int = Field(ge=0)  # steps of a trial that are always taken (median)
    reduction: int = Field(ge=2)  # of so many trials one goes on (halving, hyperband)


class SearchParams(Section):
    models: list[str] = Field(min_length=1)  # learners, each searched by itself
    trials: int = Field(ge=1)  # of each model
    timeout_s: int | None = Field(ge=1)  # after which no trial begins; null: none
    folds: int = Field(ge=1)
    window: str = Span  # that each fold is judged on
    sampler: SamplerParams
    pruner: PrunerParams
    space: dict[str, Range]  # dotted key below training or memory → what it may be
