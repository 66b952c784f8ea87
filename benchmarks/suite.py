"""The tables of docs/benchmarks.md: what each shows and the command that makes it; runs those that are not stored.

    python -m benchmarks.suite --data DIR [NAME …]     # what is not stored yet; long runs go on where they were
    python -m benchmarks.suite --again NAME …          # whether it is stored or not
    python -m benchmarks.suite --list                  # names, and what is stored

`benchmarks/suite.yaml` describes every table. A command is shown on the page as it stands there and run as it stands
there, but for DATA, the folder of the data sets, and for `chronotope benchmark`, which runs in this interpreter.
Nothing here renders, and no result is written but by the commands themselves.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

ROOT = Path(__file__).resolve().parents[1]
SUITE = Path(__file__).with_name("suite.yaml")
RESULTS = Path(__file__).with_name("results")


class Part(BaseModel):
    """A part of suite.yaml: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Published(Part):
    """A row that somebody else published.

    Attributes
    ----------
    values : metric → value, as published
    source : a key of `sources`; `quoted`: it was read there, not in the paper itself
    comparable : wholly; partly, where something that matters is not known; or not
    why : what differs, or what is not known; may be empty where all is alike, or where it was read second-hand
    """

    model: str
    values: dict[str, float]
    source: str
    quoted: bool = False
    comparable: Literal["wholly", "partly", "not"]
    why: str = ""

    @model_validator(mode="after")
    def _says_why(self) -> Published:
        if not self.why and (self.comparable == "not" or (self.comparable == "partly" and not self.quoted)):
            raise ValueError(f"{self.model}: a row that is not wholly comparable says why")
        return self


class Column(Part):
    """A column of a table of plain fields: its title, where its value stands in a row, and how it is written.

    Attributes
    ----------
    key : a dotted path in the row; "@key" and "@value" are those of a mapping
    form : a Python format, e.g. ",.0f", to which `scale` is applied before; or `estimate`, `gap`: with its interval
    over : a key of the mapping: the value is divided by that row's
    """

    title: str
    key: str
    form: str = ""
    scale: float = 1.0
    unit: str = ""
    over: str | None = None


class Table(Part):
    """A table of the page.

    Attributes
    ----------
    name : for the command line
    kind : what renders it
    result : file in benchmarks/results
    against : a second one, which the table is compared with (ties) or shows as well (streams)
    command : lines that make the result, from the repository's root
    needs : folder below DATA that must be there
    by_hand : the commands are shown, and run by people alone
    rows : which rows to show, in their own order; empty: all. For fields: the path of the rows
    columns : metrics to show; for fields: the columns
    group : for fields: rows alike in this are one, their numbers averaged
    published : what others report
    notes : shown below
    otherwise : shown while there is no result: a file of benchmarks/sections, or plain text
    """

    name: str
    kind: Literal["ranking", "encoders", "streams", "ties", "fields"]
    title: str
    result: str
    against: str | None = None
    command: tuple[str, ...]
    needs: str | None = None
    by_hand: bool = False
    rows: tuple[str, ...] = ()
    path: str = ""
    columns: tuple[str | Column, ...] = ()
    group: str | None = None
    published: tuple[Published, ...] = ()
    notes: str = ""
    otherwise: str = ""

    def lines(self) -> list[str]:
        """The commands with the file that they write."""
        shown = list(self.command)
        if shown and "--json" not in shown[-1]:
            shown[-1] += f" --json benchmarks/results/{self.result}"
        return shown


class Section(Part):
    """A heading, what is said below it, and its tables; `compact`: one line for each, of a result that is one row."""

    title: str
    about: str = ""
    compact: bool = False
    after: str = ""
    tables: tuple[Table, ...] = ()


class Source(Part):
    """Where a published row was read."""

    name: str
    url: str | None = None


class Suite(Part):
    """The whole page."""

    intro: str
    sources: dict[str, Source]
    sections: tuple[Section, ...]

    @model_validator(mode="after")
    def _agrees(self) -> Suite:
        names = [table.name for table in self.tables()]
        twice = {name for name in names if names.count(name) > 1}
        unknown = {row.source for table in self.tables() for row in table.published} - set(self.sources)
        if twice or unknown:
            raise ValueError(f"tables of one name {sorted(twice)}, sources that are not told {sorted(unknown)}")
        return self

    def tables(self) -> Iterator[Table]:
        """All tables, in the order of the page."""
        return (table for section in self.sections for table in section.tables)


def load_suite(path: Path = SUITE) -> Suite:
    """The suite as it is described."""
    return Suite.model_validate(yaml.safe_load(path.read_text("utf-8")))


def steps(table: Table, data: Path) -> list[tuple[list[str], dict[str, str]]]:
    """Commands as they are run: words and what they add to the environment."""
    found = []
    for line in table.lines():
        words = [word.replace("DATA", str(data), 1) if word.startswith("DATA") else word for word in shlex.split(line)]
        environment = {}
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            environment[name] = value
        if words[:2] == ["chronotope", "benchmark"]:
            words = [sys.executable, "-m", "components.benchmark", *words[2:]]
        elif words[0] == "python":
            words[0] = sys.executable
        found.append((words, environment))
    return found


def run(table: Table, data: Path) -> None:
    """Run the commands of a table, one after another.

    Raises
    ------
    subprocess.CalledProcessError
        One of them failed; what it has kept, it goes on from.
    """
    for words, environment in steps(table, data):
        subprocess.run(words, check=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)} | environment)


def wanted(suite: Suite, names: Sequence[str], again: bool, results: Path) -> list[Table]:
    """Of the tables named, or of all, the first of each result that is not stored, or with `again` of each.

    Raises
    ------
    SystemExit
        A name is none of the suite's.
    """
    known = {table.name for table in suite.tables()}
    if unknown := sorted(set(names) - known):
        raise SystemExit(f"no table {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    first: dict[str, Table] = {}
    for table in suite.tables():
        asked = table.command and (not names or table.name in names)
        if asked and (again or not (results / table.result).is_file()):
            first.setdefault(table.result, table)
    return list(first.values())


def main(argv: Sequence[str] | None = None) -> None:
    """Run what is missing, or list everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="tables; default: all")
    parser.add_argument("--data", type=Path, help="the folder of the data sets, DATA in the commands")
    parser.add_argument("--again", action="store_true", help="run what is stored, too; name what")
    parser.add_argument("--list", action="store_true", help="say what is stored, and run nothing")
    said = parser.parse_args(argv)
    if said.again and not said.names:
        parser.error("--again needs the names of what is to be run")
    suite = load_suite()
    todo = wanted(suite, said.names, said.again, RESULTS)
    if said.list:
        for table in suite.tables():
            print(f"{table.name:20} {'stored' if (RESULTS / table.result).is_file() else 'missing':8} {table.result}")
        return
    for table in todo:
        if why := _not_now(table, said.data):
            print(f"{table.name}: {why}", flush=True)
            continue
        print(f"{table.name}: {' && '.join(table.lines())}", flush=True)
        run(table, (said.data or Path()).resolve())


def _not_now(table: Table, data: Path | None) -> str:
    """Why a table is not run, or nothing."""
    if table.by_hand:
        return "run by hand: " + " && ".join(table.lines())
    if any("DATA" in line for line in table.lines()):
        if data is None:
            return "left out; name the folder of the data sets with --data"
        if table.needs and not (data / table.needs).exists():
            return f"left out; there is no {table.needs} in {data}"
    return ""


if __name__ == "__main__":
    main()
