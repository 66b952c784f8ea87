"""What the pages promise is there: every command parses, every link leads somewhere, every key of params is told."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from typer.main import get_command

from components.params import Params, Section
from flows.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])


def shell_lines(page: Path) -> Iterator[str]:
    """Lines of the page's bash blocks; those that end in a backslash are joined."""
    for block in re.findall(r"^```(?:bash|sh|console)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        yield from block.replace("\\\n", " ").splitlines()


def commands() -> list[tuple[str, list[str]]]:
    found = []
    for page in PAGES:
        for line in shell_lines(page):
            for part in re.split(r"&&|\|\||[;|&](?!\d)", line):
                words = shlex.split(part, comments=True)
                if "chronotope" in words[:3] and not set(words[: words.index("chronotope")]) & {"create", "--pool"}:
                    found.append((page.name, words[words.index("chronotope") + 1 :]))
    return found


def test_there_are_commands_to_check() -> None:
    told = {words[0] for page, words in commands() if page == "README.md" and words}
    assert told >= {"init", "run", "serve", "rollback", "history", "benchmark"}


@pytest.mark.parametrize(("page", "words"), commands(), ids=lambda value: value if isinstance(value, str) else value[0])
def test_a_command_of_the_pages_parses(
    page: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group: Any = get_command(app)
    name, *rest = words
    command = group.commands.get(name)
    assert command is not None, f"{page}: there is no `chronotope {name}`"
    monkeypatch.chdir(tmp_path)
    for word in rest:
        if not word.startswith(("-", "/")) and "://" not in word:
            (tmp_path / word).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / word).touch()  # the files of examples are the reader's
    command.make_context(name, list(rest))  # raises a usage error on an option or a value that is not


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    gone = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        path = page.parent / file if file else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            gone.append(target)
    assert not gone, f"{page.name} points to what is not there"


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_tests_and_files_that_the_pages_name_exist() -> None:
    pattern = r"`((?:tests|components|flows|bento|benchmarks|docs)/[\w./-]+\.\w+)(?:::(\w+))?`"
    gone = []
    for page in PAGES:
        for name, function in re.findall(pattern, page.read_text()):
            path = ROOT / name
            if not path.exists() or (function and f"def {function}(" not in path.read_text()):
                gone.append(f"{page.name}: {name} {function}")
    assert not gone


def test_every_fault_names_the_test_that_shows_it() -> None:
    table = (ROOT / "docs" / "operations.md").read_text().partition("## Fault by fault")[2].partition("\n\nThe ")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 20
    assert not [row for row in rows if not re.search(r"\| `tests/[^|]+ \|$", row)]
    for words in ("NaN", "one user", "a day without events", "missing or renamed", "a new column", "unit"):
        assert any(words in row for row in rows), f"no fault of {words}"


def keys(section: type[Section], before: str = "") -> Iterator[str]:
    """Dotted keys of params.yaml; `*` stands for a name that the user chooses."""
    for name, field in section.model_fields.items():
        key, kind = f"{before}{name}", field.annotation
        if get_origin(kind) is dict and isinstance(get_args(kind)[1], type) and issubclass(get_args(kind)[1], Section):
            yield from keys(get_args(kind)[1], f"{key}.*.")
            continue
        nested = [one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, Section)]
        if nested and get_origin(kind) is not dict:
            yield from keys(nested[0], f"{key}.")
        else:
            yield key


def test_every_key_of_params_is_told_once_and_no_other() -> None:
    told = re.findall(r"^- `([\w.*]+)`: \S", (ROOT / "docs" / "params.md").read_text(), re.MULTILINE)
    assert sorted(told) == sorted(keys(Params))
