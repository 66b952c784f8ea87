"""One more event of one user, read by compiled loops: the same state as `models.incremental.step`, to rounding.

Weights are taken out of the model once. Written for encoders whose step is worth it (the Transformer, the GRU) on the
CPU in float32; every other model is stepped by torch, which stays the reference (`tests/property/test_stepping.py`).
A view that was made here may be gone on with there, and the other way round. Never reads a history anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from components.features.hexagon import unit_vectors
from components.features.store import Store
from components.models.embedding import ItemTable
from components.models.encoders.recurrent import GRUEncoder
from components.models.encoders.relative import RelativeBias, space_edges, time_edges
from components.models.encoders.transformer import Block, TransformerEncoder
from components.models.incremental import View, can_step
from components.models.item import Read
from components.models.sequence import SequenceModel
from components.models.tokens import Carried, Codes, Tokens, followed
from components.training import step_loops
from components.training.gather import column_of, input_columns
from components.training.loops import Floats, times

_NO_TABLE, _NO_POINTS = np.zeros((0, 1), np.float32), np.zeros((0, 3), np.float32)
_NO_EDGES = np.zeros(0, np.int64)


def can_step_compiled(model: SequenceModel) -> bool:
    """Whether the step of this model is written here."""
    table = model.embedding.table
    plain = type(table) is ItemTable and table.content is None and all(
        type(one) is nn.Embedding for one in (table.item, *model.embedding.lookups.values())
    )  # fmt: skip
    here = all(one.dtype == torch.float32 and one.device.type == "cpu" for one in model.parameters())
    return can_step(model) and plain and here and type(model.encoder) in (TransformerEncoder, GRUEncoder)


class Stepper:
    """The step of one fitted model.

    Parameters
    ----------
    model : in eval mode, one that `can_step_compiled`; its weights do not change any more
    """

    def __init__(self, model: SequenceModel) -> None:
        embedding, table = model.embedding, model.embedding.table
        self.config = model.config
        self.names = input_columns(model.config)
        self.columns = [column_of(name) for name in self.names]
        self.item, self.trained = array(table.item), table.trained
        self.reads_item = embedding.reads_item
        self.category = None if table.categories is None else (array(table.categories), table.category.numpy())
        self.lookups = [(self.names.index(name), array(one)) for name, one in embedding.lookups.items()]
        self.numbers = None if embedding.numbers is None else array(embedding.numbers)
        self.scale = np.float32(embedding.scale)
        encoder = model.encoder
        self.encode: Callable[[Carried, Floats, Tokens], tuple[Floats, Carried]]
        self.encode = _Transformer(encoder) if isinstance(encoder, TransformerEncoder) else _GRU(encoder)  # type: ignore[arg-type]

    def step(self, view: View, store: Store, row: int) -> View:
        """The view after the event of a row; there must be room for it.

        Parameters
        ----------
        view : of `incremental.begin`, or of a step
        store, row : the event, which begins no history
        """
        codes = [int(store[name][row]) for name in self.columns]
        numbers = self._numbers(store, row)
        event = self._event(codes, numbers)
        read = view.read
        tokens = followed(
            read.tokens,
            torch.tensor(codes)[:, None, None],
            None if numbers is None else torch.from_numpy(numbers)[None, None],
            int(store["time_s"][row]),
            None if read.tokens.point is None else torch.from_numpy(_point(store, row))[None, None],
        )
        assert view.carried is not None
        state, carried = self.encode(view.carried, event, tokens)
        events = torch.cat([read.events, torch.from_numpy(event)[None, None]], dim=1)
        states = torch.cat([read.states, torch.from_numpy(state)[None, None]], dim=1)
        return View(Read(tokens, events, states), carried)

    def _event(self, codes: list[int], numbers: Floats | None) -> Floats:
        """(d,) vector of an event; see `models.embedding`."""
        x = np.zeros(self.item.shape[1], np.float32)
        if self.reads_item:
            code = codes[self.names.index("item")]
            x += self.item[code if code < self.trained else 1]
            if self.category is not None:
                x += self.category[0][self.category[1][code]]
        for place, lookup in self.lookups:
            x += lookup[codes[place]]
        x *= self.scale
        if self.numbers is not None and numbers is not None:
            x = times(self.numbers, numbers, x)
        return x

    def _numbers(self, store: Store, row: int) -> Floats | None:
        """(2F,) numbers of an event and their missing bits; see `training.gather`."""
        if self.numbers is None:
            return None
        F = store.numbers.shape[1]
        out = np.empty(2 * F, np.float32)
        np.clip(store.numbers[row], -10.0, 10.0, out=out[:F])
        missing = int(store.missing[row])
        out[F:] = [missing >> f & 1 for f in range(F)]
        return out


class _Transformer:
    """Steps of a Transformer."""

    def __init__(self, encoder: TransformerEncoder) -> None:
        self.blocks = [
            (*_bias(bias), *_block(one))
            for bias, one in zip(encoder.biases, encoder.blocks, strict=True)  # type: ignore[arg-type]
        ]
        self.heads = encoder.blocks[0].heads
        self.norm = (array(encoder.norm), array(encoder.norm, "bias"))
        timed, placed = encoder.bias in ("time", "both"), encoder.bias in ("space", "both")
        self.edges = time_edges() if timed else _NO_EDGES, space_edges() if placed else np.zeros(0, np.float32)
        self.placed = placed

    def __call__(self, carried: Carried, x: Floats, tokens: Tokens) -> tuple[Floats, Carried]:
        """The (d,) state after one more event (d,), the last of the tokens, and what is carried on."""
        on = {"time_s": tokens.time_s} | ({} if tokens.point is None else {"point": tokens.point})
        point = tokens.point[0].numpy() if self.placed and tokens.point is not None else _NO_POINTS
        edges = self.edges if len(point) else (self.edges[0], self.edges[1][:0])
        when, where = step_loops.buckets(tokens.time_s[0].numpy(), point, *edges)
        for i, (by_time, by_space, *weights) in enumerate(self.blocks):
            keys, values = (carried[f"{name}_{i}"][0].contiguous().numpy() for name in ("keys", "values"))
            spaced = by_space if len(point) else _NO_TABLE
            x, keys, values = step_loops.block(x, keys, values, when, where, by_time, spaced, *weights)
            on[f"keys_{i}"], on[f"values_{i}"] = torch.from_numpy(keys)[None], torch.from_numpy(values)[None]
        return step_loops.normed(x, *self.norm), on


class _GRU:
    """Steps of a GRU."""

    def __init__(self, encoder: GRUEncoder) -> None:
        cells = encoder.recurrence.cells
        names = ("weight_ih", "bias_ih", "weight_hh", "bias_hh")
        self.layers = [[array(cells, f"{name}_l{i}") for name in names] for i in range(cells.num_layers)]
        self.norm = (array(encoder.recurrence.norm), array(encoder.recurrence.norm, "bias"))

    def __call__(self, carried: Carried, event: Floats, tokens: Tokens) -> tuple[Floats, Carried]:
        """The (d,) state after one more event (d,), and what is carried on."""
        before, x = carried["hidden"].numpy(), event
        after = np.empty_like(before)
        for i, weights in enumerate(self.layers):
            x = after[i, 0] = step_loops.gru(x, before[i, 0], *weights)
        return step_loops.normed(event + x, *self.norm), {"hidden": torch.from_numpy(after)}


def array(module: nn.Module, name: str = "weight") -> Floats:
    """One of its weights as an array that shares its memory."""
    weight: Tensor = getattr(module, name)
    found: Floats = weight.detach().contiguous().numpy()
    return found


def _block(one: Block) -> tuple[Floats, ...]:
    """Weights of `step_loops.block`."""
    named: list[tuple[nn.Module, bool]] = [
        (one.norm_attention, True), (one.qkv, True), (one.out, True), (one.gate_attention, True),
        (one.norm_feedforward, True), (one.up, False), (one.down, False), (one.gate_feedforward, True),
    ]  # fmt: skip
    return tuple(
        array(module, name) for module, shifts in named for name in (("weight", "bias") if shifts else ("weight",))
    )


def _bias(one: RelativeBias) -> tuple[Floats, Floats]:
    """What is added for buckets of time and of place; empty where nothing is."""
    by_time, by_space = (_NO_TABLE if table is None else array(table) for table in (one.time, one.space))
    return by_time, by_space


def _point(store: Store, row: int) -> Floats:
    """(3,) place of an event on the unit sphere, 0 where there is none."""
    lat, lon = float(store["latitude"][row]), float(store["longitude"][row])
    if not (np.isfinite(lat) and np.isfinite(lon)):
        return np.zeros(3, np.float32)
    return np.asarray(unit_vectors(np.radians(np.array(lat)), np.radians(np.array(lon)))).astype(np.float32)
