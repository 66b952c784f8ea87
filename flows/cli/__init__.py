"""`chronotope`, the one command. Each group of commands is a file here; `edge.py` is where errors become messages."""

from flows.cli.edge import main

__all__ = ["main"]
