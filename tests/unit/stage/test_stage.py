"""The edge of a stage: exit codes, one message, no traceback."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from components.errors import ChronotopeError, DataError
from components.params import Params
from components.stage import run_stage

PARAMS = Path(__file__).resolve().parents[3] / "params.yaml"


def leave(main, argv, **more) -> int:
    with pytest.raises(SystemExit) as left:
        run_stage(main, name="toy", description="A toy.", argv=argv, **more)
    return left.value.code


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text(PARAMS.read_text())
    return tmp_path


def test_hands_over_workspace_params_and_options(root: Path, capsys) -> None:
    seen: list[tuple[Path, Params, argparse.Namespace]] = []

    def main(*given) -> str:
        seen.append(given)
        return "all is well"

    code = leave(
        main, ["--workspace", str(root), "--model", "gru"], arguments=lambda parser: parser.add_argument("--model")
    )
    assert code == 0
    assert seen[0][0] == root
    assert seen[0][1].workspace.seed == 7
    assert seen[0][2].model == "gru"
    assert capsys.readouterr().out == "all is well\n"


def test_an_error_of_the_tree_is_one_message_and_its_code(root: Path, capsys) -> None:
    def main(*_) -> None:
        raise DataError("a log", found="nothing", do="Ingest one.")

    assert leave(main, ["--workspace", str(root)]) == 3
    assert capsys.readouterr().err == "Needed a log; found nothing. Ingest one.\n"


def test_a_missing_workspace_is_an_error_of_configuration(tmp_path: Path, capsys) -> None:
    assert leave(lambda *_: None, ["--workspace", str(tmp_path / "nowhere")]) == 2
    assert "chronotope init" in capsys.readouterr().err


def test_a_defect_is_one_line_unless_debugging(root: Path, capsys, monkeypatch) -> None:
    def main(*_) -> None:
        raise ZeroDivisionError("by zero")

    assert leave(main, ["--workspace", str(root)]) == ChronotopeError.exit_code
    assert "ZeroDivisionError: by zero" in capsys.readouterr().err
    monkeypatch.setenv("CHRONOTOPE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run_stage(main, name="toy", description="A toy.", argv=["--workspace", str(root)])


def test_an_interrupt_is_reported_as_such(root: Path) -> None:
    def main(*_) -> None:
        raise KeyboardInterrupt

    assert leave(main, ["--workspace", str(root)]) == 130
