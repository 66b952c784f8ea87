"""Percentiles of seconds over the last five minutes from counts in narrow bins: constant work, nothing kept singly.

A bin is a twentieth of a decade wide: what is told is within 6 % of what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from components.serving.pulse.rolling import WINDOWS, Rolling

_PER_DECADE = 20
_LEAST_S, _MOST_S = 1e-6, 1e4


def _quantile(bins: Mapping[int, int], p: float) -> float | None:
    """Seconds under which a share `p` of the counts lies; None of no counts."""
    wanted = p * sum(bins.values())
    reached = 0
    for number in sorted(bins):
        reached += bins[number]
        if reached >= wanted:
            return float(10 ** ((number + 0.5) / _PER_DECADE))
    return None


class Spread:
    """Durations of the last five minutes."""

    def __init__(self) -> None:
        self._bins: Rolling[int] = Rolling(*WINDOWS["5m"])

    def add(self, seconds: float, time_s: float) -> None:
        """Count a duration."""
        held = min(max(seconds, _LEAST_S), _MOST_S)
        self._bins.add(math.floor(math.log10(held) * _PER_DECADE), time_s)

    def told(self, now_s: float, ps: Sequence[float] = (0.5, 0.99)) -> dict[str, object]:
        """In milliseconds: each percentile, the last one of every slot (None = nothing happened), and how many."""
        self._bins.move(now_s)

        def milliseconds(bins: Mapping[int, int], p: float) -> float | None:
            found = _quantile(bins, p)
            return None if found is None else float(f"{1000 * found:.3g}")

        return {f"p{round(100 * p)}": milliseconds(self._bins.total, p) for p in ps} | {
            "n": sum(self._bins.total.values()),
            "series": [milliseconds(slot, ps[-1]) for slot in self._bins.slots()],
        }
