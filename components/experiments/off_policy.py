"""What another way of ranking would have brought, from what was shown by this one with known chances.

Three estimates of the mean reward of a target: weighting (IPS), weighting with weights that sum to one (SNIPS), and a
model of rewards that weighting corrects (doubly robust). All of them know only what chance has shown: where the target
would show what was never shown, none can say anything, and `Estimates.doubts` says so.

References
----------
Horvitz, Thompson (1952); Swaminathan, Joachims (2015), The self-normalized estimator for counterfactual learning;
Dudík, Langford, Li (2011), Doubly robust policy evaluation and learning; Ionides (2008), Truncated importance sampling
(the clipping); Kong (1992), effective sample size.

Never here: where the log comes from (`experiments.replayed`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.errors import DataError
from components.evaluation.significance import Bootstrap, Estimate

Floats = NDArray[np.float64]
_FOLDS = 2
_SHRINK = 20.0  # showings that pull an item's mean to that of all
_LEAST_EFFECTIVE = 100.0
_SURE = 3.3  # standard errors from 1 at which the mean weight is doubted: one false doubt in a thousand


@dataclass(frozen=True)
class Logged:
    """Decisions of the policy that served, one a row.

    Attributes
    ----------
    user : (N,) whose; decisions of one user depend on each other
    shown : (N,) int code of what was shown
    wanted : (N, A) int codes that the target may show, -1 where there are fewer
    reward : (N,) what came of it
    chance : (N,) of what was shown, under the policy that served; in (0, 1]
    target : (N, A) of each wanted code, under the target; rows sum to 1
    foreknown : share of the decisions after which events happened that the target was made from
    """

    user: NDArray[np.int64]
    shown: NDArray[np.int64]
    wanted: NDArray[np.int64]
    reward: Floats
    chance: Floats
    target: Floats
    foreknown: float = 0.0

    def __post_init__(self) -> None:
        if not len(self.user) or not np.all((self.chance > 0) & (self.chance <= 1)):
            raise DataError(
                "decisions with the chance of each, above 0 and at most 1",
                found=f"{len(self.user):,} decisions, chances from {np.min(self.chance, initial=1.0):g}",
                do="Log what is shown with its true chance (docs/experiments.md).",
            )

    @property
    def target_of_shown(self) -> Floats:
        """(N,) probability of what was shown, under the target."""
        return np.where(self.wanted == self.shown[:, None], self.target, 0.0).sum(axis=1)


@dataclass(frozen=True)
class Estimates:
    """What the target would have brought for each decision.

    Attributes
    ----------
    served : mean reward of the policy that served
    ips, snips, robust : of the target, with intervals by user
    decisions, users : how many
    effective : decisions that weigh as much as these do
    clipped : share of weights that were cut to the most
    mean_weight : 1 where the log could have shown all that the target would show
    doubts : why the estimates must not be believed, in sentences; empty: no reason was found
    """

    served: Estimate
    ips: Estimate
    snips: Estimate
    robust: Estimate
    decisions: int
    users: int
    effective: float
    clipped: float
    mean_weight: Estimate
    doubts: tuple[str, ...]


def estimates(logged: Logged, most: float, *, draws: int, confidence: float, seed: int) -> Estimates:
    """Estimate the mean reward of the target.

    Parameters
    ----------
    logged : decisions of the policy that served
    most : weights are cut to this: less variance, and a bias towards 0 (IPS, SNIPS) or the model (doubly robust)
    draws, confidence, seed : of the bootstrap of users
    """
    bootstrap = Bootstrap(logged.user, draws, confidence, seed)
    raw = logged.target_of_shown / logged.chance
    weight = np.minimum(raw, most)
    shown_worth, target_worth = _worth(logged)
    robust = target_worth + weight * (logged.reward - shown_worth)
    mean_weight = bootstrap.mean(raw)
    unsure = _SURE * float(np.std(bootstrap.samples(raw)))
    effective = float(weight.sum() ** 2 / np.sum(weight**2)) if weight.any() else 0.0
    return Estimates(
        served=bootstrap.mean(logged.reward),
        ips=bootstrap.mean(weight * logged.reward),
        snips=_ratio(weight * logged.reward, weight, bootstrap),
        robust=bootstrap.mean(robust),
        decisions=len(logged.user),
        users=len(np.unique(logged.user)),
        effective=effective,
        clipped=float(np.mean(raw > most)),
        mean_weight=mean_weight,
        doubts=tuple(_doubts(logged, mean_weight.value, unsure, effective)),
    )


def _ratio(top: Floats, bottom: Floats, bootstrap: Bootstrap) -> Estimate:
    """Mean of top over mean of bottom, on the same draws."""
    if not bottom.any():
        return Estimate(float("nan"), float("nan"), float("nan"))
    drawn = bootstrap.samples(np.column_stack([top, bottom]))
    ratio = np.divide(drawn[:, 0], drawn[:, 1], out=np.full(len(drawn), np.nan), where=drawn[:, 1] > 0)
    low, high = bootstrap.interval(ratio)
    return Estimate(float(top.sum() / bottom.sum()), float(low), float(high))


def _worth(logged: Logged) -> tuple[Floats, Floats]:
    """(N,) the reward model's word on what was shown, and on what the target would show.

    The model is the mean reward of an item, drawn to that of all items; each half of the users is told by the other
    half, so that no decision speaks of itself.
    """
    codes = int(max(logged.shown.max(), logged.wanted.max())) + 1
    fold = np.unique(logged.user, return_inverse=True)[1] % _FOLDS
    shown, target = np.zeros(len(fold)), np.zeros(len(fold))
    for one in range(_FOLDS):
        inside = fold == one
        others = ~inside if not inside.all() else inside
        count = np.bincount(logged.shown[others], minlength=codes)
        total = np.bincount(logged.shown[others], weights=logged.reward[others], minlength=codes)
        mean = (total + _SHRINK * logged.reward[others].mean()) / (count + _SHRINK)
        shown[inside] = mean[logged.shown[inside]]
        target[inside] = np.sum(mean[logged.wanted[inside]] * logged.target[inside], axis=1)
    return shown, target


def _doubts(logged: Logged, mean_weight: float, unsure: float, effective: float) -> list[str]:
    doubts = []
    if logged.foreknown > 0:
        doubts.append(
            f"The target was made from events later than {logged.foreknown:.0%} of the lists: it may know what came of "
            "them, and every estimate flatters it. Take a model that was trained before the lists were shown."
        )
    if np.all(logged.chance == 1.0):
        doubts.append(
            "No overlap: everything was shown with certainty, so nothing is known of what was not shown. Begin an "
            "experiment with `--explore` above 0."
        )
    elif not logged.target_of_shown.any():
        doubts.append("No overlap: nothing that the target would show was ever shown. Nothing can be said of it.")
    if mean_weight + unsure < 1.0:
        doubts.append(
            f"The weights average {mean_weight:.2f} and not 1: part of what the target would show was never "
            "shown, and counts as 0 here; only the doubly robust figure guesses at it."
        )
    elif mean_weight - unsure > 1.0:
        doubts.append(f"The weights average {mean_weight:.2f} and not 1: the logged chances are not the true ones.")
    if effective < _LEAST_EFFECTIVE:
        doubts.append(
            f"The decisions weigh as {effective:,.0f} would; below {_LEAST_EFFECTIVE:.0f}, trust no interval."
        )
    return doubts
