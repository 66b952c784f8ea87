"""Findings of trends as rows of tables.

Never here: a figure that is not already found.
"""

from __future__ import annotations

from typing import Any

Record = dict[str, Any]
Rows = list[Record]


def trend_rows(found: Record) -> dict[str, Rows]:
    """Rows by table: counts and forecasts of each step, judgements, cycles, unusual days, causes, changes."""
    steps = {step: one for step, one in found["steps"].items() if "missing" not in one}
    rows = {f"trends_counts_{one['step']}": _counts(one, found["unusual"]["days"]) for one in found["counts"]}
    rows |= {f"trends_forecast_{step}": _forecast(one) for step, one in steps.items()}
    return rows | {
        "trends_judged": [
            {"step": step, "method": method} | _flat(scores)
            for step, one in steps.items()
            for method, scores in one["scores"].items()
        ],
        "trends_chosen": [
            {"step": step, "combined_by": one["rule"]} | choice
            for step, one in steps.items()
            for choice in one["selected"]
        ],
        "trends_cycles": found["cycles"],
        "trends_unusual": [
            {name: value for name, value in one.items() if not name.endswith("_day")}
            for one in found["unusual"]["days"]
        ],
        "trends_causes": found["causes"],
        "trends_changes": found["changes"],
    }  # fmt: skip


def _counts(columns: Record, unusual: Rows) -> Rows:
    names = [name for name in columns if name not in {"step", "users"}]
    rows: Rows = [dict(zip(names, row, strict=True)) for row in zip(*(columns[name] for name in names), strict=True)]
    spans = [(one["by"], one["value"], one["first"], one["last"]) for one in unusual]
    if columns["step"] != "day":
        return [{name: value for name, value in row.items() if name != "usual"} for row in rows]
    marked = {(by, value, day) for by, value, first, last in spans for day in (first, last)}
    between = [(by, value, first, last) for by, value, first, last in spans if first != last]
    for row in rows:
        row["begin"] = row["begin"][:10]
        key = row["by"], row["value"], row["begin"]
        row["unusual"] = key in marked or any(
            key[:2] == (by, value) and first < key[2] < last for by, value, first, last in between
        )
    return rows


def _forecast(one: Record) -> Rows:
    names = [f"q{round(100 * level)}" for level in one["levels"]]
    return [
        key | {"begin": begin, "point": one["point"][row][step]}
        | dict(zip(names, one["quantiles"][row][step], strict=True))
        for row, key in enumerate(one["series"])
        for step, begin in enumerate(one["begins"])
    ]  # fmt: skip


def _flat(scores: Record) -> Record:
    """Estimates as three columns; what is not known is empty in all of them."""
    flat: Record = {}
    for name, value in scores.items():
        if name in {"mase", "against_naive", "crps", "coverage"}:
            one = value or dict.fromkeys(("value", "low", "high"))
            flat |= {name: one["value"], f"{name}_low": one["low"], f"{name}_high": one["high"]}
        else:
            flat[name] = value
    return flat
