"""The gate: may the challenger replace the champion? A pure function of what was measured on one window.

Both are compared query by query on the same promotion window, by a bootstrap over users. The chance that a
challenger that is no better passes stays below 1 - confidence: half of it is spent on the primary metric, the other
half is shared by the secondary ones, and both are divided by the number of looks that were taken at the window
(Bonferroni). A comparison of two averages alone would promote half of all equal pairs.

Never here: how a model is scored (`components.evaluation`), and what happens after (`registry.promotions`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from components.evaluation.significance import Bootstrap, Estimate, paired_difference
from components.params import GateParams

Outcome = Literal["promote", "refuse", "nothing"]
#: Below this many users an interval by resampling users says nothing.
MIN_USERS = 20
#: Without a gain in quality, the challenger must be smaller or wider by this share …
GAIN = 0.2
#: … or faster by this one: timings are noisy.
GAIN_IN_TIME = 0.5
_MOST_DRAWS = 20_000


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


def decide(
    challenger: Side, champion: Side | None, baselines: Sequence[Side], case: Case, params: GateParams
) -> Decision:
    """Decide on one challenger.

    Parameters
    ----------
    challenger : the candidate model
    champion : what is in production, scored on the same queries; None before the first promotion
    baselines : single counters, scored on the same queries; the best of them is the floor for a first champion
    case : the window, the users and the guarded slices
    params : the bounds

    Returns
    -------
    Decision
        `promote` only when every check has passed.
    """
    if case.settled is not None:
        return _decision("nothing", challenger, champion, case, case.settled, ())
    users = len(np.unique(case.user))
    checks = [_enough(users, len(case.user))]
    if checks[0].passed:
        alpha = (1 - params.confidence) / 2 / max(case.looks, 1)
        if champion is None:
            best = max(baselines, key=lambda one: float(np.mean(one.value)), default=None)
            checks.append(_beats(challenger, best, case, alpha))
        else:
            checks.append(_better(challenger, champion, case, params, alpha))
            checks += _slices(challenger, champion, case, params)
        checks += _holds(challenger, params)
    failed = [check for check in checks if not check.passed]
    over = champion.name if champion is not None else "the best counter"
    if failed:
        return _decision("refuse", challenger, champion, case, failed[0].sentence, checks)
    return _decision("promote", challenger, champion, case, f"{challenger.name} replaces {over}.", checks)


def _decision(
    outcome: Outcome, challenger: Side, champion: Side | None, case: Case, summary: str, checks: Sequence[Check]
) -> Decision:
    return Decision(
        outcome=outcome,
        challenger=challenger.name,
        digest=challenger.digest,
        champion=champion.name if champion is not None else None,
        expected=case.expected,
        window=dict(case.window),
        summary=summary,
        checks=tuple(checks),
    )


def _enough(users: int, queries: int) -> Check:
    passed = users >= MIN_USERS
    sentence = f"{queries:,} queries of {users:,} users" + (
        "." if passed else f": fewer than {MIN_USERS} users, too few to tell any difference."
    )
    return Check("users", users, None, None, MIN_USERS, passed, sentence)


def _paired(a: NDArray[np.float64], b: NDArray[np.float64], user: NDArray, alpha: float, case: Case) -> Estimate:
    """Mean difference; on either side of the interval lies the chance `alpha`, resolved by at least ten draws."""
    draws = max(case.draws, min(int(10 / alpha), _MOST_DRAWS))
    # A value that is no number counts as the worst: it cannot win by dropping out.
    return paired_difference(np.nan_to_num(a), np.nan_to_num(b), Bootstrap(user, draws, 1 - 2 * alpha, case.seed))


def _shown(one: Estimate) -> str:
    return f"{one.value:+.4f} [{one.low:+.4f}, {one.high:+.4f}]"


def _beats(challenger: Side, best: Side | None, case: Case, alpha: float) -> Check:
    """A first champion must beat the best single counter."""
    if best is None:
        return Check("first champion", None, None, None, 0.0, False, "There is no baseline to beat.")
    gain = _paired(challenger.value, best.value, case.user, alpha, case)
    passed = gain.low > 0
    verb = "beats" if passed else "is not shown to beat"
    return Check(
        "first champion",
        gain.value,
        gain.low,
        gain.high,
        0.0,
        passed,
        f"{challenger.name} {verb} the best single counter, {best.name}, in {case.metric}: {_shown(gain)}.",
    )


def _better(challenger: Side, champion: Side, case: Case, params: GateParams, alpha: float) -> Check:
    """Better; or not worse by the margin with a gain elsewhere."""
    gain = _paired(challenger.value, champion.value, case.user, alpha, case)
    head = f"{challenger.name} against {champion.name} in {case.metric}: {_shown(gain)}"
    if gain.low > 0:
        return Check("primary", gain.value, gain.low, gain.high, 0.0, True, f"{head}: better.")
    if gain.low <= -params.margin:
        end = "worse." if gain.high < 0 else f"not shown to be better, and may be worse by more than {params.margin}."
        return Check("primary", gain.value, gain.low, gain.high, 0.0, False, f"{head}: {end}")
    gains = _gains(challenger, champion, case, alpha)
    end = f"not worse by {params.margin}, and {'; '.join(gains)}" if gains else "not worse, but nothing is gained"
    return Check("primary", gain.value, gain.low, gain.high, -params.margin, bool(gains), f"{head}: {end}.")


def _gains(challenger: Side, champion: Side, case: Case, alpha: float) -> list[str]:
    """What a challenger of equal quality offers elsewhere."""
    found = []
    names = sorted(set(challenger.secondary) & set(champion.secondary))
    for name in names:
        gain = _paired(challenger.secondary[name], champion.secondary[name], case.user, alpha / len(names), case)
        if gain.low > 0:
            found.append(f"better in {name}: {_shown(gain)}")
    if challenger.latency_ms <= (1 - GAIN_IN_TIME) * champion.latency_ms:
        found.append(f"faster: p99 {challenger.latency_ms:.2f} ms against {champion.latency_ms:.2f} ms")
    if challenger.size_mb <= (1 - GAIN) * champion.size_mb:
        found.append(f"smaller: {challenger.size_mb:.1f} MB against {champion.size_mb:.1f} MB")
    if challenger.coverage >= (1 + GAIN) * champion.coverage:
        found.append(f"wider: covers {challenger.coverage:.1%} of the catalogue against {champion.coverage:.1%}")
    return found


def _slices(challenger: Side, champion: Side, case: Case, params: GateParams) -> list[Check]:
    """No guarded group loses: by simultaneous intervals, none lies below 0 and reaches beyond the tolerated loss."""
    large = {
        name: mask
        for name, mask in case.slices.items()
        if int(mask.sum()) >= params.min_slice_queries and len(np.unique(case.user[mask])) >= MIN_USERS
    }
    checks = []
    for name, mask in sorted(large.items()):
        alpha = (1 - params.confidence) / 2 / len(large)
        gain = _paired(challenger.value[mask], champion.value[mask], case.user[mask], alpha, case)
        loses = gain.high < 0 and gain.low < -params.max_slice_loss
        verdict = "loses" if loses else "is not shown to lose"
        sentence = f"{name} ({int(mask.sum()):,} queries) {verdict}: {_shown(gain)}."
        checks.append(
            Check(f"slice {name}", gain.value, gain.low, gain.high, -params.max_slice_loss, not loses, sentence)
        )
    small = sorted(set(case.slices) - set(large))
    if small:
        told = f"Too small to guard: {', '.join(small)}."
        checks.append(Check("small slices", len(small), None, None, None, True, told))
    return checks


def _holds(side: Side, params: GateParams) -> list[Check]:
    """Calibration, latency, size and coverage. What was not measured has not passed."""
    bounds = (
        ("calibration", side.ece, 1, params.max_ece, "ECE {:.3f}, at most {:g}"),
        ("latency", side.latency_ms, 1, params.max_latency_ms, "p99 {:.2f} ms, at most {:g} ms"),
        ("size", side.size_mb, 1, params.max_size_mb, "{:.2f} MB, at most {:g} MB"),
        ("coverage", side.coverage, -1, params.min_coverage, "{:.3f} of the catalogue, at least {:g}"),
    )
    checks = []
    for name, value, sign, bound, text in bounds:
        measured = bool(np.isfinite(value))
        passed = measured and sign * value <= sign * bound
        sentence = f"{name.capitalize()}: {text.format(value, bound) if measured else 'not measured'}."
        checks.append(Check(name, value if measured else None, None, None, bound, passed, sentence))
    return checks
