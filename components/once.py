"""An attribute that is worked out when it is first read, and kept: `functools.cached_property` without its lock.

In Python 3.11 that one holds a lock of the whole class while it works: a thread that answers then waits for one that
loads the next champion. Two threads that read the same new attribute at once both work it out, and one result stays.
Never here: what changes after it was read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class made_once(Generic[T]):  # noqa: N801 - it stands where `cached_property` would
    """The decorator.

    Parameters
    ----------
    work : method without arguments, of a class whose instances have a `__dict__`
    """

    def __init__(self, work: Callable[[Any], T]) -> None:
        self._work, self._name, self.__doc__ = work, work.__name__, work.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...

    @overload
    def __get__(self, owner: object, kind: type) -> T: ...

    def __get__(self, owner: object, kind: type) -> Self | T:
        if owner is None:
            return self
        found = owner.__dict__[self._name] = self._work(owner)
        return found
