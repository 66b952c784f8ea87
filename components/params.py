"""params.yaml as frozen, strict objects: every knob that changes a result, and no default in code.

DVC hashes the file, so a default that lived here could change results without changing the lock.
Secrets and addresses of servers are never here: they come from the environment (`components.workspace.Settings`).
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from components.errors import ConfigError

Fraction = Field(ge=0.0, le=1.0)
#: Where a user stands in their own life with us.
Segment = Literal["new", "active", "returning"]
#: A length of time or of log: "7d", "36h" or "10%" (of the events, newest last).
Span = Field(pattern=r"^\d+(\.\d+)?(d|h|%)$")


class Section(BaseModel):
    """Base of every section: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class WorkspaceParams(Section):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")  # also the name in the registry
    seed: int


class SourceParams(Section):
    format: str  # a name of components.events.sources.FORMATS
    path: str | None  # file, folder or SQLAlchemy URL; ${NAME} is taken from the environment
    catalogue: str | None  # file with item attributes
    users: str | None  # file with user attributes
    mapping: dict[str, str]  # contract column → column of the source
    constants: dict[str, str | float | int]  # contract column → one value for every row
    order: Literal["none", "file"]  # file: the row number breaks ties among equal times
    options: dict[str, Any]  # what the format itself understands (separator, query, time unit …)


class EventParams(Section):
    source: SourceParams
    actions: list[str]
    action_map: dict[str, str]  # name in the source → action
    item_free_actions: list[str]
    earliest: dt.date
    until: dt.date | None  # the log is cut before this day (UTC); null: all there is
    future_tolerance_s: int = Field(ge=0)
    time_kind: Literal["real", "day", "ordinal"]
    timezone: str
    country: str | None  # ISO 3166 code, for holidays
    identity: list[str]  # columns that tell two events apart when there is no event_id


class SimulationParams(Section):
    users: int = Field(ge=1)
    items: int = Field(ge=2)
    start: dt.date
    days: int = Field(ge=1)
    events_per_user_day: float = Field(gt=0)  # of an active user
    drift: float = Fraction  # share of a user's interests that is replaced in 30 days
    widening: float = Fraction
    bots: float = Fraction
    duplicates: float = Fraction
    dirty: float = Fraction


class RegionParams(Section):
    south: float
    west: float
    north: float
    east: float


class ValidationParams(Section):
    region: RegionParams | None
    max_quarantined: float = Fraction  # share of rows above which the batch fails
    max_null: dict[str, float]  # column → largest share of missing values
    action_mix_tolerance: float = Fraction  # largest change of any action's share against the reference
    null_share_tolerance: float = Fraction  # largest change of any column's missing share against the reference
    daily_rate_factor: float = Field(gt=1)  # a day's events may differ by this factor from the reference median
    max_empty_days: int = Field(ge=0)
    max_value: float | None
    max_duration_s: float | None
    max_speed_kmh: float = Field(gt=0)  # faster than this between two events: flagged
    max_events_per_user_day: int = Field(ge=1)  # more than this: flagged as a bot
    outlier_z: float = Field(gt=0)  # values and durations further out on a robust log scale: flagged
    gx_rows: int = Field(ge=1)  # Great Expectations sees at most this many rows (a hash sample beyond)


class FillParams(Section):
    rule: Literal["constant", "median", "interpolate"]
    value: float


class NumberParams(Section):
    scale: Literal["none", "min_max", "standard", "robust", "log"]
    fill: FillParams


class FeatureParams(Section):
    session_gap_s: int = Field(gt=0)
    cells: list[int]  # H3 resolutions, coarse first
    numbers: dict[str, NumberParams]  # gap_s, distance_km, speed_kmh, duration_s, value
    min_item_events: int = Field(ge=1)  # rarer items of the training window are unknown to the networks
    max_rows_in_memory: int = Field(ge=1)  # above this the store is built bucket by bucket


class WindowParams(Section):
    tune: str = Span
    blend: str = Span
    test: str = Span


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


class EncoderParams(Section):
    kind: str  # a name of components.models.encoders.ENCODERS
    options: dict[str, float | int | str | bool]


class TransitionParams(Section):
    """What followed the last items in the histories of all, as counted in the training window."""

    lags: int = Field(ge=0, le=8)  # of the last items, how many are looked up; 0: none
    successors: int = Field(ge=1, le=1000)  # kept for each item and lag


class NetworkParams(Section):
    """One sequence model."""

    encoder: EncoderParams
    width: int = Field(ge=4)
    max_history: int = Field(ge=1)
    dropout: float = Fraction
    inputs: list[str]  # of item, action, numbers, clock, cells, device, category, position
    heads: dict[str, float]  # of item, action, time, place, place_coarse, category → weight of its loss
    time_components: int = Field(ge=1)
    target_time: Literal["hidden", "given"]
    conditioning: Literal["film", "rotation"]  # how the request's time changes the state
    copy_heads: int = Field(ge=0, le=64)  # pointers into the user's own history; 0: none
    transitions: TransitionParams
    item_bias: bool  # each item has a logit of its own, which begins at its popularity
    distance: bool  # the item head knows how far each item is from the user
    temperature: float | None = Field(gt=0)  # cosine of state and item, divided by this; null: their dot product


class ItemLossParams(Section):
    """Loss of the item head; what its kind does not read is ignored."""

    kind: Literal["full", "sampled", "gbce"]  # softmax over the catalogue; over drawn items; gBCE against drawn items
    negatives: int = Field(ge=1)  # items drawn per step, shared by its targets
    alpha: float = Fraction  # sampled: drawn by training events to this power; 0: evenly
    logq: bool  # sampled: scores of drawn items are corrected by how likely they were drawn
    t: float = Fraction  # gbce: 0 plain, 1 calibrated
    softmax_weight: float = Field(ge=0)  # of the softmax's own loss, where copies or transitions are mixed with it


