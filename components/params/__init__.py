"""params.yaml as frozen, strict objects: every knob that changes a result, and no default in code.

DVC hashes the file, so a default that lived here could change results without changing the lock.
Secrets and addresses of servers are never here: they come from the environment (`components.workspace.Settings`).
"""

from components.params.compression import CompressedParams, DistilParams, PruneParams
from components.params.data import (
    EventParams,
    FeatureParams,
    FillParams,
    NumberParams,
    RegionParams,
    SimulationParams,
    SourceParams,
    ValidationParams,
    VectorParams,
    WindowParams,
)
from components.params.evolve import (
    EvolveParams,
    HabitParams,
    HoursParams,
    InterestParams,
    LifecycleParams,
    SpaceParams,
)
from components.params.experiment import ExperimentParams
from components.params.guard import GuardParams, RateParams
from components.params.judging import EvaluationParams, GateParams
from components.params.learners import (
    BaselineParams,
    BlendParams,
    CandidateParams,
    ComponentParams,
    EnsembleParams,
    MemoryParams,
    RankerParams,
    TrainingParams,
    TreeParams,
)
from components.params.live import FreshParams, LiveParams
from components.params.network import (
    AugmentParams,
    EncoderParams,
    ItemLossParams,
    ModelParams,
    NetworkParams,
    OptimiserParams,
    TrainParams,
    TransitionParams,
    VectorUseParams,
)
from components.params.search import (
    Choices,
    FloatRange,
    IntRange,
    PrunerParams,
    Range,
    SamplerParams,
    SearchParams,
)
from components.params.section import Fraction, Section, Span
from components.params.serving import (
    FlowParams,
    PolicyParams,
    RuleParams,
    Segment,
    SegmentParams,
    ServingParams,
    UpdateParams,
)
from components.params.whole import Params, WorkspaceParams, check_agreement, load_params, parse_params

__all__ = [
    "AugmentParams",
    "BaselineParams",
    "BlendParams",
    "CandidateParams",
    "Choices",
    "ComponentParams",
    "CompressedParams",
    "DistilParams",
    "EncoderParams",
    "EnsembleParams",
    "EvaluationParams",
    "EventParams",
    "EvolveParams",
    "ExperimentParams",
    "FeatureParams",
    "FillParams",
    "FloatRange",
    "FlowParams",
    "Fraction",
    "FreshParams",
    "GateParams",
    "GuardParams",
    "HabitParams",
    "HoursParams",
    "IntRange",
    "InterestParams",
    "ItemLossParams",
    "LifecycleParams",
    "LiveParams",
    "MemoryParams",
    "ModelParams",
    "NetworkParams",
    "NumberParams",
    "OptimiserParams",
    "Params",
    "PolicyParams",
    "PruneParams",
    "PrunerParams",
    "Range",
    "RankerParams",
    "RateParams",
    "RegionParams",
    "RuleParams",
    "SamplerParams",
    "SearchParams",
    "Section",
    "Segment",
    "SegmentParams",
    "ServingParams",
    "SimulationParams",
    "SourceParams",
    "SpaceParams",
    "Span",
    "TrainParams",
    "TrainingParams",
    "TransitionParams",
    "TreeParams",
    "UpdateParams",
    "ValidationParams",
    "VectorParams",
    "VectorUseParams",
    "WindowParams",
    "WorkspaceParams",
    "check_agreement",
    "load_params",
    "parse_params",
]
