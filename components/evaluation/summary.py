"""From judgements to one record: the figures that the table, the report, DVC and the registry show.

`record_of` takes the judgements of all models of one window and returns plain JSON. Nothing here asks a predictor,
and no figure is shown that the judgements do not hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from components.evaluation import metrics
from components.evaluation.ahead import differences
from components.evaluation.calibration import action_reliability, item_reliability
from components.evaluation.costs import rules_cost
from components.evaluation.data import data_record
from components.evaluation.gaps import largest_gaps
from components.evaluation.groups import Groups
from components.evaluation.judgement import QUANTILES, TOP, Judgement
from components.evaluation.popularity import training_counts
from components.evaluation.significance import Bootstrap, Estimate
from components.evaluation.slices import Masks, declared, slices
from components.evaluation.verdict import verdict
from components.features.store import WINDOWS, Store
from components.params import EvaluationParams, Segment
from components.predictor import TimeDistribution

Kind = Literal["model", "baseline", "observer"]
Record = dict[str, Any]
#: Name of a training curve → its (step, value) points.
Curves = Mapping[str, Sequence[tuple[float, float]]]


@dataclass(frozen=True)
class Judged:
    """A judgement and what the judged one is: a model, a baseline, or an observer who knows the generator.

    `adds` is what each learner adds to it, where it is made of several (see `ranking.adds`).
    """

    judgement: Judgement
    kind: Kind
    curves: Curves | None = None
    adds: Record | None = None


def metric_names(ks: Sequence[int]) -> list[str]:
    """Names of the metrics of ranked items at every k."""
    return [f"{kind}@{k}" for kind in metrics.AT_K for k in ks] + ["mrr"]


def record_of(
    judged: Sequence[Judged],
    store: Store,
    params: EvaluationParams,
    seed: int,
    groups: Groups | None = None,
    min_group_queries: int = 1,
) -> Record:
    """Everything that is known about the models of one window.

    Parameters
    ----------
    judged : all of the same queries; the first is as good as any
    store : the log they were judged on
    params : metrics, bootstrap, baselines
    seed : of the bootstrap
    groups : of users and items (`evaluation.groups`): slices of their own, whose largest gaps are told
    min_group_queries : of smaller groups no gap is told

    Returns
    -------
    dict
        `protocol`, `data`, `primary`, `confidence`, `models` (best first), `verdict`; JSON without NaN.
    """
    first = judged[0].judgement
    bootstrap = Bootstrap(first.user, params.bootstrap, params.confidence, seed)
    actions = [str(name) for name in store.encoding.vocabularies["action"].ids]
    masks = slices(first, params.history_slices, actions, groups)
    apart = declared(masks, groups)
    rows = [_model(one, store, params, bootstrap, masks) for one in judged]
    for row, one in zip(rows, judged, strict=True):
        row["gaps"] = largest_gaps(one.judgement.metric(params.primary), apart, bootstrap, min_group_queries)
    names, kinds = [one.judgement.model for one in judged], [one.kind for one in judged]
    values = np.stack([one.judgement.metric(params.primary) for one in judged], axis=1)
    for row, distance in zip(rows, differences(names, kinds, values, bootstrap), strict=True):
        row.update(distance)
    rows.sort(key=lambda row: -(row["metrics"][params.primary]["value"] or 0.0))
    record = {
        "protocol": first.protocol.record() | {"window": first.window},
        "data": data_record(store) | first.about,
        "primary": params.primary,
        "confidence": params.confidence,
        "models": rows,
        "time_constant": _constant_time(first, store),
    }
    return record | {"verdict": verdict(record)}


def _model(
    one: Judged, store: Store, params: EvaluationParams, bootstrap: Bootstrap, masks: dict[str, Masks]
) -> Record:
    judgement = one.judgement
    names = metric_names(params.ks)
    values = np.stack([judgement.metric(name) for name in names], axis=1)
    found = bootstrap.means(values)
    primary = judgement.metric(params.primary)
    return {
        "model": judgement.model,
        "kind": one.kind,
        "metrics": {name: estimate.record() for name, estimate in zip(names, found, strict=True)},
        "nats": _mean(_floor(judgement.column("log_p"))),
        "lists": _lists(judgement, store),
        "rules": rules_cost(judgement, store.encoding.catalogue.category, bootstrap, get_args(Segment)),
        "calibration": _calibration(judgement),
        "slices": _slices(primary, masks, bootstrap, judgement),
        "action": _action(judgement, bootstrap),
        "time": _time(judgement, bootstrap),
        "place": _place(judgement, bootstrap),
        "adds": one.adds,
        "curves": {name: [[float(x), float(y)] for x, y in points] for name, points in (one.curves or {}).items()},
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _floor(log_p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-probabilities with one in a billion as the least: one impossible answer must not hide all others."""
    return np.where(np.isnan(log_p), np.nan, np.maximum(log_p, np.log(1e-9)))


def _lists(judgement: Judgement, store: Store) -> Record:
    """Coverage, Gini, diversity, novelty and popularity bias of the first TOP items."""
    count, lists = training_counts(store), judgement.lists
    category = np.asarray(store.encoding.catalogue.category)
    several = len(np.unique(category[2:])) > 1
    return {
        "k": TOP,
        "coverage": _number(metrics.coverage(lists, judgement.n_items)),
        "gini": _number(metrics.gini(lists, judgement.n_items)),
        "diversity": _mean(metrics.intra_list_diversity(lists, category)) if several else None,
        "novelty_bits": _mean(metrics.novelty(lists, count)),
        "popularity_lift": _number(metrics.popularity_lift(lists, judgement.targets, count)),
    }


