"""What the rounds say: rates, medians and ratios. Plain numbers in, plain numbers out; never starts anything."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Round:
    """What a driver says of one round: steps taken, valid targets trained, CPU seconds of it and its workers."""

    steps: int
    targets: int
    cpu_s: float

    @property
    def rate(self) -> float:
        """Targets per CPU second."""
        return self.targets / self.cpu_s


@dataclass(frozen=True)
class Ratio:
    """One loop against another: the rate of each over its own rounds, and what must be reached.

    Attributes
    ----------
    ours, theirs : names of the loops
    budget, aim : of their ratio; an aim may be absent
    """

    ours: str
    theirs: str
    budget: float
    aim: float | None = None


def round_of(line: str, steps: int) -> Round:
    """A driver's answer to `steps`.

    Raises
    ------
    ValueError
        It ended, or it says something else, or it took another number of steps.
    """
    try:
        found = Round(**json.loads(line))
    except (json.JSONDecodeError, TypeError) as error:
        raise ValueError(f"a round as JSON was needed, found {line!r:.200}") from error
    if found.steps != steps or found.targets <= 0 or found.cpu_s <= 0.0:
        raise ValueError(f"{steps} steps that train something were needed, found {found}")
    return found


def ready_of(line: str) -> dict[str, Any]:
    """What a driver is, from its first line.

    Raises
    ------
    ValueError
        It ended before it was ready, or it says something else.
    """
    try:
        return dict(json.loads(line)["ready"])
    except (json.JSONDecodeError, TypeError, KeyError) as error:
        raise ValueError(f"a driver that is ready was needed, found {line!r:.200}") from error


def summary(rounds: Sequence[Round]) -> dict[str, Any]:
    """The rounds of one loop and the median of their rates."""
    rate = statistics.median(one.rate for one in rounds)
    return {"targets_per_cpu_s": round(rate, 1), "rounds": [asdict(one) for one in rounds]}


def compare(rounds: Mapping[str, Sequence[Round]], ratios: Sequence[Ratio]) -> list[dict[str, Any]]:
    """Each ratio whose loops were both measured: the median over rounds, the least and the greatest, the budget.

    Round i of one loop is set against round i of the other: they ran next to each other, under the same neighbours.
    """
    rows = []
    for one in ratios:
        if one.ours not in rounds or one.theirs not in rounds:
            continue
        found = [a.rate / b.rate for a, b in zip(rounds[one.ours], rounds[one.theirs], strict=True)]
        row = {"ours": one.ours, "theirs": one.theirs, "median": round(statistics.median(found), 2)}
        row |= {"least": round(min(found), 2), "greatest": round(max(found), 2), "budget": one.budget}
        rows.append(row if one.aim is None else row | {"aim": one.aim})
    return rows
