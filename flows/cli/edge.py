"""The edge of the command line: one clear message and an exit code for every error, never a traceback.

Exit codes: 0 done; 2 the command line or params.yaml is wrong; others as in `components.errors`. With `--json` the
result, or the error, is one JSON object on stdout.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from typer.main import get_command

from components.errors import ChronotopeError, ConfigError
from flows.environment import prepare

WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", "-w", metavar="DIR", help="Folder of the workspace.", show_default="here")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, for machines.")]

_INTERRUPTED = 130
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def enter(workspace: Path) -> Path:
    """The workspace's absolute folder, with the environment that every engine needs."""
    root = workspace.resolve()
    if not (root / "params.yaml").is_file():
        raise ConfigError(
            "a workspace (a folder with params.yaml)",
            found=f"none at {root}",
            do="Run `chronotope init DIR` to make one, or name one with --workspace.",
        )
    prepare(root)
    return root


def show(record: Any, as_json: bool, render: Callable[[], None]) -> None:
    """Print `record` as JSON, or call `render` for people."""
    if as_json:
        sys.stdout.write(json.dumps(record, default=str, sort_keys=True) + "\n")
    else:
        render()


def main() -> None:
    """Run the command line and leave with its exit code."""
    from flows.cli.app import app

    command = get_command(app)
    as_json = for_machines(command, sys.argv[1:])
    _show_progress()
    try:
        # Leaving by typer.Exit, or by Ctrl-C (130), comes back as a value.
        code = command.main(standalone_mode=False, prog_name="chronotope")
    except ChronotopeError as error:
        _leave(error, str(error), error.exit_code, as_json)
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # a wrong command line
            _leave(None, _told(error), int(error.exit_code), as_json)
        if type(error).__name__ == "Abort":
            sys.exit(1)
        if os.environ.get("CHRONOTOPE_DEBUG") == "1":
            raise
        _leave(
            None,
            f"A defect: {type(error).__name__}: {error}. Run again with CHRONOTOPE_DEBUG=1 and report the traceback.",
            1,
            as_json,
        )
    if code == _INTERRUPTED:
        _leave(None, "Interrupted; nothing half-written is left.", code, as_json)
    sys.exit(code if isinstance(code, int) else 0)


def for_machines(command: Any, words: list[str]) -> bool:
    """Whether a command line asks for JSON on stdout, be the rest of it right or wrong.

    Some commands have `--json FILE` instead: what they tell is for people.
    """
    for word in words:
        command = getattr(command, "commands", {}).get(word, command)
    return "--json" in words and any("--json" in one.opts and getattr(one, "is_flag", False) for one in command.params)


def _told(error: Any) -> str:
    """What is wrong with the command line, and where its options are listed; empty when the help has been shown."""
    message = str(error.format_message()).rstrip(".")
    if not message:
        return ""
    context = getattr(error, "ctx", None)
    return f"{message}. See `{context.command_path if context else 'chronotope'} --help`."


def _show_progress() -> None:
    """Steps of the flows and of a promotion on stderr, so that stdout holds the result alone."""
    handler = RichHandler(console=errors, show_path=False, show_level=False, markup=False, log_time_format="%H:%M:%S")
    for name in ("flows", "components.registry"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False


def _leave(error: ChronotopeError | None, message: str, code: int, as_json: bool) -> None:
    if as_json:
        record = {"error": message, "exit_code": code}
        if error is not None:
            record["kind"] = type(error).__name__
        sys.stdout.write(json.dumps(record) + "\n")
    elif message:
        errors.print(f"[bold red]✗[/] {escape(message)}", soft_wrap=True)
    sys.exit(code)
