"""The gate: may the challenger replace the champion? A pure function of what was measured on one window.

Both are compared query by query on the same promotion window, by a bootstrap over users. The chance that a
challenger that is no better passes stays below 1 - confidence: half of it is spent on the primary metric, the other
half is shared by the secondary ones, and both are divided by the number of looks that were taken at the window
(Bonferroni). A comparison of two averages alone would promote half of all equal pairs.

Never here: how a model is scored (`components.evaluation`), and what happens after (`registry.promotions`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from components.evaluation.gaps import MIN_USERS, largest_gaps
from components.evaluation.significance import Bootstrap, Estimate, paired_difference
from components.params import GateParams
from components.registry.decision import Case, Check, Decision, Outcome, Side

#: Without a gain in quality, the challenger must be smaller or wider by this share …
GAIN = 0.2
#: … or faster by this one: timings are noisy.
GAIN_IN_TIME = 0.5
_MOST_DRAWS = 20_000


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
            best = max(baselines, key=lambda one: float(np.mean(np.nan_to_num(one.value))), default=None)
            checks.append(_beats(challenger, best, len(baselines), case, alpha))
        else:
            checks.append(_better(challenger, champion, case, params, alpha))
            checks += _slices(challenger, champion, case, params)
        checks += _gaps(challenger, champion, case, params)
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


def _beats(challenger: Side, best: Side | None, scored: int, case: Case, alpha: float) -> Check:
    """A first champion must beat the best single counter of those that were scored; who was not is named."""
    if best is None:
        return Check("first champion", None, None, None, 0.0, False, "There is no baseline to beat.")
    gain = _paired(challenger.value, best.value, case.user, alpha, case)
    passed = gain.low > 0
    verb = "beats" if passed else "is not shown to beat"
    left = f" Not scored, so not compared: {', '.join(case.unscored)}." if case.unscored else ""
    return Check(
        "first champion",
        gain.value,
        gain.low,
        gain.high,
        0.0,
        passed,
        f"{challenger.name} {verb} {best.name}, the best of {scored} baselines, in {case.metric}: "
        f"{_shown(gain)}.{left}",
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


def _gaps(challenger: Side, champion: Side | None, case: Case, params: GateParams) -> list[Check]:
    """The largest gap between declared groups, told and not bounded: what may not happen is that a group loses."""
    bootstrap = Bootstrap(case.user, case.draws, params.confidence, case.seed)
    groups = {dimension: dict(masks) for dimension, masks in case.groups.items()}
    found = largest_gaps(np.nan_to_num(challenger.value), groups, bootstrap, params.min_slice_queries)
    if not found:
        return []
    one = found[0]
    shown = (
        _shown(Estimate(one["value"], one["low"], one["high"])) if one["low"] is not None else f"{one['value']:+.4f}"
    )
    sentence = f"Largest gap: {one['dimension']}, {one['best']} before {one['worst']} by {shown}"
    if champion is not None:
        best, worst = (
            np.nan_to_num(champion.value)[groups[one["dimension"]][one[end]]].mean() for end in ("best", "worst")
        )
        sentence += f"; under {champion.name} {best - worst:+.4f}"
    return [Check("largest gap", one["value"], one["low"], one["high"], None, True, f"{sentence}.")]


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
