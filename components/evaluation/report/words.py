"""How figures are said on the page: shares, counts, lengths of time, names of metrics."""

from __future__ import annotations

from components.evaluation.report.charts import number


def share(value: float | None, digits: int = 1) -> str:
    """A share as per cent."""
    return "–" if value is None else f"{number(100 * value, digits)}%"


def count(value: int) -> str:
    """A count with separators."""
    return f"{value:,}"


def hours(value: float | None) -> str:
    """A length of time given in hours, in the unit that reads best."""
    if value is None:
        return "–"
    if value < 1:
        return f"{number(60 * value, 0)} min"
    return f"{number(value, 1)} h" if value < 72 else f"{number(value / 24, 1)} days"


def metric_words(name: str) -> str:
    """What a metric asks, where there are words for it."""
    if name == "hr@1":
        return "right at the first guess"
    if name.startswith("hr@"):
        return f"right within the first {name[3:]}"
    return name.upper()
