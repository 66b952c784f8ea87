"""What a network keeps of one user's history between two queries, so that only what is new is read.

A history that is the same rows of the same store is not read again. One that begins with the tokens that were read and
goes on is stepped, where the encoder can step; whatever else is read anew. What is kept is compared with the tokens
that are asked about, so a changed, corrected or forgotten event is never answered from. The view is always the last
`max_history` tokens, as the judge sees them: a history that is longer is read anew for each new event. Never trains.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from components.features.store import Store
from components.models.config import SequenceConfig
from components.models.incremental import View, begin, can_step, step
from components.models.sequence import SequenceModel
from components.models.tokens import Tokens
from components.predictor import Queries
from components.training.gather import Slices, query_slices, read_columns, tokens_of
from components.training.heads import Moment
from components.training.sheet import Page
from components.training.stepping import Stepper

_MOST_STEPS = 8  # more new events than this are read at once


@dataclass(frozen=True)
class Seen:
    """One history as it was read.

    Attributes
    ----------
    store, start, stop : the rows that it came from
    view : tokens, vectors, states and what the encoder carries; a page where the compiled step has gone on
    made : what the heads made of it, for the next query; None: nothing yet
    grown : tokens of the view that `made`, of an earlier view, covers; None: it is of this one
    """

    store: Store
    start: int
    stop: int
    view: View | Page
    made: Any = None
    grown: int | None = 0


def seen(model: SequenceModel, queries: Queries, before: Seen | None, stepper: Stepper | None = None) -> Seen:
    """The history of one query, read as far as it is new.

    Parameters
    ----------
    model : in eval mode, on the CPU
    queries : one
    before : of an earlier query of the same user; None: nothing
    stepper : the model's step, compiled; None: by torch
    """
    start, stop = int(queries.start[0]), int(queries.stop[0])
    if before is not None and before.store is queries.store and (before.start, before.stop) == (start, stop):
        return before
    if before is not None and _goes_on(before, queries, model.config):
        return _grown(model, queries, before, stepper)
    tokens = tokens_of(queries.store, query_slices(queries, model.config.max_history), model.config)
    known = 0 if before is None else _continued(before.view.read.tokens, tokens)
    length = tokens.mask.shape[1]
    if before is not None and known == length:
        return replace(before, store=queries.store, start=start, stop=stop)
    if before is not None and known and length - known <= _MOST_STEPS and can_step(model):
        view = stepper.view(before.view) if stepper is not None and isinstance(before.view, Page) else before.view
        assert isinstance(view, View)
        for at in range(known, length):
            view = step(model, view, part_of(tokens, at, at + 1), 1)
        return Seen(queries.store, start, stop, view, before.made, known if before.grown is None else before.grown)
    return Seen(queries.store, start, stop, begin(model, tokens))


def _goes_on(before: Seen, queries: Queries, config: SequenceConfig) -> bool:
    """Whether the rows begin with all those that were read, by their bytes, and all of them are in view."""
    start, read = int(queries.start[0]), before.stop - before.start
    length = int(queries.stop[0]) - start
    if not 0 < read <= length < config.max_history or before.view.length != read + 1 or length - read > _MOST_STEPS:
        return False
    old, new = before.store, queries.store
    if old is new and before.start == start:
        return True
    then, now = slice(before.start, before.stop), slice(start, start + read)
    columns = [(old[name], new[name]) for name in read_columns(config)]
    if "numbers" in config.inputs:
        columns += [(old.numbers, new.numbers), (old.missing, new.missing)]
    return all(one[then].tobytes() == other[now].tobytes() for one, other in columns)


def _grown(model: SequenceModel, queries: Queries, before: Seen, stepper: Stepper | None) -> Seen:
    """A history of which the last few tokens alone are new."""
    start, stop = int(queries.start[0]), int(queries.stop[0])
    known, length = before.view.length, stop - start + 1
    if known == length:
        return replace(before, store=queries.store, start=start, stop=stop)
    if not can_step(model):
        return Seen(queries.store, start, stop, begin(model, _tokens(queries, model.config, 0)))
    grown, view = known if before.grown is None else before.grown, before.view
    if stepper is not None:
        page = view if isinstance(view, Page) else stepper.page(view)
        for row in range(before.stop - before.start + start, stop):
            page = stepper.step(page, queries.store, row)
        return Seen(queries.store, start, stop, page, before.made, grown)
    assert isinstance(view, View)
    tokens = _tokens(queries, model.config, known)
    for at in range(length - known):
        view = step(model, view, part_of(tokens, at, at + 1), 1)
    return Seen(queries.store, start, stop, view, before.made, grown)


def _tokens(queries: Queries, config: SequenceConfig, first: int) -> Tokens:
    """The tokens of one history from `first` on."""
    start, count = queries.start.astype(np.int64), queries.stop - queries.start + 1 - first
    return tokens_of(queries.store, Slices(start, np.array([first]), count, count), config)


def moment_of(queries: Queries, config: SequenceConfig) -> Moment:
    """What one query tells of the moment of the answer, as `gather.query_request` has it."""
    if not config.request_clock:
        return Moment(0, 0, 0, 0.0, False)
    asked_s, stop = int(queries.time_s[0]), int(queries.stop[0])
    last_s = queries.store["time_s"].item(stop - 1) if stop > int(queries.start[0]) else asked_s
    local_min = asked_s // 60 + int(queries.utc_offset_min[0])
    minute = local_min % 1440
    log_gap = float(np.float32(math.log1p(max(asked_s - last_s, 0))))
    return Moment(minute // 60, (local_min // 1440 + 3) % 7, minute, log_gap, queries.time_given)


def _continued(old: Tokens, new: Tokens) -> int:
    """Tokens of `old` if `new` begins with all of them, else 0."""
    length = old.mask.shape[1]
    if length > new.mask.shape[1]:
        return 0

    def same(one: Tensor | None, other: Tensor | None) -> bool:
        return one is other if one is None or other is None else torch.equal(one, other[:, :length])

    pairs = [(old.time_s, new.time_s), (old.numbers, new.numbers), (old.point, new.point)]
    pairs += [(code, new.codes[name]) for name, code in old.codes.items()]
    whole = torch.equal(old.begins, new.begins) and all(same(one, other) for one, other in pairs)
    return length if whole else 0


def part_of(tokens: Tokens, first: int, stop: int) -> Tokens:
    """Tokens first:stop of each row, behind its first."""
    return Tokens(
        codes={name: code[:, first:stop] for name, code in tokens.codes.items()},
        numbers=None if tokens.numbers is None else tokens.numbers[:, first:stop],
        time_s=tokens.time_s[:, first:stop],
        point=None if tokens.point is None else tokens.point[:, first:stop],
        position=tokens.position[:, first:stop],
        mask=tokens.mask[:, first:stop],
        begins=torch.zeros_like(tokens.begins),
        hidden=None,
    )
