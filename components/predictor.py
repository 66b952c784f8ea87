"""The two protocols that join the rooms: what can be fitted and asked, and what it may report to.

Everything that predicts, from popularity to the champion, is a `Predictor`; the judge, the gate and the service
know this file and nothing of who implements it. A predictor is handed `Queries`, never the answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, Self, TypeGuard, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr, ndtri

from components.features.store import WINDOWS, Store

Capability = Literal["item", "action", "time", "place"]


@dataclass(frozen=True)
class Window:
    """The part of a log that is used for one purpose.

    Attributes
    ----------
    store : the whole log; a predictor may read only rows of its own windows and what precedes them
    name : a name of features.store.WINDOWS
    history : online (everything before the query is visible) or train_only (only events of the training window,
        and of the query's own session or trajectory)
    """

    store: Store
    name: str
    history: Literal["online", "train_only"] = "online"

    @property
    def events(self) -> NDArray[np.int64]:
        """(n,) rows of the window's events, oldest first (ties by row)."""
        rows = np.flatnonzero(self.store["window"] == WINDOWS[self.name])
        return rows[np.argsort(self.store["time_s"][rows], kind="stable")]

    @property
    def targets(self) -> NDArray[np.int64]:
        """(q,) rows of the events to be predicted, oldest first."""
        rows = self.events
        return rows[np.asarray(self.store["target"])[rows]]


@dataclass(frozen=True)
class Queries:
    """B questions: what does this user do next, seen from `time_s`?

    Attributes
    ----------
    store : holds the visible histories
    user : (B,) int32 row of the user in the store
    start, stop : (B,) int64; the visible history is the rows start:stop (empty for a new user)
    time_s : (B,) int64 request time: the answer's own time when `time_given`, else that of the last visible event
    utc_offset_min : (B,) int16 of the request's local clock
    latitude, longitude : (B,) float32 place of the request, NaN = not given
    time_given : whether `time_s` is the time of the answer (target_time: given)
    """

    store: Store
    user: NDArray[np.int32]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    time_s: NDArray[np.int64]
    utc_offset_min: NDArray[np.int16]
    latitude: NDArray[np.float32]
    longitude: NDArray[np.float32]
    time_given: bool

    def __len__(self) -> int:
        return len(self.user)

    def __getitem__(self, part: slice | NDArray) -> Queries:
        """The queries of a slice or of an index array."""
        return Queries(
            self.store,
            self.user[part],
            self.start[part],
            self.stop[part],
            self.time_s[part],
            self.utc_offset_min[part],
            self.latitude[part],
            self.longitude[part],
            self.time_given,
        )


@dataclass(frozen=True)
class TimeDistribution:
    """Time to the next event as a log-normal mixture, in seconds; closed forms, no sampling.

    Attributes
    ----------
    weight, mean, sigma : (B, C) mixture weights (rows sum to 1), means and deviations of log(gap_s + 1)
    """

    weight: NDArray[np.float32]
    mean: NDArray[np.float32]
    sigma: NDArray[np.float32]

    def _z(self, gap_s: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.asarray((np.log1p(np.asarray(gap_s, np.float64))[:, None] - self.mean) / self.sigma)

    def cdf(self, gap_s: NDArray[np.floating]) -> NDArray[np.float64]:
        """(B,) probability that the next event comes within gap_s (B,)."""
        return np.asarray(np.sum(self.weight * ndtr(self._z(gap_s)), axis=1))

    def log_survival(self, gap_s: NDArray[np.floating]) -> NDArray[np.float64]:
        """(B,) log of the probability of no event within gap_s (B,)."""
        return np.logaddexp.reduce(np.log(np.maximum(self.weight, 1e-30)) + log_ndtr(-self._z(gap_s)), axis=1)

    def within(self, horizon_s: NDArray[np.floating], elapsed_s: NDArray[np.floating]) -> NDArray[np.float64]:
        """(B,) probability that the next event comes within horizon_s (B,) from now, after elapsed_s (B,) of silence.

        1 - S(elapsed + horizon) / S(elapsed), from logarithms: exact where hardly anybody stays silent so long.
        """
        later = np.asarray(elapsed_s, np.float64) + np.asarray(horizon_s, np.float64)
        return np.asarray(-np.expm1(self.log_survival(later) - self.log_survival(elapsed_s)))

    def log_density(self, gap_s: NDArray[np.floating]) -> NDArray[np.float64]:
        """(B,) log-density at gap_s (B,), per second."""
        z = self._z(gap_s)
        part = np.log(np.maximum(self.weight, 1e-30)) - 0.5 * z**2 - np.log(self.sigma) - 0.5 * np.log(2 * np.pi)
        return np.asarray(np.logaddexp.reduce(part, axis=1) - np.log1p(np.asarray(gap_s, np.float64)))

    def quantile(self, probability: float, steps: int = 50) -> NDArray[np.float64]:
        """(B,) gap in seconds below which the next event falls with `probability` (bisection on the mixture)."""
        edge = self.mean + self.sigma * ndtri(probability)
        low, high = np.min(edge, axis=1).astype(np.float64), np.max(edge, axis=1).astype(np.float64)
        for _ in range(steps):
            middle = 0.5 * (low + high)
            below = np.sum(self.weight * ndtr((middle[:, None] - self.mean) / self.sigma), axis=1) < probability
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.maximum(np.expm1(0.5 * (low + high)), 0.0)


@dataclass(frozen=True)
class Scores:
    """Answers to B queries. What a predictor cannot say is None.

    Attributes
    ----------
    item : (B, V) float32 log-probabilities over the catalogue (rows log-sum to 0; -inf for padding, unknown, and cold
        items of which the predictor knows nothing)
    action : (B, A) float32 probabilities over action codes
    time : time to the next event after the last visible one
    place : (B, cells) float32 probabilities over the codes of the finest cell resolution
    """

    item: NDArray[np.float32]
    action: NDArray[np.float32] | None = None
    time: TimeDistribution | None = None
    place: NDArray[np.float32] | None = None


@runtime_checkable
class Tracker(Protocol):
    """Where a training reports its curves; `registry.tracking` implements it with MLflow."""

    def log(self, metrics: Mapping[str, float], step: int) -> None: ...


class NoTracker:
    """Keeps nothing."""

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        return


class Carries(Protocol):
    """A predictor that need not read a history again: it goes on from what it made of the same user's last query.

    What is carried is its own affair, is never changed, and need not be trusted: an answer rests on the query alone.
    """

    def carry(self, queries: Queries, carried: Any) -> tuple[Scores, Any]:
        """Answer one query as `score` does, up to float32 rounding.

        Parameters
        ----------
        queries : one
        carried : what the answer to an earlier query gave, of any user; None: nothing

        Returns
        -------
        The scores, and what the next query of this user may be handed.
        """
        ...


def carries(part: object) -> TypeGuard[Carries]:
    """Whether a predictor carries; quicker than Python's own check of protocols."""
    return callable(getattr(part, "carry", None))


class Going:
    """A predictor that carries, as one that scores: for those who ask their parts.

    Attributes
    ----------
    carried : what it was handed, then what its last answer gave
    """

    def __init__(self, part: Carries, carried: Any) -> None:
        self._part, self.carried = part, carried

    def score(self, queries: Queries) -> Scores:
        """Answer one query, going on from what is carried."""
        scores, self.carried = self._part.carry(queries, self.carried)
        return scores


@runtime_checkable
class Predictor(Protocol):
    """Anything that can be fitted on windows and asked queries."""

    name: str
    capabilities: frozenset[Capability]

    def fit(self, train: Window, tune: Window, tracker: Tracker) -> None:
        """Learn from `train`, choose on `tune`; deterministic for a seed and a thread count."""
        ...

    def score(self, queries: Queries) -> Scores:
        """Answer; never changes the predictor. Rows must not depend on one another."""
        ...

    def update(self, store: Store, rows: NDArray[np.int64]) -> None:
        """Learn at once from events that have happened (rows of a store with the predictor's encoding).

        Weights stay; counts move. Does nothing for a predictor without live counts.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write everything that `load` needs, deterministically: no clock, no pickle."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self: ...
