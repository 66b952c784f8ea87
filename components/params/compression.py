"""How a smaller or faster model is made of a trained one: distil, prune, store and compute in int8."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from components.params.section import Fraction, Section


class DistilParams(Section):
    """A student that learns what the other model answers, beside what happened."""

    student: str  # the network of training.models that it is shaped like, and that learns without a teacher beside it
    temperature: float = Field(gt=0)  # by which the answers are softened
    weight: float = Fraction  # share of the loss that is the teacher's; the rest is what happened
    top: int = Field(ge=1, le=10_000)  # likeliest items of the teacher that are told one by one


class PruneParams(Section):
    """What is taken out by its size, and how long the rest learns to do without."""

    share: float = Field(ge=0, lt=1)
    what: Literal["units", "weights"]  # whole units (smaller and faster), or single weights (they become zero)
    epochs: int = Field(ge=0)  # of training afterwards


class CompressedParams(Section):
    """One entry of `training.compressed`; the steps are done in this order, null leaves one out."""

    of: str  # a network of training.models, or another entry
    distil: DistilParams | None
    prune: PruneParams | None
    int8: Literal["none", "weights", "products"]  # stored so; stored, and the catalogue's products computed so
    overrides: dict[str, Any]  # keys of training.loop, for the student and after pruning
    candidate: bool  # whether it may be promoted
