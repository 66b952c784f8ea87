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
from components.params.judging import EvaluationParams, GateParams
from components.params.learners import (
    BaselineParams,
    BlendParams,
    CandidateParams,
    ComponentParams,
    MemoryParams,
    RankerParams,
    TrainingParams,
    TreeParams,
)
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
from components.params.section import Fraction, Section, Span
from components.params.serving import FlowParams, PolicyParams, RuleParams, Segment, SegmentParams, ServingParams
from components.params.whole import Params, WorkspaceParams, check_agreement, load_params, parse_params

__all__ = [
    "AugmentParams",
    "BaselineParams",
    "BlendParams",
    "CandidateParams",
    "ComponentParams",
    "CompressedParams",
    "DistilParams",
    "EncoderParams",
    "EvaluationParams",
    "EventParams",
    "FeatureParams",
    "FillParams",
    "FlowParams",
    "Fraction",
    "GateParams",
    "ItemLossParams",
    "MemoryParams",
    "ModelParams",
    "NetworkParams",
    "NumberParams",
    "OptimiserParams",
    "Params",
    "PolicyParams",
    "PruneParams",
    "RankerParams",
    "RegionParams",
    "RuleParams",
    "Section",
    "Segment",
    "SegmentParams",
    "ServingParams",
    "SimulationParams",
    "SourceParams",
    "Span",
    "TrainParams",
    "TrainingParams",
    "TransitionParams",
    "TreeParams",
    "ValidationParams",
    "VectorParams",
    "VectorUseParams",
    "WindowParams",
    "WorkspaceParams",
    "check_agreement",
    "load_params",
    "parse_params",
]
