"""The heads of a network for one query: the same answer as `SequenceModel.answer`, without a hundred small calls.

Weights are taken out of the model once; what depends on the history alone is made once for each history and kept with
it. A model with parts that are not written here (transitions, rotation, tables of content or in int8, another device)
is answered by the model itself. Answers agree to float32 rounding. Never reads a store, and never trains.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from components.models.copy import NEAR_KM, CopyHead
from components.models.distance import SCALE_KM
from components.models.embedding import ItemTable
from components.models.heads import RESERVED, ClassHead
from components.models.incremental import View
from components.models.query import GAP_KNOTS, GAP_MAX, WAVES, RequestConditioning
from components.models.sequence import SequenceModel
from components.models.sphere import EARTH_KM
from components.predictor import Scores, TimeDistribution
from components.training import loops, step_loops
from components.training.sheet import Page

Floats = NDArray[np.float32]
_NO_TABLE, _NO_POINTS, _NOWHERE = (np.zeros(shape, np.float32) for shape in ((0, 1), (0, 3), 0))
_NO_FLAGS = np.zeros(0, np.bool_)


@dataclass(frozen=True)
class Moment:
    """The request of one query: see `models.tokens.Request`."""

    hour: int
    weekday: int
    minute: int
    log_gap: float
    known: bool


@dataclass(frozen=True)
class Told:
    """A history as it was read, without padding.

    Attributes
    ----------
    codes, time_s, hours, days : (L,) of the tokens; codes of items, and hours and days, are 0 where they are not read
    point : (L, 3); empty where places are not read
    events, states : (L, d)
    """

    codes: NDArray[np.int64]
    time_s: NDArray[np.int64]
    hours: NDArray[np.int64]
    days: NDArray[np.int64]
    point: Floats
    events: Floats
    states: Floats


def told_of(view: View | Page) -> Told:
    """What a view of one row tells the heads."""
    if isinstance(view, Page):
        times, point, events, states = (view.first(name) for name in ("time_s", "point", "events", "states"))
        codes, hours, days = (view.row(name) for name in ("item", "hour", "weekday"))
        return Told(codes, times, hours, days, point, events, states)
    read = view.read
    tokens, zeros = read.tokens, np.zeros(view.length, np.int64)
    codes, hours, days = (
        tokens.codes[name][0].numpy() if name in tokens.codes else zeros for name in ("item", "hour", "weekday")
    )
    point = _NO_POINTS if tokens.point is None else tokens.point[0].numpy()
    return Told(codes, tokens.time_s[0].numpy(), hours, days, point, read.events[0].numpy(), read.states[0].numpy())


@dataclass(frozen=True)
class Made:
    """What depends on the history alone.

    Attributes
    ----------
    state : (d,) of its last token
    here : (1, 3) its place; empty where places are not read
    away : (V - 2,) log(1 + d / scale) of each item from the last place, 0 where unknown; empty where nobody asks
    codes, time_s, hours, days : (L,) of the tokens; hours and days are 0 where they are not read
    known : (L,) whether the item is known
    follows, pauses, lasting, keys : of the copy head, empty without one: (L,) whether the token before is of the last
        item, (L,) log(1 + seconds) since it, (L, H) biases, (L, H, s)
    """

    state: Floats
    here: Floats
    away: Floats
    codes: NDArray[np.int64]
    time_s: NDArray[np.int64]
    hours: NDArray[np.int64]
    days: NDArray[np.int64]
    known: NDArray[np.bool_]
    follows: NDArray[np.bool_]
    pauses: Floats
    keys: Floats
    lasting: Floats


def can_answer(model: SequenceModel) -> bool:
    """Whether all of its heads are written here."""
    plain = type(model.embedding.table) is ItemTable and model.item.transitions is None
    asks = model.condition is None or type(model.condition) is RequestConditioning
    here = next(model.parameters()).device.type == "cpu"
    return plain and asks and here and all(one.dtype == torch.float32 for one in model.parameters())


class Heads:
    """The heads of one fitted model.

    Parameters
    ----------
    model : in eval mode; its weights do not change any more
    temperatures : of item and action, as `training.calibrate` gives them
    """

    @torch.no_grad()
    def __init__(self, model: SequenceModel, temperatures: Mapping[str, float]) -> None:
        self.model, self.config = model, model.config
        self.item_heat, self.action_heat = (float(temperatures.get(name, 1.0)) for name in ("item", "action"))
        table, item = model.embedding.table, model.item
        vectors = table.all()
        self.ranked = len(vectors)
        items = vectors[RESERVED:].float()
        self.cosine = item.temperature
        self.items = (items if self.cosine is None else nn.functional.normalize(items, dim=1)).contiguous().numpy()
        bias = np.zeros(len(items), np.float32) if item.bias is None else table.logits(item.bias, self.ranked).numpy()
        self.bias = bias.copy()
        points = _NO_POINTS if item.distance is None else item.distance.points[RESERVED : self.ranked].numpy()
        self.points = np.ascontiguousarray(points.T)
        self.reach = np.where((points**2).sum(axis=1) > 0.5, EARTH_KM / SCALE_KM, 0.0).astype(np.float32)
        self.strength = (_NO_TABLE, _NOWHERE) if item.distance is None else linear(item.distance.strength)
        self.film = None if model.condition is None else _film(model.condition)  # type: ignore[arg-type]
        self.copy = None if item.copy is None else _copy(item.copy)
        self.tables = None if item.copy is None else _tables(item.copy)
        self.key = None if item.copy is None else linear(item.copy.key)
        self.gate = None if item.gate is None else (*linear(item.gate[0]), *linear(item.gate[2]))  # type: ignore[index]
        self.action, self.place = (_classes(one) for one in (model.action, model.place))
        self.time = None if model.time is None else linear(model.time.linear)

    def made(self, told: Told, before: Made | None, known: int) -> Made:
        """What the heads need of a history, of one row and without padding.

        Parameters
        ----------
        told : the history
        before : what was made of its first `known` tokens; None: nothing
        """
        codes, time_s, point = told.codes, told.time_s, told.point
        keys, lasting, follows, pauses = _NO_TABLE[None], _NO_TABLE, _NO_FLAGS, _NOWHERE
        if self.tables is not None:
            lasting, follows, pauses = loops.lasting(codes, time_s, point, *self.tables, EARTH_KM, NEAR_KM)
            keys = self._keys(told) if before is None or not known else self._more_keys(before, known, told)
        return Made(
            state=told.states[-1],
            here=point[-1:],
            away=self._away(point, before),
            codes=codes,
            time_s=time_s,
            hours=told.hours,
            days=told.days,
            known=codes > 1,
            follows=follows,
            pauses=pauses,
            keys=keys,
            lasting=lasting,
        )

    def _keys(self, told: Told) -> Floats:
        """(L, H, s) what each event is found by."""
        assert self.key is not None
        before = np.concatenate([np.zeros_like(told.states[:1]), told.states[:-1]])
        both = torch.from_numpy(np.concatenate([told.events, before], axis=1))
        weight, shift = (torch.from_numpy(one) for one in self.key)
        found: Floats = torch.addmm(shift, both, weight.T).view(len(both), self.config.copy_heads, -1).numpy()
        return found

    def _more_keys(self, before: Made, known: int, told: Told) -> Floats:
        """(L, H, s) the same, where those of the first `known` events were made."""
        assert self.key is not None
        heads = self.config.copy_heads
        return step_loops.keyed(before.keys, told.events, told.states, known, *self.key, heads)

    def _away(self, point: Floats, before: Made | None) -> Floats:
        if self.model.item.distance is None:
            return _NOWHERE
        if before is not None and before.here.tobytes() == point[-1:].tobytes():
            return before.away
        here = point[-1] if len(point) else np.zeros(3, np.float32)
        found: Floats = np.log(loops.apart(self.points, self.reach, here))
        return found

    def answer(self, made: Made, moment: Moment) -> Scores:
        """The scores of one query."""
        state = asked = made.state
        if self.film is not None:
            hour, weekday, weights = self.film
            clock = hour[moment.hour] + weekday[moment.weekday]
            asked = loops.filmed(state, clock, WAVES, moment.minute, moment.log_gap, moment.known, *weights)
        time = None
        if self.time is not None:
            time = TimeDistribution(*loops.timed(self.time[0], state, self.time[1])[:, None])
        action = None if self.action is None else loops.chances(self.action[0], asked, self.action[1], self.action_heat)
        place = None if self.place is None else loops.chances(self.place[0], asked, self.place[1], 1.0)
        return Scores(
            self._items(asked, made, moment)[None],
            None if action is None else action[None],
            time,
            None if place is None else place[None],
        )

    def _items(self, asked: Floats, made: Made, moment: Moment) -> Floats:
        """(V,) log-probabilities."""
        scale = 1.0 if self.cosine is None else 1.0 / (self.cosine * max(float(np.linalg.norm(asked)), 1e-12))
        found = np.full(self.config.items, -np.inf, np.float32)
        logits = loops.scored(self.items, asked, scale, self.bias, made.away, *self.strength)
        _log_softmax(logits, found[RESERVED : self.ranked])
        if self.copy is not None and self.gate is not None:
            query, shift, age, pause, hour = self.copy
            own_hour = moment.hour if moment.known else int(made.hours[-1])
            own_day = moment.weekday if moment.known else int(made.days[-1])
            shares = loops.pointed(
                asked, query, shift, made.keys, made.lasting, made.known, made.time_s, moment.log_gap, moment.known,
                age, pause, made.pauses, made.follows, hour, own_hour, own_day, made.hours, made.days,
            )  # fmt: skip
            weights = loops.gated(asked, shares, float(made.known.sum()), *self.gate)
            loops.mixed(found, weights, shares, made.codes)
        if self.item_heat != 1.0:
            _log_softmax(found[RESERVED:] / np.float32(self.item_heat), found[RESERVED:])
        return found


def _log_softmax(x: Floats, out: Floats) -> None:
    """Of (n,) to (n,); exponentials of a whole catalogue are numpy's, which takes many at once."""
    np.subtract(x, x.max(), out=out)
    out -= np.log(np.exp(out).sum())


