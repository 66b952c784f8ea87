"""An attribute is worked out once for each object, and nobody waits for another object's."""

from __future__ import annotations

import threading

from components.once import made_once


class Slow:
    """Its attribute is there once `may` is set."""

    def __init__(self) -> None:
        self.begun, self.may, self.times = threading.Event(), threading.Event(), 0

    @made_once
    def value(self) -> int:
        """Told in the documents."""
        self.begun.set()
        assert self.may.wait(10)
        self.times += 1
        return 7


def test_it_is_worked_out_once() -> None:
    one = Slow()
    one.may.set()
    assert (one.value, one.value, one.times) == (7, 7, 1)
    assert Slow.value.__doc__ == "Told in the documents."


def test_a_thread_that_works_one_out_holds_up_no_other_object() -> None:
    busy, other = Slow(), Slow()
    thread = threading.Thread(target=lambda: busy.value)
    thread.start()
    assert busy.begun.wait(10)
    other.may.set()
    reader = threading.Thread(target=lambda: other.value, daemon=True)
    reader.start()
    reader.join(2)
    waited = reader.is_alive()
    busy.may.set()
    thread.join(10)
    assert not waited
