"""One clear message and an exit code for every mistake, never a traceback; help that shows an example."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from components.errors import BusyError, DataError, IntegrityError, PromotionError, StorageError
from components.workspace import hold
from flows.cli import app as commands
from flows.cli import pipeline

NAMES = sorted(one.callback.__name__ for one in commands.app.registered_commands if one.callback)
MESSAGE = re.compile(r"✗ Needed .+; found .+\. \S.+")


@pytest.mark.parametrize("name", NAMES)
def test_help_shows_an_example_that_is_a_command(name: str) -> None:
    shown = CliRunner().invoke(commands.app, [name, "--help"])
    assert shown.exit_code == 0
    assert re.search(rf"Example: chronotope {name}\b", shown.output)


def test_every_command_that_is_promised_is_there() -> None:
    assert set(NAMES) >= {
        "init", "run", "ingest", "validate", "features", "train", "evaluate", "promote", "rollback", "history",
        "serve", "explain", "ui", "benchmark", "doctor",
    }  # fmt: skip


def test_no_command_shows_the_list(chronotope) -> None:
    left = chronotope()
    assert left.code == 2
    assert "rollback" in left.out + left.err
    assert "✗" not in left.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "--nope"], "No such option: --nope"),
        (["fly"], "No such command 'fly'"),
        (["benchmark"], "--source"),
        (["benchmark", "--source", "csv", "--protocol", "guess"], "'guess' is not one of"),
        (["rollback", "--to", "three"], "Invalid value for '--to'"),
        (["init"], "DIR"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line(chronotope, arguments: list[str], told: str) -> None:
    left = chronotope(*arguments)
    assert left.code == 2
    assert told in left.err
    assert "--help`." in left.err
    assert len(left.err.strip().splitlines()) == 1
    assert left.out == ""


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"init", "benchmark"}))
def test_no_workspace_is_the_same_message_everywhere(chronotope, tmp_path: Path, name: str) -> None:
    needed = {"explain": ["somebody"], "compress": ["somebody"], "consume": ["--stream", "shop", "--group", "one"]}.get(
        name, []
    )
    left = chronotope(name, *needed, "--workspace", str(tmp_path / "none"))
    assert left.code == 2
    assert MESSAGE.fullmatch(left.err.strip())
    assert "chronotope init" in left.err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["ingest", "--until", "2025-02-30"], "'2025-02-30'"),
        (["run", "--until", "yesterday"], "'yesterday'"),
        (["ingest", "--replace", "2025-03-04:2025-03-01"], "'2025-03-04:2025-03-01'"),
        (["train", "alexnet"], "the model 'alexnet'"),
    ],
)
def test_a_wrong_value_says_what_was_needed(chronotope, space: Path, arguments: list[str], found: str) -> None:
    left = chronotope(*arguments, "--workspace", str(space))
    assert left.code == 2
    assert MESSAGE.fullmatch(left.err.strip())
    assert f"found {found}" in left.err
    assert not (space / ".chronotope").exists(), "nothing is touched before the command line is understood"


@pytest.mark.parametrize("command", [["init", "somewhere"], ["benchmark"]])
def test_an_unknown_format_names_those_that_are_known(chronotope, tmp_path: Path, monkeypatch, command) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.csv").write_text("user_id,item_id\n")
    left = chronotope(*command, "--source", "xlsx", "--path", "log.csv")
    assert left.code == 2
    assert MESSAGE.fullmatch(left.err.strip())
    assert "xlsx" in left.err
    assert "recbole" in left.err
    assert not (tmp_path / "somewhere").exists()


def test_brackets_in_a_message_stay_as_they_are(chronotope, tmp_path: Path) -> None:
    left = chronotope("history", "--workspace", str(tmp_path / "[bold]a[" / "none]"))
    assert left.code == 2
    assert str(tmp_path / "[bold]a[" / "none]") in left.err


@pytest.mark.parametrize(
    ("error", "code"), [(DataError, 3), (IntegrityError, 4), (PromotionError, 6), (BusyError, 7), (StorageError, 8)]
)
def test_the_exit_code_is_that_of_the_error(chronotope, space: Path, monkeypatch, error: type, code: int) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error("this", found="that", do="Mend it.")

    monkeypatch.setattr(pipeline.stages, "reproduce", fail)
    plain = chronotope("validate", "--workspace", str(space))
    assert (plain.code, plain.err) == (code, "✗ Needed this; found that. Mend it.\n")
    machine = chronotope("validate", "--workspace", str(space), "--json")
    assert machine.code == code
    assert json.loads(machine.out) == {
        "error": "Needed this; found that. Mend it.", "exit_code": code, "kind": error.__name__,
    }  # fmt: skip
    assert machine.err == ""


def test_a_wrong_option_is_json_too(chronotope) -> None:
    left = chronotope("history", "--json", "--nope")
    record = json.loads(left.out)
    assert left.code == record["exit_code"] == 2
    assert "--nope" in record["error"]


def test_a_defect_is_one_line_unless_debugging(chronotope, space: Path, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("deep inside")

    monkeypatch.setattr(pipeline.stages, "reproduce", fail)
    left = chronotope("features", "--workspace", str(space))
    assert left.code == 1
    assert left.err.startswith("✗ A defect: ZeroDivisionError: deep inside.")
    assert "Traceback" not in left.err
    monkeypatch.setenv("CHRONOTOPE_DEBUG", "1")
    monkeypatch.setattr("sys.argv", ["chronotope", "features", "--workspace", str(space)])
    with pytest.raises(ZeroDivisionError):
        commands_main()


def commands_main() -> None:
    from flows.cli.edge import main

    main()


def test_ctrl_c_is_130(chronotope, space: Path, monkeypatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline.stages, "reproduce", interrupted)
    left = chronotope("features", "--workspace", str(space))
    assert left.code == 130
    assert "Interrupted" in left.err


@pytest.mark.parametrize("arguments", [["ingest"], ["validate"], ["train", "memory"], ["promote"], ["rollback"]])
def test_whatever_writes_asks_for_the_workspace_first(chronotope, space: Path, arguments: list[str]) -> None:
    with hold(space, "a long training"):
        left = chronotope(*arguments, "--workspace", str(space))
    assert left.code == 7
    assert "a long training" in left.err


def test_nothing_promoted_is_said(chronotope, space: Path) -> None:
    assert "Nothing was promoted yet" in chronotope("history", "--workspace", str(space)).out
    assert json.loads(chronotope("history", "--workspace", str(space), "--json").out) == []
    left = chronotope("serve", "--workspace", str(space))
    assert left.code == 6
    assert "chronotope run" in left.err


def test_json_to_a_file_leaves_what_is_told_to_people(chronotope, tmp_path: Path) -> None:
    left = chronotope("benchmark", "--source", "nope", "--path", str(tmp_path), "--json", str(tmp_path / "o.json"))
    assert left.code == 2
    assert "{" not in left.out
    assert "nope" in left.err
    asked = chronotope("history", "--nope", "--json")
    assert json.loads(asked.out)["exit_code"] == 2
