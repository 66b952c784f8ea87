"""Counts over the last five minutes, hour and day, on the clock of receipt: constant work an event, bounded memory.

A window is a ring of slots; when time moves on, the oldest slot's counts leave the total. Late counts land in the slot
they belong to, so the order in which they come does not change a window. Not safe for threads: its owner holds a lock.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T", bound=Hashable)

#: Name → (span, slots): the last of these seconds, in so many slots.
WINDOWS = {"5m": (300, 60), "1h": (3_600, 60), "24h": (86_400, 96)}


class Rolling(Generic[K]):
    """How often each key came in the last `span_s` seconds, to the width of a slot.

    Attributes
    ----------
    total : key → count in the window, as of the newest time that was told
    """

    def __init__(self, span_s: int, slots: int) -> None:
        self.width_s = span_s / slots
        self._ring: list[dict[K, int]] = [{} for _ in range(slots)]
        self._head = 0  # number of the newest slot
        self.total: dict[K, int] = {}

    def slot(self, time_s: float) -> int:
        """Number of the slot of a time."""
        return int(time_s // self.width_s)

    def move(self, now_s: float) -> None:
        """Let what is older than the window leave."""
        to = self.slot(now_s)
        for slot in range(max(self._head, to - len(self._ring)) + 1, to + 1):
            left, self._ring[slot % len(self._ring)] = self._ring[slot % len(self._ring)], {}
            for key, count in left.items():
                rest = self.total[key] - count
                if rest:
                    self.total[key] = rest
                else:
                    del self.total[key]
        self._head = max(self._head, to)

    def add(self, key: K, time_s: float) -> None:
        """Count one; a time before the window is not counted."""
        slot = self.slot(time_s)
        if slot > self._head:
            self.move(time_s)
        if slot > self._head - len(self._ring):
            bucket = self._ring[slot % len(self._ring)]
            bucket[key] = bucket.get(key, 0) + 1
            self.total[key] = self.total.get(key, 0) + 1

    def slots(self) -> Iterator[dict[K, int]]:
        """The counts of each slot, oldest first; the last one is still open."""
        for back in range(len(self._ring) - 1, -1, -1):
            yield self._ring[(self._head - back) % len(self._ring)]

    def renamed(self, name: Callable[[K], T]) -> Rolling[T]:
        """The same counts under other keys; keys that get one name are added."""
        other: Rolling[T] = Rolling(round(self.width_s * len(self._ring)), len(self._ring))
        other._head = self._head
        for mine, theirs in [(self.total, other.total), *zip(self._ring, other._ring, strict=True)]:
            for key, count in mine.items():
                theirs[name(key)] = theirs.get(name(key), 0) + count
        return other


class Table(Generic[K]):
    """A copy of the counts of `Windows` at one moment."""

    def __init__(self, totals: list[dict[K, int]]) -> None:
        self._totals = totals

    def rows(self) -> Iterator[tuple[K, list[int]]]:
        """Each key of the last day with its counts in the order of `WINDOWS`."""
        for key in self._totals[-1]:
            yield key, [total.get(key, 0) for total in self._totals]


class Windows(Generic[K]):
    """One key counted in all of `WINDOWS`."""

    def __init__(self) -> None:
        self._each: list[Rolling[K]] = [Rolling(span, slots) for span, slots in WINDOWS.values()]

    def add(self, key: K, time_s: float) -> None:
        """Count one."""
        for one in self._each:
            one.add(key, time_s)

    def move(self, now_s: float) -> None:
        """Let what is old leave."""
        for one in self._each:
            one.move(now_s)

    def keys(self) -> set[K]:
        """What the last day has."""
        return set(self._each[-1].total)

    def of(self, key: K) -> list[int]:
        """Counts of a key in the order of `WINDOWS`."""
        return [one.total.get(key, 0) for one in self._each]

    def shortest(self) -> list[int]:
        """All counts of each slot of the first window, oldest first."""
        return [sum(slot.values()) for slot in self._each[0].slots()]

    def copied(self) -> Table[K]:
        """Key → its counts in the order of `WINDOWS`, for reading without the owner's lock."""
        return Table([dict(one.total) for one in self._each])

    def renamed(self, name: Callable[[K], T]) -> Windows[T]:
        """The same counts under other keys."""
        other: Windows[T] = Windows()
        other._each = [one.renamed(name) for one in self._each]
        return other
