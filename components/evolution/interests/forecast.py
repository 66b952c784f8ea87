"""Next month's mix of interests of every user, beside "as last month", scored by log-loss per event.

"Last month" is the last one in which the user did anything. A forecast sees whole months before its own alone. How fast
the past fades and how much everybody's mix counts is chosen on earlier months; the last ones are scored once. Never
here: single next items (that is what predictors do).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.errors import DataError
from components.evolution.sequences import Sequences, Windows
from components.evolution.significance import Estimate, mean_by_user

Floats = NDArray[np.float64]
LAST_MONTH, EVERYBODY, ALL_BEFORE = "as last month", "everybody's mix", "all before"


@dataclass(frozen=True)
class Score:
    """Of one way to forecast.

    Attributes
    ----------
    name : LAST_MONTH, EVERYBODY, ALL_BEFORE, or "half-life of h months"
    prior : events that everybody's mix counts for, chosen on the tuning months
    tuned : log-loss on those, nats an event
    loss : log-loss on the scored months, nats an event
    gain : loss of LAST_MONTH less this, paired by unit; above 0: better
    """

    name: str
    prior: float
    tuned: float
    loss: Estimate
    gain: Estimate


@dataclass(frozen=True)
class Forecast:
    """The chosen way and all ways.

    Attributes
    ----------
    chosen : name of the way that was best on the tuning months
    half_life, prior : of that way, months and events; 0 keeps the last active month alone, NaN is everybody's mix
    scores : every way, in the order asked
    units : (U,) whether a unit was scored
    """

    chosen: str
    half_life: float
    prior: float
    scores: list[Score]
    units: NDArray[np.bool_]


def forecast(
    found: Sequences,
    windows: Windows,
    half_lives: Sequence[float],
    priors: Sequence[float],
    scored: int,
    draws: int,
    confidence: float,
    seed: int,
) -> Forecast:
    """Forecast and score every unit's mix of labels.

    Parameters
    ----------
    found : Sequences
    windows : Windows, whole months in order (`sequences.months`)
    half_lives : months after which an event counts half; the ways beside LAST_MONTH, EVERYBODY and ALL_BEFORE
    priors : candidates for the weight of everybody's mix, events, above 0
    scored : how many of the last months are scored; the others but the first choose
    draws, confidence, seed : of the intervals, units drawn anew

    Raises
    ------
    DataError
        There are too few months.

    Notes
    -----
    p(label) = (Σ w(age) n + prior · π) / (Σ w(age) n_total + prior), the posterior mean of a Dirichlet prior around
    everybody's mix π of all months before, itself with half an event of every label (Krichevsky, Trofimov 1981).
    """
    n_windows = windows.low.shape[1]
    if n_windows < scored + 2:
        raise DataError(
            f"at least {scored + 2} months of events",
            found=f"{n_windows}",
            do="Score fewer months, or leave the forecast of interests out.",
        )
    months = _Months.of(found, windows)
    ways: dict[str, float] = {LAST_MONTH: 0.0, EVERYBODY: np.nan, ALL_BEFORE: np.inf}
    ways |= {f"half-life of {half_life:g} month{'' if half_life == 1 else 's'}": half_life for half_life in half_lives}
    losses = {name: months.losses(half_life, priors) for name, half_life in ways.items()}  # (M cells, priors)
    tuning = (months.window >= 1) & (months.window < n_windows - scored)
    testing = months.window >= n_windows - scored
    by_unit = np.bincount(months.unit[testing], weights=months.count[testing], minlength=found.n_units)
    best = {name: int(np.argmin(_mean(loss[tuning], months.count[tuning]))) for name, loss in losses.items()}
    picked = {name: loss[:, best[name]] for name, loss in losses.items()}

    def estimate(value: Floats) -> Estimate:
        weights = value[testing] * months.count[testing]
        total = np.bincount(months.unit[testing], weights=weights, minlength=found.n_units)
        return mean_by_user(total, by_unit, draws, confidence, seed)

    scores = [
        Score(
            name=name,
            prior=float(priors[best[name]]),
            tuned=float(_mean(loss[tuning], months.count[tuning])),
            loss=estimate(loss),
            gain=estimate(picked[LAST_MONTH] - loss),
        )
        for name, loss in picked.items()
    ]
    chosen = min(scores, key=lambda one: one.tuned)
    return Forecast(chosen.name, ways[chosen.name], chosen.prior, scores, by_unit > 0)


def next_mix(found: Sequences, windows: Windows, told: Forecast, units: NDArray[np.integer]) -> Floats:
    """(R, K) mixes of the month after the last one of the (R,) units asked for, by the chosen way; rows sum to 1."""
    return _Months.of(found, windows).next_mix(told.half_life, told.prior, np.asarray(units))


def _mean(values: Floats, weight: NDArray[np.integer]) -> Floats:
    """Weighted mean over axis 0; NaN without weight."""
    total = weight.sum()
    return np.asarray(np.tensordot(weight, values, axes=(0, 0)) / total if total else np.full(values.shape[1:], np.nan))


@dataclass(frozen=True)
class _Months:
    """Counts of the C (unit, window, label) that occur, by window; and everybody's mix before each window."""

    unit: NDArray[np.int64]
    window: NDArray[np.int64]
    pair: NDArray[np.int64]  # code of (unit, label)
    count: NDArray[np.int64]
    pair_unit: NDArray[np.int64]
    pair_label: NDArray[np.int64]
    before: Floats  # (W+1, K)
    n_units: int

    @classmethod
    def of(cls, found: Sequences, windows: Windows) -> _Months:
        width = windows.low.shape[1]
        window = np.searchsorted(windows.starts_s, found.local_s, side="right") - 1
        pairs, back = np.unique(found.unit * found.n_labels + found.label, return_inverse=True)
        cell, count = np.unique(window * len(pairs) + back, return_counts=True)
        pair = cell % len(pairs)
        when, label = cell // len(pairs), pairs % found.n_labels
        total = np.full((width + 1, found.n_labels), 0.5)
        np.add.at(total, (when + 1, label[pair]), count)
        total[1:] -= 0.5
        total = np.cumsum(total, axis=0)
        mix = total / total.sum(axis=1, keepdims=True)
        owner = pairs // found.n_labels
        return cls(owner[pair], when, pair, count, owner, label, mix, found.n_units)

    def losses(self, half_life: float, priors: Sequence[float]) -> Floats:
        """(C, P) −log p of each (unit, window, label) from the windows before it; NaN half-life: everybody's mix."""
        loss = np.empty((len(self.count), len(priors)))
        state, known = np.zeros(len(self.pair_unit)), np.zeros(self.n_units)
        for window in range(len(self.before) - 1):
            rows = slice(*np.searchsorted(self.window, [window, window + 1]))
            pair, unit = self.pair[rows], self.unit[rows]
            everybody = self.before[window, self.pair_label[pair]]
            for column, prior in enumerate(priors):
                p = (state[pair] + prior * everybody) / (known[unit] + prior)
                loss[rows, column] = -np.log(p)
            state, known = self._after(state, known, rows, half_life)
        return loss

    def next_mix(self, half_life: float, prior: float, units: NDArray[np.integer]) -> Floats:
        """(R, K) forecast of the window after the last, of these units."""
        state, known = np.zeros(len(self.pair_unit)), np.zeros(self.n_units)
        for window in range(len(self.before) - 1):
            rows = slice(*np.searchsorted(self.window, [window, window + 1]))
            state, known = self._after(state, known, rows, half_life)
        mix = np.tile(prior * self.before[-1], (len(units), 1))
        low, high = np.searchsorted(self.pair_unit, units), np.searchsorted(self.pair_unit, units, side="right")
        for row, mine in zip(mix, map(slice, low, high), strict=True):
            row[self.pair_label[mine]] += state[mine]
        return np.asarray(mix / (known[units] + prior)[:, None])

    def _after(self, state: Floats, known: Floats, rows: slice, half_life: float) -> tuple[Floats, Floats]:
        """Weighted counts of pairs and units after one more window; 0 keeps the last active one, NaN learns nothing."""
        if np.isnan(half_life):
            return state, known
        count = self.count[rows]
        new = np.bincount(self.unit[rows], weights=count, minlength=len(known))
        fade = np.where(new > 0, 0.0, 1.0) if half_life == 0 else np.full(len(known), 0.5 ** (1 / half_life))
        state = state * fade[self.pair_unit] + np.bincount(self.pair[rows], weights=count, minlength=len(state))
        return state, known * fade + new
