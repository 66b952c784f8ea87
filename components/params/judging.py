"""How models are compared, and what it takes to be promoted."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from components.params.section import Fraction, Section


class EvaluationParams(Section):
    target_time: Literal["hidden", "given"]
    history: Literal["online", "train_only"]
    seen: Literal["filtered", "kept"]
    unseen: Literal["miss", "dropped"]
    ties: Literal["source", "shuffled", "basket"]
    ks: list[int]
    primary: str  # the metric that chooses and that the gate compares, e.g. "ndcg@10"
    bootstrap: int = Field(ge=100)
    confidence: float = Field(gt=0.5, lt=1)
    max_queries: int = Field(ge=1)  # a seeded sample beyond
    baselines: list[str]
    groups: list[str]  # user attributes of the catalogue whose values are judged, and guarded, apart
    history_slices: list[int]


class GateParams(Section):
    confidence: float = Field(gt=0.5, lt=1)
    margin: float = Field(ge=0)  # non-inferiority margin of the primary metric (absolute)
    max_slice_loss: float = Field(ge=0)  # largest loss of any guarded slice (absolute, lower bound)
    min_slice_queries: int = Field(ge=1)
    max_ece: float = Fraction
    max_latency_ms: float = Field(gt=0)  # p99 of one in-process prediction
    max_size_mb: float = Field(gt=0)
    min_coverage: float = Fraction  # share of the catalogue in some top 10
