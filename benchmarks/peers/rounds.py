"""The side of a driver: train some steps whenever asked, and say what they cost.

A driver is a process of its own, in an environment of its own, that has built its model and waits. It takes one step
to warm up and then says so, with what it is; for each number that it reads it takes as many steps and answers with
their targets and CPU seconds. So rounds of many drivers can alternate without any of them starting twice. Needs the
standard library alone: it runs in the environments of the peers. Never knows what is trained.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_TICK = os.sysconf("SC_CLK_TCK")
_ASLEEP_TIMES = 5  # in a row, a tenth of a second apart


class Rounds:
    """The conversation with the harness.

    Parameters
    ----------
    about : versions and settings, for the record
    workers : ids of processes that work for this one; their CPU time is counted. A round begins and ends when all of
        them sleep because their queue is full, so that a round pays for as many batches as it takes
    """

    def __init__(self, about: dict[str, Any], workers: Callable[[], Sequence[int]] = tuple) -> None:
        self.about, self.workers = about, workers
        self.left, self.steps, self.targets = 1, 0, 0
        self.answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # what a library prints is no answer
        self.begin = 0.0

    def after(self, targets: int) -> bool:
        """Count a step that trained so many targets; False when there is nothing more to do."""
        self.left, self.steps, self.targets = self.left - 1, self.steps + 1, self.targets + targets
        if self.left:
            return True
        seconds = self._cpu_s() - self.begin
        first = {"ready": self.about} if self.begin == 0.0 else {}
        found = {"steps": self.steps, "targets": self.targets, "cpu_s": round(seconds, 4)}
        print(json.dumps(first or found), file=self.answers, flush=True)
        asked = sys.stdin.readline().strip()
        self.left, self.steps, self.targets = int(asked or 0), 0, 0
        self.begin = self._cpu_s()
        return self.left > 0

    def _cpu_s(self) -> float:
        """CPU seconds of this process and of its workers, once these have nothing to do."""
        own, workers = time.process_time(), self.workers()
        asleep = 0
        while workers and asleep < _ASLEEP_TIMES:
            asleep = asleep + 1 if all(_asleep(pid) for pid in workers) else 0
            time.sleep(0.1)
        return own + sum(_cpu_of(pid) for pid in workers)


def _asleep(pid: int) -> bool:
    """Whether no thread of a process runs or wants to."""
    return all(_fields(stat)[0] == "S" for stat in Path(f"/proc/{pid}/task").glob("*/stat"))


def _cpu_of(pid: int) -> float:
    """CPU seconds of a process that lives."""
    fields = _fields(Path(f"/proc/{pid}/stat"))
    return (int(fields[11]) + int(fields[12])) / _TICK


def _fields(stat: Path) -> list[str]:
    """Fields of a stat file behind the name, which may hold blanks."""
    return stat.read_text().rpartition(")")[2].split()