def _mean(values: NDArray[np.float64]) -> float | None:
    return None if np.isnan(values).all() else float(np.nanmean(values))


def _calibration(judgement: Judgement) -> Record:
    action = action_reliability(judgement)
    return {"item": item_reliability(judgement).record()} | ({"action": action.record()} if action else {})


def _slices(
    primary: NDArray[np.float64], masks: dict[str, Masks], bootstrap: Bootstrap, judgement: Judgement
) -> dict[str, list[Record]]:
    """The primary metric in each slice with its interval; one pass of the bootstrap for all."""
    keys = [(dimension, name) for dimension, inside in masks.items() for name in inside]
    if not keys:
        return {}
    columns = np.stack([np.where(masks[one][name], primary, np.nan) for one, name in keys], axis=1)
    found: dict[str, list[Record]] = {}
    for (dimension, name), estimate, column in zip(keys, bootstrap.means(columns), columns.T, strict=True):
        counted = ~np.isnan(column)
        row = {"name": name, "queries": int(counted.sum()), "users": len(np.unique(judgement.user[counted]))}
        found.setdefault(dimension, []).append(row | estimate.record())
    return found


def _action(judgement: Judgement, bootstrap: Bootstrap) -> Record | None:
    if not judgement.has("action_p"):
        return None
    chance, truth = judgement.matrix("action_p"), judgement.table["action"].to_numpy().astype(np.int64)
    guess = chance.argmax(axis=1)
    usual = np.bincount(truth).argmax() if len(truth) else 0
    return {
        "accuracy": bootstrap.mean((guess == truth).astype(np.float64)).record(),
        "always_the_commonest": _number(float(np.mean(truth == usual))) if len(truth) else None,
        "macro_f1": _number(metrics.macro_f1(truth, guess)),
        "auc": _number(metrics.macro_auc(truth, chance)),
        "ece": _number(metrics.expected_calibration_error(chance.max(axis=1), guess == truth)),
    }


def _time(judgement: Judgement, bootstrap: Bootstrap) -> Record | None:
    if not judgement.has("time_ll") or not len(judgement):
        return None
    gap_s = judgement.column("gap_s")
    return _time_record(
        judgement.column("time_ll"), judgement.column("time_crps"), judgement.matrix("time_q"), gap_s, bootstrap
    )


def _time_record(
    log_density: NDArray[np.float64],
    crps: NDArray[np.float64],
    quantile_s: NDArray[np.float64],
    gap_s: NDArray[np.float64],
    bootstrap: Bootstrap | None,
) -> Record:
    """Figures of one time distribution; the gap is -1 where nothing was visible."""
    asked = gap_s >= 0
    error_h = np.where(asked, np.abs(quantile_s[:, QUANTILES.index(0.5)] - gap_s) / 3600, np.nan)

    def estimate(values: NDArray[np.float64]) -> Record:
        if bootstrap is None:
            return Estimate(_mean(values) or 0.0, float("nan"), float("nan")).record()
        return bootstrap.mean(values).record()

    record = {"log_likelihood": estimate(log_density), "mae_h": estimate(error_h), "crps_log": estimate(crps)}
    for share, low, high in ((50, 0.25, 0.75), (80, 0.1, 0.9), (95, 0.025, 0.975)):
        a, b = quantile_s[:, QUANTILES.index(low)], quantile_s[:, QUANTILES.index(high)]
        record[f"inside_{share}"] = estimate(np.where(asked, (gap_s >= a) & (gap_s <= b), np.nan))
    return record


def _constant_time(judgement: Judgement, store: Store) -> Record | None:
    """One log-normal fitted to all training gaps: what a time head must beat."""
    gap_s = judgement.column("gap_s")
    train = np.asarray(store["gap_s"])[np.asarray(store["window"]) == WINDOWS["train"]]
    known = np.log1p(train[train >= 0].astype(np.float64))
    if len(known) < 2 or not (gap_s >= 0).any():
        return None
    shape = (int((gap_s >= 0).sum()), 1)
    asked = gap_s[gap_s >= 0]
    mean, sigma = np.full(shape, known.mean()), np.full(shape, max(float(known.std()), 1e-3))
    one = TimeDistribution(np.ones(shape, np.float32), mean.astype(np.float32), sigma.astype(np.float32))
    quantile = np.stack([one.quantile(q) for q in QUANTILES], axis=1)
    crps = metrics.crps_log(np.ones(shape), mean, sigma, np.log1p(asked))
    return _time_record(one.log_density(asked), crps, quantile, asked, None)


def _place(judgement: Judgement, bootstrap: Bootstrap) -> Record | None:
    if not judgement.has("cell_rank"):
        return None
    rank = judgement.column("cell_rank")
    if np.isnan(rank).all():
        return None
    there = np.where(np.isnan(rank), np.nan, 1.0)
    return {
        f"accuracy@{k}": bootstrap.mean(np.where(np.isnan(rank), np.nan, rank <= k)).record() for k in (1, 5, 10)
    } | {
        "median_km": _median(judgement.column("error_km")),
        "median_expected_km": _median(judgement.column("expected_km")),
        "queries": int(np.nansum(there)),
    }


def _median(values: NDArray[np.float64]) -> float | None:
    return None if np.isnan(values).all() else _number(float(np.nanmedian(values)))
