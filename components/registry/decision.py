"""What the gate is told and what it says: two sides, the case, its checks and the decision. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

Outcome = Literal["promote", "refuse", "nothing"]


@dataclass(frozen=True)
class Side:
    """What the gate knows of one model.

    Attributes
    ----------
    name : of the model
    digest : of what answers queries in its artifact; "" for a baseline
    value : (Q,) primary metric of each query of the window; higher is better
    secondary : name → (Q,) other metrics, higher is better
    ece : calibration error of its most likely item, 0..1
    latency_ms : p99 of one in-process prediction
    size_mb : of its artifact
    coverage : share of the catalogue in some top 10
    """

    name: str
    digest: str
    value: NDArray[np.float64]
    secondary: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    ece: float = float("nan")
    latency_ms: float = float("nan")
    size_mb: float = float("nan")
    coverage: float = float("nan")


@dataclass(frozen=True)
class Case:
    """What is common to both sides.

    Attributes
    ----------
    user : (Q,) user of each query
    slices : name → (Q,) bool, the groups that must not lose
    window : what identifies the promotion window (its first and last second, its events, …)
    expected : length of the promotion log when the models were compared
    looks : how many different challengers were compared on this window, this one included
    metric : name of the primary metric
    settled : why there is nothing to decide (same artifact, same window, …); None when there is
    draws : resamples of the bootstrap
    seed : of the bootstrap
    unscored : names of the single counters that were not scored, and so cannot be the best of them
    groups : dimension → group → (Q,) bool, the declared groups, whose largest gap is told
    """

    user: NDArray[np.integer]
    slices: Mapping[str, NDArray[np.bool_]]
    window: Mapping[str, Any]
    expected: int
    looks: int
    metric: str
    settled: str | None
    draws: int
    seed: int
    unscored: Sequence[str] = ()
    groups: Mapping[str, Mapping[str, NDArray[np.bool_]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """One condition: what was measured, its interval, the bound, and a sentence for people."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    bound: float | None
    passed: bool
    sentence: str


@dataclass(frozen=True)
class Decision:
    """What the gate says.

    Attributes
    ----------
    outcome : promote; refuse; nothing (there is nothing to decide)
    challenger, digest : the model and its artifact
    champion : name of the present champion; None before the first
    expected : length of the promotion log when the models were compared
    window : the promotion window
    summary : one sentence
    checks : every condition that was looked at
    """

    outcome: Outcome
    challenger: str
    digest: str
    champion: str | None
    expected: int
    window: Mapping[str, Any]
    summary: str
    checks: tuple[Check, ...]

    @property
    def promote(self) -> bool:
        """Whether the challenger becomes the champion."""
        return self.outcome == "promote"

    def as_record(self) -> dict[str, Any]:
        """The decision as JSON."""
        return asdict(self) | {
            "promote": self.promote,
            "window": dict(self.window),
            "checks": [asdict(check) for check in self.checks],
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """What `as_record` made."""
        values = {name: value for name, value in record.items() if name != "promote"}
        return cls(**values | {"checks": tuple(Check(**check) for check in record["checks"])})
