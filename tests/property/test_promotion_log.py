"""The promotion log under any sequence of promotions and rollbacks, and any change by a stranger's hand."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import IntegrityError
from components.registry.promotions import append, current, fallback, history, origin, protected
from components.workspace import Workspace

#: True promotes a new artifact, False rolls back where there is something to go back to.
MOVES = st.lists(st.booleans(), min_size=1, max_size=6)


def play(root: Path, moves: list[bool]) -> list[str]:
    """Play the moves; returns the artifacts that should be in production, oldest first: a stack."""
    stack: list[str] = []
    for number, promotes in enumerate(moves):
        before = fallback(history(root))
        if promotes or before is None:
            digest = f"{number + 1:064x}"
            append(root, expected=number, kind="promote", model="m", digest=digest, content=digest, reason="")
            stack.append(digest)
        else:
            append(
                root,
                expected=number,
                kind="rollback",
                model="m",
                digest=before.digest,
                content=before.content,
                reason="",
                returns_to=before.sequence,
            )
            stack.pop()
    return stack


@settings(max_examples=15, deadline=None)
@given(MOVES)
def test_the_log_behaves_as_a_stack_that_forgets_nothing(moves: list[bool]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        stack = play(root, moves)
        entries = history(root)
        last = current(root)
        assert last is not None
        assert [entry.sequence for entry in entries] == list(range(1, len(moves) + 1))
        assert [entry.previous for entry in entries] == [None, *(entry.digest for entry in entries[:-1])]
        assert last.digest == stack[-1]
        before = fallback(entries)
        assert (before.digest if before else None) == (stack[-2] if len(stack) > 1 else None)
        assert protected(root) == set(stack[-2:])
        assert all(origin(entries, entry).kind == "promote" for entry in entries)


@settings(max_examples=15, deadline=None)
@given(MOVES, st.data())
def test_a_changed_byte_in_any_but_the_last_entry_is_seen(moves: list[bool], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        play(root, [*moves, True])
        paths = sorted(Workspace(root).promotions.iterdir())[:-1]
        path = data.draw(st.sampled_from(paths))
        content = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        try:
            history(root)
        except IntegrityError:
            return
        raise AssertionError(f"byte {place} of {path.name} was changed and nobody saw it")
