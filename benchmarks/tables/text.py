"""Numbers and tables as Markdown. Nothing here knows what a number means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NOTHING = "–"
_NAMES = {"hr": "HR", "ndcg": "NDCG", "mrr": "MRR", "precision": "precision", "recall": "recall", "f1": "F1"}


def number(value: float | None, places: int = 4) -> str:
    """A figure without the zero before the point: ".1816".

    Examples
    --------
    >>> number(0.18161), number(-0.5, 2), number(1.25, 2), number(None)
    ('.1816', '−.50', '1.25', '–')
    """
    if value is None:
        return NOTHING
    text = f"{abs(value):.{places}f}"
    sign = "−" if value < 0 and float(text) != 0 else ""
    return sign + (text[1:] if text.startswith("0.") else text)


def signed(value: float | None, places: int = 4) -> str:
    """A difference, always with its sign.

    Examples
    --------
    >>> signed(0.0488), signed(-0.002, 3)
    ('+.0488', '−.002')
    """
    if value is None:
        return NOTHING
    text = number(value, places)
    return text if text.startswith("−") else f"+{text}"


def estimate(found: Mapping[str, float | None] | None) -> str:
    """A figure with its interval, where it has one.

    Examples
    --------
    >>> estimate({"value": 0.3939, "low": 0.368, "high": 0.42}), estimate({"value": 0.5, "low": None, "high": None})
    ('.3939 (.368–.420)', '.5000')
    """
    if not found or found.get("value") is None:
        return NOTHING
    low, high = found.get("low"), found.get("high")
    text = number(found["value"])
    return text if low is None or high is None else f"{text} ({number(low, 3)}–{number(high, 3)})"


def gap(found: Mapping[str, float | None] | None) -> str:
    """A difference with its interval; bold where the interval does not hold zero.

    Examples
    --------
    >>> gap({"value": 0.0488, "low": 0.031, "high": 0.075}), gap({"value": 0.001, "low": -0.002, "high": 0.004})
    ('**+.0488** (+.031 to +.075)', '+.0010 (−.002 to +.004)')
    """
    if not found or found.get("value") is None:
        return NOTHING
    low, high = found.get("low"), found.get("high")
    text = signed(found["value"])
    if low is None or high is None:
        return text
    sure = low > 0 or high < 0
    return f"{f'**{text}**' if sure else text} ({signed(low, 3)} to {signed(high, 3)})"


def metric_name(name: str) -> str:
    """A metric as people write it.

    Examples
    --------
    >>> metric_name("ndcg@10"), metric_name("mrr")
    ('NDCG@10', 'MRR')
    """
    kind, at, k = name.partition("@")
    return _NAMES.get(kind, kind) + at + k


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """A table; the first `left` columns lean left, the others right."""
    rule = ["---" if i < left else "---:" for i in range(len(head))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *rows))


def best_in_bold(
    rows: Sequence[Sequence[str]], values: Sequence[Sequence[float | None]], first: int
) -> list[list[str]]:
    """Cells of which the best value of each column is bold.

    Parameters
    ----------
    rows : cells; those of the values begin at column `first`
    values : per row the number behind each of these cells, None where there is none; more is better
    """
    out = [list(row) for row in rows]
    for column in range(len(values[0]) if values else 0):
        known = [row[column] for row in values if row[column] is not None]
        for cells, row in zip(out, values, strict=True):
            if known and row[column] == max(known):
                figure, blank, interval = cells[first + column].partition(" ")
                cells[first + column] = f"**{figure}**{blank}{interval}"
    return out


def part_of(record: Mapping[str, Any], path: str) -> Any:
    """What stands at a dotted path of a record; None where nothing does.

    Examples
    --------
    >>> part_of({"a": {"b@1": 2}}, "a.b@1"), part_of({"a": 1}, "a.b")
    (2, None)
    """
    found: Any = record
    for key in path.split(".") if path else ():
        found = found.get(key) if isinstance(found, Mapping) else None
    return found
