"""A user's newest events, oldest first, as the bytes that they were sent as: each is decoded when it is looked at.

A record of Python objects takes a kilobyte and is seen by every garbage collection; its bytes take a fifth and are not.
Never here: where they come from, or how many are kept.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Self, overload

from components.serving.state.protocol import Stored
from components.serving.state.record import decode


class Newest(Sequence[Stored]):
    """Events of one user by time, then by offset.

    Attributes
    ----------
    offsets : (n,) int64 places in the log
    times : (n,) int64 UTC microseconds since 1970
    data : (n,) each event as `Record.encode` gives it
    """

    __slots__ = ("data", "offsets", "times")

    def __init__(self, offsets: array[int], times: array[int], data: list[bytes]) -> None:
        self.offsets, self.times, self.data = offsets, times, data

    @classmethod
    def of(cls, stored: Iterable[Stored]) -> Self:
        """Records that are in order."""
        rows = [(one.offset, one.record.time_us, one.record.encode()) for one in stored]
        return cls(array("q", [row[0] for row in rows]), array("q", [row[1] for row in rows]), [row[2] for row in rows])

    def where(self, wanted: Callable[[int, int], bool]) -> Self:
        """Those of whose offset and time a condition holds; the others are not decoded."""
        rows = [at for at, place in enumerate(zip(self.offsets, self.times, strict=True)) if wanted(*place)]
        return type(self)(
            array("q", [self.offsets[at] for at in rows]),
            array("q", [self.times[at] for at in rows]),
            [self.data[at] for at in rows],
        )

    def __len__(self) -> int:
        return len(self.data)

    @overload
    def __getitem__(self, at: int) -> Stored: ...
    @overload
    def __getitem__(self, at: slice) -> Self: ...
    def __getitem__(self, at: int | slice) -> Stored | Self:
        if isinstance(at, slice):
            return type(self)(self.offsets[at], self.times[at], self.data[at])
        return Stored(self.offsets[at], decode(self.data[at]))

    def __iter__(self) -> Iterator[Stored]:
        for offset, data in zip(self.offsets, self.data, strict=True):
            yield Stored(offset, decode(data))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


def nothing() -> Newest:
    """No events."""
    return Newest(array("q"), array("q"), [])
