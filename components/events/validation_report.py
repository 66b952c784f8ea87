"""What a validation found, as a record for `reports/validation.json` and as text for people.

No clock and no machine in it: the same snapshot and params give the same bytes.
Never here: judging.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Failure:
    """One broken expectation of a batch.

    Attributes
    ----------
    name, needed, found, do : what was expected, what was there and where, what to do
    events : up to five of the offending events, column → text
    """

    name: str
    needed: str
    found: str
    do: str
    events: list[dict[str, str]]


@dataclass(frozen=True)
class ValidationReport:
    """The whole outcome.

    Attributes
    ----------
    rows_in, kept, quarantined : rows_in = kept + quarantined, asserted before the report exists
    users, items : distinct among kept rows
    rules : name → needed, severity, `caught` (rows that it sent to quarantine), `broken` (rows or days that break
        it) and, of days and batches, the `largest` number that was held to the limit
    days : one record a day: day, rows, kept, users, sha256 of its file, judged
    action_mix : action → share in the reference and among the judged days
    flags : flag → kept rows that carry it
    reference : components.events.reference.Reference as a record
    expectations : evaluated and passed by Great Expectations, the rows that it saw of how many
    notices : what a person should know though nothing is broken
    failures : empty when the batch passed
    """

    rows_in: int
    kept: int
    quarantined: int
    users: int
    items: int
    rules: Mapping[str, Mapping[str, Any]]
    days: list[dict[str, Any]]
    action_mix: Mapping[str, Mapping[str, float]]
    flags: Mapping[str, int]
    reference: Mapping[str, Any]
    expectations: Mapping[str, int]
    catalogue: Mapping[str, Any]
    notices: list[str]
    failures: list[Failure]

    @property
    def passed(self) -> bool:
        """Whether the batch may go on."""
        return not self.failures

    def record(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {**asdict(self), "passed": self.passed}


def render(report: ValidationReport) -> str:
    """The report in a few lines of plain text."""
    verdict = "passed" if report.passed else "FAILED: " + ", ".join(failure.name for failure in report.failures)
    lines = [
        f"Validation {verdict}",
        f"  rows in {report.rows_in:,} = kept {report.kept:,} + quarantined {report.quarantined:,};"
        f" {report.users:,} users, {report.items:,} items, {len(report.days):,} days",
        f"  expectations: {report.expectations['passed']} of {report.expectations['evaluated']} hold"
        f" (Great Expectations saw {report.expectations['rows']:,} rows)",
    ]
    caught: dict[str, int] = {name: rule["caught"] for name, rule in report.rules.items() if rule["caught"]}
    if caught:
        lines.append(
            "  quarantined by rule: " + _pairs(dict(sorted(caught.items(), key=lambda pair: pair[1], reverse=True)))
        )
    lines.append("  flagged and kept: " + _pairs(report.flags))
    mix = {name: f"{share['judged']:.1%} ({share['reference']:.1%})" for name, share in report.action_mix.items()}
    lines.append(
        f"  actions on the newest days (before: {report.reference['first_day']} to {report.reference['last_day']}): "
        + _pairs(mix)
    )
    lines += [f"  note: {notice}" for notice in report.notices]
    lines.append("  more: reports/validation.json, reports/data_docs/index.html")
    return "\n".join(lines)


def _pairs(counts: Mapping[str, int] | Mapping[str, str]) -> str:
    shown = (f"{name} {count:,}" if isinstance(count, int) else f"{name} {count}" for name, count in counts.items())
    return ", ".join(shown)


def show_events(events: list[dict[str, str]]) -> str:
    """Offending events as an aligned table with a heading; empty columns are left out."""
    if not events:
        return ""
    columns = [name for name in events[0] if any(event[name] for event in events)]
    width = {name: max(len(name), *(len(event[name]) for event in events)) for name in columns}
    rows = [{name: name for name in columns}, *events]
    return "\n".join("    " + "  ".join(row[name].ljust(width[name]) for name in columns).rstrip() for row in rows)
