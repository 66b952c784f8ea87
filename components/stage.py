"""The edge of every stage's process: arguments in, one exit code and at most one message out.

A stage is `main(root, params, options)`: a function of the workspace's folder, its params and its own options.
`run_stage` parses `--workspace` (default: the current folder), reads `params.yaml` there, calls `main`, shows the
text that it returns, and turns any error of `components.errors` into its message and exit code. Nothing here knows
what a stage does, and no traceback leaves it unless `CHRONOTOPE_DEBUG=1` asks for one.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from components.errors import ChronotopeError
from components.params import Params, load_params

#: What a stage is: (workspace, params, its own options) → text to show, or None.
Stage = Callable[[Path, Params, argparse.Namespace], str | None]

_INTERRUPTED = 130  # what a shell reports for SIGINT


def run_stage(
    main: Stage,
    *,
    name: str,
    description: str,
    arguments: Callable[[argparse.ArgumentParser], None] | None = None,
    argv: Sequence[str] | None = None,
) -> NoReturn:
    """Run one stage as a process and leave with its exit code.

    Parameters
    ----------
    main : Stage
        Called once with the resolved workspace, its params and the parsed options.
    name : str
        The stage's module below `components`, for `--help`.
    description : str
        One sentence for `--help`.
    arguments : callable, optional
        Adds the stage's own options to the parser.
    argv : sequence of str, optional
        Arguments; the process's own when left out.

    Raises
    ------
    SystemExit
        Always: 0, the error's `exit_code` (see `components.errors`), 2 for wrong arguments, 130 when interrupted.
    """
    parser = argparse.ArgumentParser(prog=f"python -m components.{name}", description=description)
    parser.add_argument("--workspace", type=Path, default=Path(), metavar="DIR", help="default: the current folder")
    if arguments is not None:
        arguments(parser)
    options = parser.parse_args(argv)
    try:
        root = options.workspace.resolve()
        text = main(root, load_params(root / "params.yaml"), options)
    except ChronotopeError as error:
        _leave(str(error), error.exit_code)
    except KeyboardInterrupt:
        _leave("Interrupted; nothing half-written is left.", _INTERRUPTED)
    except Exception as error:  # the edge of the process: whatever comes here is a defect
        if os.environ.get("CHRONOTOPE_DEBUG") == "1":
            raise
        _leave(
            f"A defect in the stage {name}: {type(error).__name__}: {error}. "
            "Run it again with CHRONOTOPE_DEBUG=1 and report the traceback.",
            ChronotopeError.exit_code,
        )
    if text:
        sys.stdout.write(text.rstrip("\n") + "\n")
    sys.exit(0)


def _leave(message: str, code: int) -> NoReturn:
    sys.stderr.write(message.rstrip("\n") + "\n")
    sys.exit(code)
