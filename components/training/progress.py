"""What a person sees of a training run: a bar on a terminal, a line now and then elsewhere.

Throughput and time left are shown and reported, and never written where they could change a result.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

_LOG = logging.getLogger("chronotope.training")
_QUIET_S = 5.0


class Progress:
    """Context of one run.

    Parameters
    ----------
    epochs : how many at most
    about : device and precision, shown at the start
    """

    def __init__(self, epochs: int, about: str) -> None:
        self.epochs, self.about = epochs, about
        self.tokens = 0
        self.done = 0.0  # epochs
        self._start = self._said = time.monotonic()
        self._begun: float | None = None
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        _LOG.info("training on %s", self.about)
        if sys.stderr.isatty():
            self._bar = _bar()
        if self._bar is not None:
            self._task = self._bar.add_task(f"training on {self.about}", total=float(self.epochs))
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def rate(self) -> float:
        """Targets per second since the start."""
        return self.tokens / max(time.monotonic() - self._start, 1e-9)

    def step(self, epoch: int, share: float, tokens: int) -> None:
        """One more step: `share` (0..1) of the epoch is done, with `tokens` more targets."""
        self.tokens += tokens
        self.done = epoch + share
        if self._begun is None:  # a resumed run did not spend time on what it found done
            self._begun = self.done
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done)

    def say(self, row: Mapping[str, float]) -> None:
        """Show some metrics; losses at most every few seconds, scores always."""
        now = time.monotonic()
        scored = any(name.startswith("tune_") for name in row)
        text = "  ".join(f"{name} {value:.4g}" for name, value in row.items() if name != "epoch")
        if self._bar is not None:
            self._bar.update(self._task, description=text)
        if scored or now - self._said > _QUIET_S:
            self._said = now
            _LOG.info(
                "epoch %.1f/%d  %s  %.0f targets/s  %s left", self.done, self.epochs, text, self.rate, self._left()
            )

    def _left(self) -> str:
        gained = self.done - (self._begun or 0.0)
        if gained <= 0:
            return "?"
        seconds = (time.monotonic() - self._start) / gained * (self.epochs - self.done)
        return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _bar() -> Any:
    """A rich progress bar; None where rich is not installed."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar
    except ImportError:
        return None
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    return Bar(*columns, console=Console(stderr=True), transient=True)
