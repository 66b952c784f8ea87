"""Any JSON as a table: rows and columns are named in suite.yaml. What a figure means is said there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.suite import Column, Source, Table
from benchmarks.tables.ranking import Stored
from benchmarks.tables.text import NOTHING, estimate, gap, markdown, part_of

Record = dict[str, Any]
#: Words for `form` that write a value with its interval.
_WITH_INTERVAL = {"estimate": estimate, "gap": gap}


def render(table: Table, stored: Stored, _sources: Mapping[str, Source]) -> list[str]:
    """One block of Markdown; nothing where the result is not stored."""
    record = stored(table.result)
    if record is None:
        return []
    columns = [one if isinstance(one, Column) else Column(title=one, key=one) for one in table.columns]
    rows = rows_of(part_of(record, table.path), any(column.key.startswith("@") for column in columns))
    if table.rows:
        rows = [row for row in rows if row.get("@key") in table.rows]
    if table.group:
        rows = _grouped(rows, table.group)
    cells = [[_cell(row, column, rows) for column in columns] for row in rows]
    return [markdown([column.title for column in columns], cells)]


def sentence(table: Table, stored: Stored) -> str:
    """The figures of a record that is one row, with their titles behind them; "" where it is not stored."""
    record = stored(table.result)
    if record is None:
        return ""
    row = part_of(record, table.path)
    told = [one for one in table.columns if isinstance(one, Column)]
    return ", ".join(f"{_cell(row, column, [row])} {column.title}".strip() for column in told)


def rows_of(found: Any, keyed: bool) -> list[Record]:
    """Rows of a part of a record.

    Parameters
    ----------
    found : a list of rows; or a mapping
    keyed : whether each entry of a mapping is a row, with its key as "@key", and a plain value as "@value"; else the
        mapping is one row

    Examples
    --------
    >>> rows_of({"a": 1, "b": {"c": 2}}, True), rows_of({"a": 1, "b": 2}, False)
    ([{'@key': 'a', '@value': 1}, {'@key': 'b', 'c': 2}], [{'a': 1, 'b': 2}])
    """
    if isinstance(found, list):
        return [dict(row) for row in found]
    if not isinstance(found, Mapping):
        return []
    if not keyed:
        return [dict(found)]
    return [{"@key": key, **(one if isinstance(one, Mapping) else {"@value": one})} for key, one in found.items()]


def _grouped(rows: list[Record], key: str) -> list[Record]:
    """One row for each value of `key`, in their order: means of the numbers, and how many there were as "@count"."""
    groups: dict[Any, list[Record]] = {}
    for row in rows:
        groups.setdefault(part_of(row, key), []).append(row)
    return [{"@count": len(same), **_mean(same)} for same in groups.values()]


def _mean(rows: list[Record]) -> Record:
    first = rows[0]
    numbers = {key for key, value in first.items() if isinstance(value, int | float) and not isinstance(value, bool)}
    return {key: sum(row[key] for row in rows) / len(rows) if key in numbers else first[key] for key in first}


def _cell(row: Record, column: Column, rows: list[Record]) -> str:
    value = part_of(row, column.key)
    if value is None:
        return NOTHING
    if column.form in _WITH_INTERVAL:
        return _WITH_INTERVAL[column.form](value)
    if column.over is not None:
        base = next((part_of(one, column.key) for one in rows if one.get("@key") == column.over), None)
        if not base:
            return NOTHING
        value = value / base
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = value * column.scale if column.scale != 1.0 else value
    return f"{value:{column.form}}{column.unit}".replace("-", "−") if column.form else f"{value}{column.unit}"
