"""`python -m components.benchmark`: the same options as `chronotope benchmark`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

import components.benchmark
from components.benchmark import RULES, Options, benchmark
from components.errors import ChronotopeError


def options_of(argv: Sequence[str] | None = None) -> Options:
    """What a command line asks for; `argv` without the command's own name."""
    parser = argparse.ArgumentParser(prog="python -m components.benchmark", description=components.benchmark.__doc__)
    parser.add_argument("--source", required=True, metavar="FORMAT")
    for name in ("path", "train", "valid", "test", "mapping", "params", "json"):
        parser.add_argument(f"--{name}", type=Path, metavar="FILE")
    parser.add_argument("--protocol", choices=("temporal", "leave_one_out", "last_of_trajectory"), default="temporal")
    for name, choices in RULES.items():
        parser.add_argument(f"--{name.replace('_', '-')}", choices=choices)
    parser.add_argument("--models", metavar="A,B", type=lambda text: tuple(text.split(",")))
    parser.add_argument("--seeds", type=int, default=1)
    return Options(**vars(parser.parse_args(argv)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run a benchmark, print its table, and return the exit code."""
    options, console = options_of(argv), Console(highlight=False)
    try:
        benchmark(options, lambda line: console.print(line, style="dim")).print(console)
    except ChronotopeError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
