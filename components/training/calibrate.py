"""Temperatures of a trained model: one number per head that makes 30 % mean 30 %, fitted on the tune window.

Source: Guo et al., On calibration of modern neural networks (ICML 2017). A temperature changes how sure an answer is
and never which answer is better. Never looks at a later window, and never changes a weight.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from components.errors import IntegrityError
from components.evaluation.metrics import expected_calibration_error
from components.models.heads import RESERVED
from components.models.sequence import Answers, SequenceModel
from components.training.device import Precision
from components.training.tune import Judge, answers, blocks

CALIBRATED = ("item", "action")
_CELLS = 1 << 26  # log-probabilities held at once, beyond the fewest queries
_FEWEST = 256  # queries, however large the catalogue
_BLOCK = 1 << 22
_COLDEST, _HOTTEST = 0.1, 10.0
_STEPS = 20


def fit_temperature(log_p: Tensor, target: Tensor, row: Tensor | None = None, weight: Tensor | None = None) -> float:
    """Temperature T under which softmax(log_p / T) makes `target` likeliest; in 0.1 … 10.

    In β = 1 / T the negative log-likelihood is convex: Newton's steps, kept within a shrinking bracket.

    Parameters
    ----------
    log_p : (Q, K) log-probabilities
    target : (T,) int64 in 0..K-1; a negative one is skipped
    row : (T,) int64 the row of log_p that each target answers, of a basket several; None: row i has target i
    weight : (T,) by which each target counts; None: all alike

    Returns
    -------
    float
        1.0 where there is nothing to fit on.
    """
    known = torch.nonzero(target >= 0)[:, 0]
    row = torch.arange(len(target), device=log_p.device) if row is None else row
    weight = torch.ones(len(target), device=log_p.device) if weight is None else weight
    low, high, beta = 1 / _HOTTEST, 1 / _COLDEST, 1.0
    if not len(known):
        return 1.0
    for _ in range(_STEPS):
        slope, bend = _slope(log_p, target, row, weight, known, beta)
        low, high = (beta, high) if slope < 0 else (low, beta)
        step = beta - slope / bend if bend > 0 else math.inf
        following = step if low < step < high else math.sqrt(low * high)
        if abs(following - beta) < 1e-6 * beta:
            break
        beta = following
    return 1.0 / beta


def _slope(
    log_p: Tensor, target: Tensor, row: Tensor, weight: Tensor, known: Tensor, beta: float
) -> tuple[float, float]:
    """First and second derivative by β of the weighed sum of the negative log-likelihood, block by block."""
    slope = bend = 0.0
    for part in torch.split(known, max(1, _BLOCK // log_p.shape[1])):
        x = log_p[row[part]]  # (m, K)
        p = torch.softmax(beta * x, 1)
        x = x.clamp_min(-1e4)  # 0 · ∞ is 0 here
        mean = (p * x).sum(1)
        own = x.gather(1, target[part, None])[:, 0]
        slope += float((weight[part] * (mean - own)).double().sum())
        bend += float((weight[part] * ((p * x**2).sum(1) - mean**2)).double().sum())
    return slope, bend


def calibrated(found: Answers, temperatures: Mapping[str, float]) -> Answers:
    """The same answers, as sure as the temperatures say; what has temperature 1 keeps its bytes."""
    changed: dict[str, Any] = {
        head: torch.log_softmax(getattr(found, head) / temperature, 1)
        for head, temperature in temperatures.items()
        if temperature != 1.0 and getattr(found, head) is not None
    }
    return replace(found, **changed) if changed else found


def checked(record: object) -> dict[str, float]:
    """Temperatures as they were saved.

    Raises
    ------
    IntegrityError
        Not one number in 0.1 … 10 for each head.
    """
    if isinstance(record, dict) and set(record) <= set(CALIBRATED):
        found = {str(head): value for head, value in record.items()}
        if all(isinstance(value, float) and _COLDEST <= value <= _HOTTEST for value in found.values()):
            return found
    raise IntegrityError("temperatures in 0.1 … 10 by head", found=f"{record!r:.80}", do="Train the model again.")


@torch.no_grad()
def calibrate(model: SequenceModel, judge: Judge, precision: Precision) -> tuple[dict[str, float], dict[str, float]]:
    """Fit the temperatures on the judge's queries, or on as many of them as fit into memory; a basket counts once.

    Returns
    -------
    temperatures : head → T
    row : of the curves: each T, and the expected calibration error of the likeliest answer before and after, on the
        same queries
    """
    most = max(_FEWEST, _CELLS // max(model.config.items, 1))
    chosen = np.unique(np.linspace(0, len(judge) - 1, min(most, len(judge))).round().astype(np.int64))
    model.eval()
    queries = judge.queries[chosen]
    parts = [answers(model, queries[part], precision) for part in blocks(queries, model)]
    every, size = np.arange(len(chosen)), np.diff(judge.offsets)[chosen]
    place = np.repeat(judge.offsets[chosen] - (np.cumsum(size) - size), size) + np.arange(int(size.sum()))
    codes = {
        "item": (judge.item[place], np.repeat(every, size)),
        "action": (judge.action[chosen].astype(np.int64), every),
    }
    temperatures: dict[str, float] = {}
    row: dict[str, float] = {}
    for head, (code, at) in codes.items():
        columns = [getattr(part, head) for part in parts]
        if not columns or columns[0] is None:
            continue
        log_p = torch.cat(columns).float()
        target = torch.from_numpy(np.maximum(code - RESERVED, -1)).to(log_p.device)
        rows = torch.from_numpy(at).to(log_p.device)
        target = _answerable(log_p, target, rows)
        weight = _once(target, rows)
        temperatures[head] = fit_temperature(log_p, target, rows, weight)
        row[f"temperature_{head}"] = temperatures[head]
        row[f"ece_{head}_before"] = _error(log_p, target, rows, 1.0)
        row[f"ece_{head}_after"] = _error(log_p, target, rows, temperatures[head])
    return temperatures, {name: value for name, value in row.items() if not math.isnan(value)}


def _answerable(log_p: Tensor, target: Tensor, row: Tensor) -> Tensor:
    """(T,) the targets; -1 where no temperature could make one likelier, for its item is never answered."""
    own = log_p[row, target.clamp_min(0)]
    return torch.where(torch.isinf(own), -1, target)


def _once(target: Tensor, row: Tensor) -> Tensor:
    """(T,) by which each target counts, so that those of one row that can be answered sum to 1; 0 for the others."""
    known = (target >= 0).float()
    size = torch.zeros(int(row.max()) + 1 if len(row) else 0, device=row.device).index_add_(0, row, known)
    return known / size[row].clamp_min(1)


def _error(log_p: Tensor, target: Tensor, row: Tensor, temperature: float) -> float:
    """Expected calibration error of the likeliest answer, each row once: it is right where it is any of its targets.

    A target that cannot be named is a miss.
    """
    best, at = log_p.max(1)
    said = (best / temperature - torch.logsumexp(log_p / temperature, 1)).exp()
    asked = torch.unique(row)
    hit = torch.zeros(len(log_p), dtype=torch.bool, device=row.device)
    hit[row[at[row] == target]] = True
    return expected_calibration_error(said[asked].double().cpu().numpy(), hit[asked].cpu().numpy())
