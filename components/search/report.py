"""What a search found, as Markdown: the best, what mattered, and every trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.search.patch import as_yaml
from components.search.study import Trial

_BAR = 20


def markdown(
    model: str, primary: str, trials: Sequence[Trial], best: Trial | None, importance: Mapping[str, float]
) -> str:
    """The report of one model's search."""
    counts = {state: sum(one.state == state for one in trials) for state in ("complete", "pruned", "failed")}
    parts = [
        f"# Search: {model}\n",
        f"{len(trials)} trials ({', '.join(f'{n} {state}' for state, n in counts.items())}), "
        f"{sum(one.seconds for one in trials):,.0f} s in all. A value is the mean of {primary} over rolling folds "
        "before the blend window; the test window was not read.\n",
    ]
    if best is not None:
        parts.append(f"## Best: {best.value:.4f} (trial {best.number})\n\n```yaml\n{as_yaml(best.values)}```\n")
        parts += _gain(trials, best)
    if importance:
        rows = [[f"`{key}`", f"{share:.2f}", "█" * round(share * _BAR)] for key, share in importance.items()]
        head = "## What mattered\n\nShare of the differences between whole trials that a key explains (fANOVA).\n\n"
        parts.append(head + _table(["key", "share", ""], rows))
    keys = sorted({key for one in trials for key in one.values})
    head_row = ["trial", "state", primary, "folds", "seconds", *(f"`{key}`" for key in keys)]
    ordered = sorted(trials, key=lambda one: (one.state != "complete", -(one.value or 0.0), one.number))
    parts.append("## Trials, best first\n\n" + _table(head_row, [_row(one, keys) for one in ordered]))
    failed = [one for one in trials if one.why]
    if failed:
        parts.append("## Failed\n\n" + "\n".join(f"- trial {one.number}: {one.why}" for one in failed) + "\n")
    return "\n".join(parts)


def _gain(trials: Sequence[Trial], best: Trial) -> list[str]:
    first = min(trials, key=lambda one: one.number)
    if first.value is None or first.state != "complete" or best.value is None:
        return []
    if first.number == best.number:
        return ["The first trial, params.yaml as it stood, is the best of them.\n"]
    return [f"The first trial had {first.value:.4f}; of many trials the best is also the luckiest: judge it anew.\n"]


def _row(one: Trial, keys: Sequence[str]) -> list[str]:
    value = "–" if one.value is None else f"{one.value:.4f}"
    folds = " ".join(f"{v:.4f}" for v in one.folds) or "–"
    shown = [_shown(one.values[key]) if key in one.values else "–" for key in keys]
    return [str(one.number), one.state, value, folds, f"{one.seconds:.1f}", *shown]


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
