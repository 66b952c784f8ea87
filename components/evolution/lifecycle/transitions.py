"""How users move between states from one moment to the next, how surely that is known, and where it leads.

Users who are not there yet do not move; those who have come once stay in one of the six states.

Never here: what a state is (`states`), or whether the forecast is any good (`backtest`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.errors import DataError
from components.evolution.lifecycle.states import ABSENT, STATES
from components.evolution.significance import wilson

Floats = NDArray[np.float64]
PRESENT = STATES[1:]
S = len(PRESENT)


@dataclass(frozen=True)
class Transitions:
    """Moves over one step, from row to column, among the S states of PRESENT.

    Attributes
    ----------
    count : (S, S) int64 moves
    users : (S, S) int64 distinct users who made one
    low, high : (S, S) bounds of the shares of each row; NaN where nobody was
    """

    count: NDArray[np.int64]
    users: NDArray[np.int64]
    low: Floats
    high: Floats

    @property
    def probability(self) -> Floats:
        """(S, S) shares of each row; NaN where nobody was."""
        total = self.count.sum(axis=1, keepdims=True)
        return np.where(total > 0, self.count / np.maximum(total, 1), np.nan)


def count_moves(states: NDArray[np.int8], weight: Floats) -> Floats:
    """(S, S) moves between neighbouring moments in (U, M) states, each row as often as (U,) weights say."""
    known, moves = _moves(states)
    often = np.broadcast_to(weight[:, None], moves.shape)[known]
    return np.bincount(moves[known], often, S * S).reshape(S, S).astype(np.float64)


def transitions(states: NDArray[np.int8], confidence: float) -> Transitions:
    """Shares of the moves between neighbouring moments, with intervals that know that one user moves many times.

    Parameters
    ----------
    states : (U, M) codes of STATES at M ≥ 2 moments
    confidence : of the intervals, within (0, 1)

    Returns
    -------
    Transitions
        Intervals are Wilson's, with the number of moves divided by the design effect: the variance of the share with
        users as clusters over that of independent moves (at least 1). A share of 0 or 1 counts users, not moves.

    Raises
    ------
    DataError
        There are fewer than two moments.

    References
    ----------
    Korn, Graubard (1998), Confidence intervals for proportions with small expected number of positive counts estimated
    from survey data, Survey Methodology 24(2); Wilson (1927), JASA 22.
    """
    if states.shape[1] < 2:
        raise DataError("at least two moments", found=str(states.shape[1]), do="Ask for more moments.")
    known, moves = _moves(states)
    user = np.broadcast_to(np.arange(len(states))[:, None], moves.shape)[known]
    pair, n = np.unique(user * (S * S) + moves[known], return_counts=True)  # moves of one kind by one user
    who, cell = pair // (S * S), pair % (S * S)
    row, began = np.unique(who * S + cell // S, return_inverse=True)
    out_of = np.bincount(began, weights=n)  # moves of that user out of that state
    count = np.bincount(cell, weights=n, minlength=S * S).reshape(S, S)
    people = np.bincount(cell, minlength=S * S).reshape(S, S)
    total = count.sum(axis=1, keepdims=True)
    people_out = np.bincount(row % S, minlength=S)[:, None]
    share = count / np.maximum(total, 1)
    squares = np.bincount(cell, weights=n.astype(float) ** 2, minlength=S * S).reshape(S, S)
    products = np.bincount(cell, weights=n * out_of[began], minlength=S * S).reshape(S, S)
    out_squares = np.bincount(row % S, weights=out_of**2, minlength=S)[:, None]
    clustered = (squares - 2 * share * products + share**2 * out_squares) / np.maximum(total, 1) ** 2
    plain = share * (1 - share) / np.maximum(total, 1)
    sure = plain <= 0
    effect = np.where(sure, total / np.maximum(people_out, 1), clustered / np.where(sure, 1, plain))
    low, high = wilson(share, total / np.maximum(effect, 1), confidence)
    return Transitions(count.astype(np.int64), people.astype(np.int64), low, high)


def chain(count: NDArray) -> Floats:
    """(S, S) transition probabilities of a Markov chain; each row sums to 1.

    One pseudo-move is spread over each row, so that nothing is impossible; a row without moves stays where it is.
    """
    total = count.sum(axis=1, keepdims=True)
    return np.where(total > 0, (count + 1 / S) / (total + 1), np.eye(S))


def forecast(probability: Floats, now: NDArray[np.integer], steps: int) -> Floats:
    """Expected users in each state after 0, 1, … steps; nobody joins.

    Parameters
    ----------
    probability : (S, S) rows sum to 1
    now : (S,) users now
    steps : ≥ 0

    Returns
    -------
    (steps+1, S); each row sums to the users now
    """
    found = [np.asarray(now, np.float64)]
    for _ in range(steps):
        found.append(found[-1] @ probability)
    return np.stack(found)


def _moves(states: NDArray[np.int8]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """(U, M-1) whether the user was there, and from·S + to."""
    start, end = states[:, :-1].astype(np.int64), states[:, 1:].astype(np.int64)
    return start != ABSENT, (start - 1) * S + end - 1
