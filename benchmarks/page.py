"""docs/benchmarks.md from suite.yaml and the stored JSON alone.

    python -m benchmarks.page            # writes the page
    python -m benchmarks.page --check    # says whether it is what the stored results render to

Titles, notes and published rows are typed in benchmarks/suite.yaml; every other figure comes from benchmarks/results.
Nothing is run here and nothing is chosen: a table without its result says so.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.suite import RESULTS, ROOT, Section, Suite, Table, load_suite
from benchmarks.tables import KINDS
from benchmarks.tables.fields import sentence
from benchmarks.tables.ranking import Stored, best_baseline, name_of, paired, shown, value_of, with_kinds
from benchmarks.tables.text import NOTHING, estimate, gap, markdown, metric_name, number
from components.files import read_json, write_text

PAGE = ROOT / "docs" / "benchmarks.md"
SECTIONS = Path(__file__).with_name("sections")
_WIDTH = 118


def render(suite: Suite, stored: Stored) -> str:
    """The whole page.

    Parameters
    ----------
    suite : what it shows
    stored : name of a file → its record, or None
    """
    blocks = [
        "# Benchmarks",
        "<!-- Made by `make benchmarks` from benchmarks/suite.yaml and benchmarks/results; not to be edited. -->",
        suite.intro,
        "## At a glance",
        at_a_glance(suite, stored),
        "\n".join(f"- [{section.title}](#{anchor(section.title)})" for section in suite.sections),
    ]
    for section in suite.sections:
        blocks += [f"## {section.title}", section.about]
        if section.compact:
            blocks.append(_compact(section, stored))
        else:
            for table in section.tables:
                blocks += _table(table, stored, suite)
        blocks.append(section.after)
    return "\n\n".join(block.strip() for block in blocks if block.strip()) + "\n"


def at_a_glance(suite: Suite, stored: Stored) -> str:
    """One line for each table of models: the best of ours, the best baseline, how far apart, what others published."""
    rows = []
    for section in suite.sections:
        for table in section.tables:
            found = stored(table.result) if table.kind == "ranking" else None
            if found is not None:
                rows.append(
                    [f"[{section.title}](#{anchor(section.title)}): {table.title}", *_best(table, with_kinds(found))]
                )
    head = [
        "log and protocol",
        "metric",
        "first of our models",
        "best baseline",
        "difference",
        "best published, comparable",
    ]
    return markdown(head, rows, left=2)


def _best(table: Table, record: dict[str, Any]) -> list[str]:
    primary, base = record["primary"], best_baseline(record)
    models = [row for row in shown(table, record) if row["kind"] == "model"]
    best = max(models, key=lambda row: value_of(row, primary) or 0.0, default=None)
    others = [row for row in table.published if row.comparable != "not" and primary in row.values]
    other = max(others, key=lambda row: row.values[primary], default=None)
    between = paired(record, best["model"], base["model"]) if best is not None and base is not None else None
    return [
        metric_name(primary),
        *(
            NOTHING if row is None else f"{name_of(row['model'])} {estimate(row['metrics'][primary])}"
            for row in (best, base)
        ),
        gap(between),
        NOTHING if other is None else f"{number(other.values[primary])} {other.model}",
    ]


def _table(table: Table, stored: Stored, suite: Suite) -> list[str]:
    """Heading, command, figures, notes."""
    blocks = [f"### {table.title}"]
    if table.command:
        blocks.append("```bash\n" + "\n".join(wrapped(line) for line in table.lines()) + "\n```")
    if any(stored(name) is None for name in (table.result, table.against) if name):
        blocks.append(_instead(table))
    return [*blocks, *KINDS[table.kind](table, stored, suite.sources), table.notes]


def _instead(table: Table) -> str:
    """What is said where there is no result."""
    if not table.command:
        return "*Not run yet*: what it is made of is not stored."
    if not table.otherwise:
        return f"*Not run yet*: `{table.result}` is not stored; the command above makes it."
    path = SECTIONS / table.otherwise
    told = path.read_text("utf-8") if table.otherwise.endswith(".md") else table.otherwise
    return f"*Written down by hand from a run of this command, before results were stored:*\n\n{told}"


def _compact(section: Section, stored: Stored) -> str:
    """One line for each table."""
    rows = []
    for table in section.tables:
        figures = sentence(table, stored) or (f"{table.otherwise} *(by hand)*" if table.otherwise else "*not run yet*")
        notes = f" ({table.notes.strip()})" if table.notes else ""
        rows.append([table.title, figures + notes, " ".join(f"`{line}`" for line in table.lines())])
    return markdown(["what", "figures", "command"], rows, left=3)


def wrapped(line: str) -> str:
    """A command in lines of readable length.

    Examples
    --------
    >>> wrapped("python -m benchmarks.streams --data DATA")
    'python -m benchmarks.streams --data DATA'
    """
    lines, now = [], ""
    for part in re.split(r" (?=-{2}|&& )", line):
        if now and len(now) + len(part) > _WIDTH:
            lines.append(now)
            now = "  " + part
        else:
            now = f"{now} {part}".strip() if not now.startswith("  ") else f"{now} {part}"
    return " \\\n".join([*lines, now])


def anchor(title: str) -> str:
    """The anchor that a heading gets on the web."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def stored_in(folder: Path) -> Stored:
    """Results of a folder by their names."""
    return lambda name: read_json(folder / name) if name and (folder / name).is_file() else None


def main(argv: Sequence[str] | None = None) -> int:
    """Write or check; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page differs")
    said = parser.parse_args(argv)
    text = render(load_suite(), stored_in(RESULTS))
    same = PAGE.is_file() and PAGE.read_text("utf-8") == text
    if said.check:
        print("the page is what the stored results render to" if same else "the page differs: run `make benchmarks`")
        return 0 if same else 1
    write_text(PAGE, text)
    print(f"{PAGE.relative_to(ROOT)}: {len(text.splitlines()):,} lines{', as it was' if same else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
