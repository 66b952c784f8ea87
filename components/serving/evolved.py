"""The newest report of how behaviour evolves, for the service: read when its file changed, and only if it is sound.

A report is replaced in one step, so a reader sees the old one or the new. Never here: what a report holds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from components.errors import IntegrityError

logger = logging.getLogger(__name__)
_MOST_BYTES = 4 << 20


class Evolved:
    """A reader of one file that many requests ask for.

    Parameters
    ----------
    path : of the summary that `chronotope evolve` writes
    check : bytes → the bytes to tell; raises ValueError for what is not a summary
    """

    def __init__(self, path: Path, check: Callable[[bytes], bytes]) -> None:
        self._path, self._check = path, check
        self._seen: tuple[int, int, int] | None = None
        self._told: bytes | None = None

    def read(self) -> bytes | None:
        """The summary, or None where no report was made yet; a damaged one leaves the one before standing.

        Raises
        ------
        IntegrityError
            The file is damaged and none was read before.
        """
        try:
            stat = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return self._told
        now = stat.st_mtime_ns, stat.st_ino, stat.st_size
        if now == self._seen and self._told is not None:
            return self._told
        try:
            if stat.st_size > _MOST_BYTES:
                raise ValueError(f"{stat.st_size} bytes")
            self._told = self._check(self._path.read_bytes())
            self._seen = now
        except FileNotFoundError:
            return self._told
        except ValueError as error:
            if self._told is None:
                raise IntegrityError(
                    f"a summary at {self._path}", found=str(error)[:200], do="Run `chronotope evolve` again."
                ) from error
            if now != self._seen:
                logger.warning("%s is damaged; the report before it is told", self._path)
                self._seen = now
        return self._told
