"""One finding in words, and how tests are named."""

from __future__ import annotations

from dataclasses import dataclass

from components.evolution.report.words import share


@dataclass(frozen=True)
class Sentence:
    """What was found, and how it is known."""

    text: str
    known: str


def discoveries(level: float) -> str:
    """What holds many tests together."""
    return f"false discoveries held at {share(level)} (Benjamini–Hochberg)"


def drawn(draws: int) -> str:
    """Where an interval comes from."""
    return f"users drawn anew {draws:,} times"
