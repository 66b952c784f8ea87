"""One sequence model, and how it learns."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from components.params.section import Fraction, Section


class EncoderParams(Section):
    kind: str  # a name of components.models.encoders.ENCODERS
    options: dict[str, float | int | str | bool]


class TransitionParams(Section):
    """What followed the last items in the histories of all, as counted in the training window."""

    lags: int = Field(ge=0, le=8)  # of the last items, how many are looked up; 0: none
    successors: int = Field(ge=1, le=1000)  # kept for each item and lag


class VectorUseParams(Section):
    """Vectors of `features.vectors` that are a part of each item, projected."""

    sources: list[str]  # names; none: an item is its id (and category) alone
    drop: float = Field(
        ge=0, lt=1
    )  # share of the items whose id training hides in a step, so that vectors answer alone


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
    vectors: VectorUseParams
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
    time_hidden: float = Fraction  # share of the requests without their time, where a model is given it


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
    finish_epochs: int = Field(ge=0)  # over training and tune window together, after the choice; 0: none
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
    seed: int = Field(ge=0)  # added to workspace.seed: the same network drawn anew
    start_from: str | None  # folder of a trained network or an artifact whose weights it begins with