def linear(layer: nn.Linear) -> tuple[Floats, Floats]:
    """Matrix and shift of a layer."""
    weight = layer.weight.detach().numpy().copy()
    return weight, np.zeros(len(weight), np.float32) if layer.bias is None else layer.bias.detach().numpy().copy()


def _classes(head: ClassHead | None) -> tuple[Floats, Floats] | None:
    return None if head is None else linear(head.linear)


def _table(layer: nn.Module | None) -> Floats:
    return _NO_TABLE if layer is None else layer.weight.detach().numpy().copy()  # type: ignore[operator]


def _film(condition: RequestConditioning) -> tuple[Floats, Floats, tuple[Any, ...]]:
    """Vectors of hours and weekdays, and the weights of `loops.filmed`."""
    knots = np.arange(GAP_KNOTS, dtype=np.float32) * np.float32(GAP_MAX / (GAP_KNOTS - 1))
    norm = [one.detach().numpy().copy() for one in (condition.norm.weight, condition.norm.bias)]
    weights = (knots, *linear(condition.smooth), condition.unknown.detach().numpy().copy(), *linear(condition.film),
               *norm, linear(condition.up)[0], linear(condition.down)[0])  # fmt: skip
    return _table(condition.hour), _table(condition.weekday), weights


def _copy(head: CopyHead) -> tuple[Floats, ...]:
    """Weights of the question, and tables by age, pause and hour."""
    return (*linear(head.query), _table(head.age), _table(head.pause), _table(head.hour))


def _tables(head: CopyHead) -> tuple[Floats, Floats, Floats]:
    """Tables by rank, sameness and place."""
    return _table(head.rank), _table(head.same), _table(head.place)
