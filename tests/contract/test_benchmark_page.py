"""docs/benchmarks.md is what the stored results render to, and the suite points to nothing that is not there."""

from __future__ import annotations

import importlib
import importlib.util
import re

import pytest

from benchmarks.page import PAGE, SECTIONS, render, stored_in
from benchmarks.suite import RESULTS, Table, load_suite, steps
from components.benchmark.__main__ import options_of
from tests.conftest import ROOT

SUITE = load_suite()
TABLES = list(SUITE.tables())


def test_the_page_is_what_the_stored_results_render_to() -> None:
    assert PAGE.read_text("utf-8") == render(SUITE, stored_in(RESULTS)), "run `make benchmarks` and commit the page"


def test_every_stored_result_is_shown() -> None:
    shown = {name for table in TABLES for name in (table.result, table.against)}
    assert {path.name for path in RESULTS.glob("*.json")} <= shown


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_names_nothing_that_is_not_there(table: Table) -> None:
    if table.otherwise.endswith(".md"):
        assert (SECTIONS / table.otherwise).is_file()
    for words, _ in steps(table, ROOT):
        for word in words:
            if word.startswith("benchmarks/configs/"):
                assert (ROOT / word).is_file(), word
        if "-m" in words and not table.by_hand:
            assert importlib.util.find_spec(words[words.index("-m") + 1]), words
        if "components.benchmark" in words:
            options_of(words[words.index("components.benchmark") + 1 :])


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py")))
def test_a_benchmark_finds_all_that_it_imports(name: str) -> None:
    importlib.import_module(f"benchmarks.{name}")


def test_nothing_of_the_page_is_of_a_machine() -> None:
    text = PAGE.read_text("utf-8") + "".join(path.read_text("utf-8") for path in RESULTS.glob("*.json"))
    assert not re.findall(r"/(?:work|home|tmp|root|Users)/\S*", text)
