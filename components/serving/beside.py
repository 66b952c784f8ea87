"""What may stand between a question and the champion: models on trial. Whoever tries them stands above this room.

Never here: who is answered by which model (`components.experiments`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from components.serving.champion import Champion
from components.serving.question import Answer, Question


class Beside(Protocol):
    """Holds a challenger, and decides who answers."""

    @property
    def challenger(self) -> Champion | None:
        """A model that must be kept up with the log beside the champion."""
        ...

    def model(self, champion: Champion, question: Question) -> Champion:
        """Who is to answer a question; nothing is noted."""
        ...

    def answer(self, champion: Champion, question: Question, ask: Callable[[Champion], Answer]) -> Answer:
        """Answer a question; `ask` asks a model."""
        ...