class AugmentParams(Section):
    """What training changes in its inputs; nothing is changed where all are 0 and false."""

    mask: float = Fraction  # share of the items of a history that are shown as unknown
    reorder_ties: bool  # events of one user and time are shuffled each epoch
    time_noise_s: float = Field(ge=0)  # deviation
    place_noise_km: float = Field(ge=0)  # deviation, north and east each


class OptimiserParams(Section):
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    betas: tuple[float, float]
    warmup_steps: int = Field(ge=0)
    schedule: Literal["constant", "cosine"]
    clip_norm: float = Field(gt=0)


class TrainParams(Section):
    """The loop, shared by every network unless a model overrides it."""

    epochs: int = Field(ge=1)
    patience: int = Field(ge=1)  # evaluations without a better score on the tune window
    choose_by: Literal["primary", "log_likelihood"]  # that score: evaluation.primary, or the likelihood of all heads
    tokens_per_batch: int = Field(ge=1)
    crops: Literal["last", "chunks", "rolling"]  # of long users: the end; all; all, recut each epoch
    optimiser: OptimiserParams
    targets: Literal["all", "in_session"]  # answers that are learned: all, or those that follow in the same session
    open_intervals: bool  # silence until the end of training is learned from; false where sequences were cut short
    label_smoothing: float = Fraction  # of the full item loss
    item_loss: ItemLossParams
    loss_weights: Literal["fixed", "learned"]  # of the heads; learned ones start at the fixed
    augment: AugmentParams
    calibration: Literal["none", "temperature"]  # of item and action, fitted on the tune window after training
    average: float = Field(ge=0, lt=1)  # decay per step of a running mean of the weights, judged and kept; 0: none
    precision: Literal["auto", "float32", "bfloat16"]
    device: Literal["auto", "cpu", "cuda"]
    compile: bool
    checkpoint_every_steps: int = Field(ge=1)
    max_tune_queries: int = Field(ge=1)


class ModelParams(Section):
    """One entry of `train.models`: a candidate model, or a part of one."""

    kind: Literal["memory", "network"]
    network: NetworkParams | None
    overrides: dict[str, Any]  # keys of TrainParams


class BlendParams(Section):
    """A mixture of candidate models, weights by EM on the blend window."""

    parts: list[str]
    history_buckets: list[int]  # edges of history length; each bucket has its own weights
    em_steps: int = Field(ge=1)
    candidate: bool  # whether it may be promoted


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
    baselines: dict[str, BaselineParams]
    blend: BlendParams
    rankers: dict[str, RankerParams]

    @property
    def mixed(self) -> dict[str, BlendParams | RankerParams]:
        """What is made of other learners, by name: the blend where it has parts, and the rankers."""
        return {**({"blend": self.blend} if self.blend.parts else {}), **self.rankers}


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


class FlowParams(Section):
    cron: str
    timeout_s: int = Field(ge=1)
    retries: int = Field(ge=0)
    retry_delay_s: int = Field(ge=0)


class Params(Section):
    """The whole file."""

    workspace: WorkspaceParams
    events: EventParams
    simulation: SimulationParams
    validation: ValidationParams
    features: FeatureParams
    windows: WindowParams
    memory: MemoryParams
    training: TrainingParams
    evaluation: EvaluationParams
    gate: GateParams
    policy: PolicyParams
    serving: ServingParams
    flow: FlowParams


def load_params(path: Path) -> Params:
    """Read and check `params.yaml`.

    Raises
    ------
    ConfigError
        The file is missing, is not plain YAML, or a key is missing, unknown or out of range.
    """
    try:
        record = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise ConfigError(
            f"a workspace's {path.name}",
            found=f"no file at {path}",
            do="Run `chronotope init DIR`, or pass its folder.",
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"plain YAML in {path}", found=str(error), do="Mend the file.") from error
    return parse_params(record, str(path))


def parse_params(record: Any, where: str) -> Params:
    """Check a record that was read from `where`."""
    try:
        return Params.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"a valid value at `{key}`", found=f"{first['msg']} (got {first['input']!r:.80}) in {where}", do="Mend it."
        ) from error


def check_agreement(params: Params) -> None:
    """What is trained, judged and served in a workspace must be the same question.

    Raises
    ------
    ConfigError
        A network is trained for another `target_time` than it is judged by, the service keeps less history than a
        model reads, or ties are shuffled outside a benchmark.
    """
    asked = params.evaluation.target_time
    for name, model in params.training.models.items():
        if model.network is not None and model.network.target_time != asked:
            key = f"training.models.{name}.network.target_time"
            raise ConfigError(
                f"`{key}` to be evaluation.target_time",
                found=f"{model.network.target_time}, not {asked}",
                do="Set both alike.",
            )
    reads = {"memory.max_history": params.memory.max_history} | {
        f"training.models.{name}.network.max_history": model.network.max_history
        for name, model in params.training.models.items()
        if model.network is not None
    }
    longest = max(reads, key=lambda key: reads[key])
    if params.serving.history < reads[longest]:
        raise ConfigError(
            f"`serving.history` of at least `{longest}`, so that a model is served what it was judged with",
            found=f"{params.serving.history}, less than {reads[longest]}",
            do="Raise the one or lower the other.",
        )
    if params.evaluation.ties == "shuffled":
        raise ConfigError(
            "evaluation.ties `source` or `basket` in a workspace",
            found="shuffled",
            do="Use `chronotope benchmark --ties shuffled`.",
        )
