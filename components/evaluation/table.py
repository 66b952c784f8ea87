"""The table of models beside baselines, for a terminal and as Markdown, headed by the rules it was made under."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

Record = dict[str, Any]
_MARK = {"model": "", "baseline": "baseline", "observer": "observer"}


def shown_metrics(record: Record) -> list[str]:
    """The few metrics that fit a line: the primary one, hit rates, and the reciprocal rank."""
    have = list(record["models"][0]["metrics"]) if record["models"] else []
    wanted = [record["primary"], "hr@1", "hr@10", "ndcg@10", "mrr"]
    return [name for name in dict.fromkeys(wanted) if name in have]


def protocol_line(record: Record) -> str:
    """Everything that must be known to compare a figure with another."""
    protocol, data = record["protocol"], record["data"]
    return (
        f"split {protocol['split']} · target_time {protocol['target_time']} · history {protocol['history']} · "
        f"seen {protocol['seen']} · unseen {protocol['unseen']} ({data['unseen_share']:.1%} of answers) · "
        f"ties {protocol['ties']} ({data['ties']:.1%} of events) · "
        f"n {data['queries']:,} of {data['users_asked']:,} users · "
        f"{data['items']:,} items ranked · data {data['digest'][:12]}"
    )


def print_table(record: Record, console: Console) -> None:
    """Print the table for people.

    Parameters
    ----------
    record : as `summary.record_of` makes it
    console : where to
    """
    names = shown_metrics(record)[: 3 if console.width < 100 else None]
    table = Table(title=f"window {record['protocol'].get('window', 'test')}", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("model", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("against best\nbaseline", justify="right", no_wrap=True)
    for row in record["models"]:
        mark = _MARK[row["kind"]]
        label = f"{row['model']}\n[dim]{mark}[/]" if mark else f"[bold]{row['model']}[/]"
        table.add_row(
            label, *(cell(row["metrics"][name], stacked=True) for name in names), difference(row, stacked=True)
        )
    console.print(table)
    console.print(protocol_line(record), style="dim")


def markdown(record: Record) -> str:
    """The same table as Markdown."""
    names = shown_metrics(record)
    head = ["model", "kind", *names, "against the best baseline"]
    lines = [_line(head), _line(["---"] * len(head))]
    for row in record["models"]:
        lines.append(_line([row["model"], row["kind"], *(cell(row["metrics"][n]) for n in names), difference(row)]))
    return "\n".join([*lines, "", protocol_line(record), ""])


def cell(estimate: Record, stacked: bool = False) -> str:
    """A figure with its interval, e.g. "0.3120 (0.298–0.326)"; `stacked` puts the interval on a line of its own."""
    if estimate["value"] is None:
        return "–"
    if estimate["low"] is None:
        return f"{estimate['value']:.4f}"
    return _with(f"{estimate['value']:.4f}", f"{estimate['low']:.3f}–{estimate['high']:.3f}", stacked)


def difference(row: Record, stacked: bool = False) -> str:
    """The paired difference to the best baseline; a star where the interval does not hold 0."""
    found = row.get("difference")
    if not found or found["value"] is None:
        return "–"
    if found["low"] is None:
        return f"{found['value']:+.4f}"
    star = "*" if found["low"] > 0 or found["high"] < 0 else ""
    return _with(f"{found['value']:+.4f}{star}", f"{found['low']:+.3f}…{found['high']:+.3f}", stacked)


def _with(figure: str, interval: str, stacked: bool) -> str:
    return f"{figure}\n[dim]{interval}[/]" if stacked else f"{figure} ({interval})"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
