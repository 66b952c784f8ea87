"""Everything that learns from the log beside networks: memory, baselines, blends and rankers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from components.params.compression import CompressedParams
from components.params.network import ModelParams, TrainParams
from components.params.section import Section


class ComponentParams(Section):
    """One counter of the memory; `options` are the constants of its formula."""

    kind: str
    options: dict[str, float]


class MemoryParams(Section):
    components: dict[str, ComponentParams]
    history_buckets: list[int]  # edges of history length; each bucket may have its own weights
    em_steps: int = Field(ge=1)
    max_history: int = Field(ge=1)  # events of a user that habits are computed from
    max_pairs: int = Field(ge=1)  # successors kept per item
    prior: float = Field(gt=0)  # popularity smooths every counter as if by so many events


class BlendParams(Section):
    """A mixture of candidate models, weights by EM on the blend window."""

    parts: list[str]
    history_buckets: list[int]  # edges of history length; each bucket has its own weights
    em_steps: int = Field(ge=1)
    candidate: bool  # whether it may be promoted


class EnsembleParams(Section):
    """Fitted learners as one: averaged, pooled, or stacked on the blend window."""

    parts: list[str] = Field(min_length=1)  # models, baselines, counters, and rankers where weights are given
    method: Literal["average", "pool", "stack"]  # sum, or product, with given weights; product with learned ones
    weights: dict[str, float] | None  # of each part (average, pool); null: all alike
    history_buckets: list[int]  # edges of history length; each bucket has its own learned weights
    em_steps: int = Field(ge=1)
    pull: float = Field(ge=0)  # of learned weights to equal ones (stack)
    max_queries: int = Field(ge=50)  # evenly spread, that a stack is learned from
    candidate: bool  # whether it may be promoted

    @property
    def learned(self) -> bool:
        """Whether the weights of items are learned on the blend window, and not given."""
        return self.method == "stack"


class CandidateParams(Section):
    """Items that a ranker looks at closely."""

    history: int = Field(ge=0)  # newest distinct items of the user
    each: int = Field(ge=0)  # best of each voice: a counter of the memory, or another part
    total: int = Field(ge=2, le=200)  # of a query; filled up by the mixture of the voices


class TreeParams(Section):
    """How LightGBM grows the trees of a ranker (LambdaRank)."""

    rounds: int = Field(ge=1, le=150)
    leaves: int = Field(ge=2, le=256)
    learning_rate: float = Field(gt=0, le=1)
    min_leaf: int = Field(ge=1)  # rows of a leaf
    l2: float = Field(ge=0)
    columns: float = Field(gt=0, le=1)  # share of the columns that each tree may use
    bins: int = Field(ge=4, le=255)  # of each column
    truncation: int = Field(ge=1)  # places of the list that count
    hard: int = Field(ge=1)  # wrong candidates of a query that are learned from: the likeliest …
    random: int = Field(ge=0)  # … and this many of the others


class RankerParams(Section):
    """A learned order of candidates, fitted on the blend window after its parts."""

    parts: list[str]  # models, baselines, counters
    method: Literal["trees", "gate"]  # gate: a learned mixture alone, of every voice by what the query is like
    candidates: CandidateParams
    trees: TreeParams
    history_buckets: list[int]  # edges of history length, of the weights of action, time and place
    em_steps: int = Field(ge=1)
    since: Literal["tune", "blend"]  # the window that trees learn from begins with
    asks: Literal["targets", "all"]  # what they learn from: what the judge asks about, or every event
    max_queries: int = Field(ge=100)  # evenly spread
    holdout: float = Field(gt=0, lt=1)  # newest share of the queries, which stops the trees and calibrates them
    ablation: bool  # whether trees are also grown without each learner, to say what it adds
    candidate: bool  # whether it may be promoted


class BaselineParams(Section):
    """One predictor without a network that models are judged beside; `options` are those of its kind."""

    kind: str  # a name of components.baselines.kinds.KINDS
    options: dict[str, float | int | str | bool | list[float]]


class TrainingParams(Section):
    loop: TrainParams
    models: dict[str, ModelParams]
    compressed: dict[str, CompressedParams]
    baselines: dict[str, BaselineParams]
    blend: BlendParams
    ensembles: dict[str, EnsembleParams]
    rankers: dict[str, RankerParams]

    @property
    def mixed(self) -> dict[str, BlendParams | EnsembleParams | RankerParams]:
        """What is made of other learners, by name: the blend where it has parts, rankers, and last ensembles, which
        may be made of rankers."""
        return {**({"blend": self.blend} if self.blend.parts else {}), **self.rankers, **self.ensembles}

    def finished(self, name: str) -> bool:
        """Whether the model of that name learns from the tune window after that has chosen its weights."""
        model = self.models.get(name)
        return (
            model is not None
            and model.kind == "network"
            and bool(model.overrides.get("finish_epochs", self.loop.finish_epochs))
        )
