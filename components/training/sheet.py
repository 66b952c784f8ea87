"""A history as it was read, in arrays with room for what comes: one more token costs a write, not a copy.

A sheet is shared by the pages of one history; a page is its first tokens and never changes. A token is written behind
the last one by the page that claims the place; a page that comes second gets a sheet of its own, so two may go on from
the same page in different ways, and in different threads. Never here: what is written, and what it means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from components.models.incremental import View
from components.models.item import Read
from components.models.tokens import Codes, Tokens

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Sheet:
    """Arrays of one history, with room for `room` tokens along their first axis but for those of `deep`.

    Parameters
    ----------
    names : of the codes, in the order of their rows
    flat : codes (C, room), time_s (room,), numbers (room, 2F), point (room, 3), events and states (room, d); numbers
        and point are empty where they are not read
    deep : what the encoder carries, with the tokens along the last axis but one
    length : tokens that are written
    """

    def __init__(self, names: tuple[str, ...], flat: dict[str, NDArray], deep: dict[str, Floats], length: int) -> None:
        self.names, self.flat, self.deep = names, flat, deep
        self._ends = {length: None}

    def claim(self, length: int) -> bool:
        """Whether the place behind the first `length` tokens is the caller's, who must write it and `written` it."""
        return self._ends.pop(length, self) is None  # one step of the interpreter: of two threads, one has it

    def written(self, length: int) -> None:
        """The claimed place holds a token: there are `length` of them."""
        self._ends[length] = None

    def copy(self, length: int) -> Sheet:
        """Another sheet with the same first tokens."""
        flat, deep = ({name: one.copy() for name, one in of.items()} for of in (self.flat, self.deep))
        return Sheet(self.names, flat, deep, length)


@dataclass(frozen=True)
class Page:
    """The first `length` tokens of a sheet."""

    sheet: Sheet
    length: int
    begins: Tensor

    def row(self, name: str) -> Ints:
        """(L,) codes of a name; 0 where it is not read."""
        if name not in self.sheet.names:
            return np.zeros(self.length, np.int64)
        found: Ints = self.sheet.flat["codes"][self.sheet.names.index(name), : self.length]
        return found

    def first(self, name: str) -> NDArray:
        """The same tokens of one of the flat arrays."""
        return self.sheet.flat[name][: self.length]

    @property
    def read(self) -> Read:
        """The same as tensors, made anew at each call."""
        L = self.length
        time_s, numbers, point, events, states = (
            torch.from_numpy(self.first(name))[None] for name in ("time_s", "numbers", "point", "events", "states")
        )
        tokens = Tokens(
            codes=Codes(self.sheet.names, torch.from_numpy(self.sheet.flat["codes"][:, None, :L])),
            numbers=numbers if numbers.shape[1] else None,
            time_s=time_s,
            point=point if point.shape[1] else None,
            position=torch.arange(L - 1, -1, -1)[None],
            mask=torch.ones((1, L), dtype=torch.bool),
            begins=self.begins,
            hidden=None,
        )
        return Read(tokens, events, states)


def sheet_of(view: View, deep: dict[str, Floats], room: int) -> Sheet:
    """A view of one row as a sheet.

    Parameters
    ----------
    view : without padding
    deep : what the encoder carries of it, with room
    room : tokens that fit
    """
    tokens, L = view.read.tokens, view.length
    codes = np.zeros((len(tokens.codes), room), np.int64)
    for place, code in enumerate(tokens.codes.values()):
        codes[place, :L] = code[0].numpy()

    def roomy(one: Tensor | None, width: int) -> NDArray:
        if one is None:
            return np.zeros((0, width), np.float32)
        rows = one[0].numpy()
        out = np.zeros((room, *rows.shape[1:]), rows.dtype)
        out[:L] = rows
        return out

    flat = {
        "codes": codes,
        "time_s": roomy(tokens.time_s, 1),
        "numbers": roomy(tokens.numbers, 1),
        "point": roomy(tokens.point, 3),
        "events": roomy(view.read.events, 1),
        "states": roomy(view.read.states, 1),
    }
    return Sheet(tuple(tokens.codes), flat, deep, L)


def with_room(parts: list[Tensor], room: int) -> Floats:
    """(N, …, room, s) of N arrays (…, L, s) as an encoder carries them."""
    first = parts[0]
    out = np.zeros((len(parts), *first.shape[:-2], room, first.shape[-1]), np.float32)
    for place, one in enumerate(parts):
        out[place, ..., : first.shape[-2], :] = one.numpy()
    return out


def cut(deep: Floats, length: int) -> list[Tensor]:
    """The N arrays of the first tokens, as an encoder carries them."""
    return [torch.from_numpy(one[..., :length, :])[None] for one in deep]
