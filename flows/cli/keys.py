"""`keys`: the keys of the service. A key is shown once; only its digest is kept."""

from __future__ import annotations

import secrets
import sys
from typing import Annotated

import typer

from flows.cli.edge import JsonOption, errors, show

keys = typer.Typer(no_args_is_help=True, help="Keys of the service (CHRONOTOPE_KEYS).")


@keys.callback()
def group() -> None:
    """Keys of the service (CHRONOTOPE_KEYS)."""


@keys.command()
def new(
    scopes: Annotated[str, typer.Option(help="Of read, write, admin and metrics, with commas.")] = "read",
    name: Annotated[str | None, typer.Option(help="By which the log calls it; a-z, 0-9 and -.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key: shown once, with the line for the file that CHRONOTOPE_KEYS names.

    Example: `chronotope keys new --scopes read,write --name shop`
    """
    from bento.guard.keys import new_key

    key, line = new_key(name or secrets.token_hex(4), [one.strip() for one in scopes.split(",") if one.strip()])

    def told() -> None:
        errors.print("The key, shown this once; clients send it as [bold]Authorization: Bearer …[/]")
        sys.stdout.write(f"{key}\n")
        errors.print("Its line, for the file that CHRONOTOPE_KEYS names:")
        sys.stdout.write(f"{line}\n")

    show({"key": key, "line": line}, as_json, told)
