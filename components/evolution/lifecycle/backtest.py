"""Was the forecast of states any good? Markov beside "as last time", from several origins, each with what was known.

At each origin the chain is learned from the moves before it. Intervals draw users anew, the same for every method
(`measures.spread`): what is uncertain is who happened to be there, given the forecasts.

Never here: a forecast of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.errors import DataError
from components.evolution.lifecycle.measures import spread
from components.evolution.lifecycle.states import ABSENT
from components.evolution.lifecycle.transitions import S, chain, count_moves
from components.evolution.significance import Estimate

Floats = NDArray[np.float64]
METHODS = ("markov", "as_last_time", "shares_of_now")
METRICS = ("share_error", "accuracy", "brier", "log_loss")


@dataclass(frozen=True)
class Score:
    """A metric of one method, mean over origins, and its paired difference to "as last time"."""

    steps: int
    method: str
    metric: str
    estimate: Estimate
    difference: Estimate


def backtest(
    states: NDArray[np.int8],
    steps: tuple[int, ...],
    origins: int,
    window: int,
    draws: int,
    confidence: float,
    seed: int,
) -> list[Score]:
    """Score forecasts of the states `steps` moments ahead, from the latest origins that leave room for it.

    Parameters
    ----------
    states : (U, M) codes of STATES
    steps : moments ahead, each ≥ 1
    origins : how many, at most; the first has two moments before it at least
    window : how many of the latest moves before an origin the chain is learned from; habits of long ago mislead
    draws, confidence, seed : of the bootstrap over users

    Returns
    -------
    list of Score
        share_error: half the sum of distances between forecast and found shares of the states, 0 … 1. accuracy: of the
        likeliest state. brier: sum over states of squared distances, 0 … 2. log_loss: nats; ∞ where a method says
        never and it happens.

    Raises
    ------
    DataError
        There are too few moments for one origin.

    References
    ----------
    Brier (1950), Verification of forecasts expressed in terms of probability, Monthly Weather Review 78; rolling
    origins: Tashman (2000), Out-of-sample tests of forecasting accuracy, International Journal of Forecasting 16.
    """
    if states.shape[1] < 2 + max(steps):
        raise DataError(
            f"at least {2 + max(steps)} moments to look back on {max(steps)} steps",
            found=str(states.shape[1]),
            do="Take a longer log, moments that are nearer, or fewer steps.",
        )
    paths, count = np.unique(states, axis=0, return_counts=True)
    asked = [(ahead, origin) for ahead in steps for origin in _origins(states.shape[1], ahead, origins)]
    tables = _tables(paths, count, asked, draws, seed)
    found: dict[int, list[Floats]] = {ahead: [] for ahead in steps}
    for (ahead, origin), table in zip(asked, tables, strict=True):
        learned = paths[:, max(0, origin - window) : origin + 1]
        moving = np.linalg.matrix_power(chain(count_moves(learned, count.astype(np.float64))), ahead)
        shares = table[0].sum(axis=1) / max(table[0].sum(), 1)
        said = (moving, np.eye(S), np.broadcast_to(shares, (S, S)))
        found[ahead].append(np.stack([_metrics(one, table) for one in said]))
    return [score for ahead in steps for score in _scores(np.mean(found[ahead], axis=0), ahead, confidence)]


def _origins(moments: int, ahead: int, most: int) -> range:
    """The latest moments that have one move before them, and `ahead` moments after."""
    last = moments - 1 - ahead
    return range(max(1, last - most + 1), last + 1)


def _tables(
    paths: NDArray[np.int8], count: NDArray[np.int64], asked: list[tuple[int, int]], draws: int, seed: int
) -> Floats:
    """(asked, 1 + draws, S, S) users by state at the origin and `ahead` later: as they were, then drawn anew."""
    cells = []
    for ahead, origin in asked:
        start, end = paths[:, origin].astype(np.int64), paths[:, origin + ahead].astype(np.int64)
        cells.append(np.where(start == ABSENT, S * S, (start - 1) * S + end - 1))  # who is not there falls off the end
    rng, n = np.random.default_rng(seed), int(count.sum())
    found = np.empty((len(asked), 1 + draws, S * S))
    for draw in range(1 + draws):
        weight = rng.multinomial(n, count / n) if draw else count
        for k, cell in enumerate(cells):
            found[k, draw] = np.bincount(cell, weight, S * S + 1)[:-1]
    return found.reshape(len(asked), 1 + draws, S, S)


def _metrics(said: Floats, table: Floats) -> Floats:
    """(metrics, D) of probabilities (S, S), by state now, against D tables (D, S, S) of users by state now and then."""
    total = table.sum(axis=(1, 2))
    forecast, found = np.einsum("dst,su->du", table, said), table.sum(axis=1)
    likeliest = np.zeros_like(said)
    likeliest[np.arange(S), said.argmax(axis=1)] = 1
    squares = (said**2).sum(axis=1, keepdims=True) - 2 * said + 1
    with np.errstate(divide="ignore"):
        surprise = np.where(table > 0, -np.log(said), 0.0)
    each = [np.abs(forecast - found).sum(axis=1) / 2]
    each += [np.einsum("dst,st->d", table, one) for one in (likeliest, squares)]
    each.append(np.sum(np.where(table > 0, table * surprise, 0.0), axis=(1, 2)))
    return np.stack(each) / np.maximum(total, 1)


def _scores(found: Floats, ahead: int, confidence: float) -> list[Score]:
    scores = []
    for m, method in enumerate(METHODS):
        for k, metric in enumerate(METRICS):
            if (method, metric) == ("shares_of_now", "share_error"):
                continue  # that of "as last time", by definition
            mine, other = found[m, k], found[METHODS.index("as_last_time"), k]
            gap = mine - other if np.isfinite([mine, other]).all() else np.full_like(mine, np.nan)
            scores.append(Score(ahead, method, metric, spread(mine, confidence), spread(gap, confidence)))
    return scores
