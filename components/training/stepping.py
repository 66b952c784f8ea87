"""One more event of one user, read by compiled loops: the same state as `models.incremental.step`, to rounding.

Weights are taken out of the model once. Written for encoders whose step is worth it (the Transformer, the GRU) on the
CPU in float32; every other model is stepped by torch, which stays the reference (`tests/property/test_stepping.py`)
and goes on from what was read here. Never reads a history anew.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from components.features.store import Store
from components.models.embedding import ItemTable
from components.models.encoders.recurrent import GRUEncoder
from components.models.encoders.relative import RelativeBias, space_edges, time_edges
from components.models.encoders.transformer import TransformerEncoder
from components.models.incremental import View, can_step
from components.models.sequence import SequenceModel
from components.models.tokens import Carried
from components.training import step_loops
from components.training.gather import column_of, input_columns
from components.training.loops import Floats
from components.training.sheet import Page, Sheet, cut, sheet_of, with_room

_NO_ROWS = np.zeros(0, np.float32)


def can_step_compiled(model: SequenceModel) -> bool:
    """Whether the step of this model is written here."""
    table = model.embedding.table
    looked_up = (table.item, *model.embedding.lookups.values())
    plain = type(table) is ItemTable and table.content is None and all(type(one) is nn.Embedding for one in looked_up)
    here = all(one.dtype == torch.float32 and one.device.type == "cpu" for one in model.parameters())
    return can_step(model) and plain and here and type(model.encoder) in (TransformerEncoder, GRUEncoder)


class _Encode(Protocol):
    """The step of an encoder."""

    def deep(self, view: View, room: int) -> dict[str, Floats]:
        """What it carries of a view, with room."""
        ...

    def carried(self, page: Page) -> Carried:
        """The same of a page, as the encoder itself has it."""
        ...

    def step(self, sheet: Sheet, event: Floats, t: int) -> Floats:
        """(d,) the state of token t, whose vector is (d,); what is carried of it is written."""
        ...


class Stepper:
    """The step of one fitted model.

    Parameters
    ----------
    model : in eval mode, one that `can_step_compiled`; its weights do not change any more
    """

    def __init__(self, model: SequenceModel) -> None:
        embedding, table = model.embedding, model.embedding.table
        self.room = model.config.max_history
        names = input_columns(model.config)
        self.columns = [column_of(name) for name in names]
        lookups = [array(one) for one in embedding.lookups.values()]
        width = table.item.embedding_dim
        no_rows = np.zeros((0, width), np.float32)
        self.embed = (
            array(table.item), table.trained, names.index("item") if embedding.reads_item else -1,
            no_rows if table.categories is None else array(table.categories), table.category.numpy(),
            np.concatenate([no_rows, *lookups]), np.cumsum([0, *(len(one) for one in lookups)])[:-1],
            np.array([names.index(name) for name in embedding.lookups], np.int64), float(embedding.scale),
            np.zeros((width, 0), np.float32) if embedding.numbers is None else array(embedding.numbers),
        )  # fmt: skip
        encoder = model.encoder
        self.encode: _Encode = _Transformer(encoder) if isinstance(encoder, TransformerEncoder) else _GRU(encoder)  # type: ignore[arg-type]

    def page(self, view: View) -> Page:
        """A view as one that can be stepped."""
        sheet = sheet_of(view, self.encode.deep(view, self.room), self.room)
        return Page(sheet, view.length, view.read.tokens.begins)

    def view(self, page: Page) -> View:
        """The same as torch reads it."""
        return View(page.read, self.encode.carried(page))

    def step(self, page: Page, store: Store, row: int) -> Page:
        """The page after the event of a row; there must be room for it, and it begins no history."""
        sheet, t = page.sheet, page.length
        if not sheet.claim(t):
            sheet = sheet.copy(t)
            sheet.claim(t)
        flat = sheet.flat
        flat["codes"][:, t] = [store[name].item(row) for name in self.columns]
        flat["time_s"][t] = store["time_s"].item(row)
        numbers = _NO_ROWS
        if len(flat["numbers"]):
            numbers = flat["numbers"][t]
            _fill_numbers(numbers, store, row)
        if len(flat["point"]):
            flat["point"][t] = _point(store["latitude"].item(row), store["longitude"].item(row))
        event = step_loops.embedded(flat["codes"], t, numbers, *self.embed)
        flat["events"][t], flat["states"][t] = event, self.encode.step(sheet, event, t)
        sheet.written(t + 1)
        return Page(sheet, t + 1, page.begins)


class _Transformer:
    """Steps of a Transformer."""

    def __init__(self, encoder: TransformerEncoder) -> None:
        timed, placed = encoder.bias in ("time", "both"), encoder.bias in ("space", "both")
        self.edges = time_edges() if timed else np.zeros(0, np.int64), space_edges() if placed else _NO_ROWS
        named = (
            ("norm_attention", 1), ("qkv", 1), ("out", 1), ("gate_attention", 1), ("norm_feedforward", 1), ("up", 0),
            ("down", 0), ("gate_feedforward", 1),
        )  # fmt: skip
        self.weights = (
            *(_tables(encoder.biases, name) for name in ("time", "space")),
            *(
                np.stack([array(getattr(block, part), name) for block in encoder.blocks])
                for part, shifts in named
                for name in ("weight", "bias")[: 1 + shifts]
            ),
            array(encoder.norm),
            array(encoder.norm, "bias"),
        )
        self.depth = len(encoder.blocks)

    def deep(self, view: View, room: int) -> dict[str, Floats]:
        """Keys and values (N, H, room, s)."""
        on = view.carried or {}
        names = ("keys", "values")
        return {name: with_room([on[f"{name}_{i}"][0] for i in range(self.depth)], room) for name in names}

    def carried(self, page: Page) -> Carried:
        """See `TransformerEncoder.carry`."""
        tokens = page.read.tokens
        on: dict[str, Tensor] = {"time_s": tokens.time_s} | ({} if tokens.point is None else {"point": tokens.point})
        for name in ("keys", "values"):
            on |= {f"{name}_{i}": one for i, one in enumerate(cut(page.sheet.deep[name], page.length))}
        return on

    def step(self, sheet: Sheet, event: Floats, t: int) -> Floats:
        """See `_Encode`."""
        flat, (gaps, chords) = sheet.flat, self.edges
        chords = chords if len(flat["point"]) else _NO_ROWS
        keys, values = sheet.deep["keys"], sheet.deep["values"]
        state: Floats = step_loops.transformed(
            event, t, keys, values, flat["time_s"], flat["point"], gaps, chords, *self.weights
        )
        return state


class _GRU:
    """Steps of a GRU; the hidden states of every token are kept, so that a page finds its own."""

    def __init__(self, encoder: GRUEncoder) -> None:
        cells, norm = encoder.recurrence.cells, encoder.recurrence.norm
        names = ("weight_ih", "bias_ih", "weight_hh", "bias_hh")
        stacked = (np.stack([array(cells, f"{name}_l{i}") for i in range(cells.num_layers)]) for name in names)
        self.weights = (*stacked, array(norm), array(norm, "bias"))

    def deep(self, view: View, room: int) -> dict[str, Floats]:
        """Hidden states (N, room, d), those of the last token alone."""
        hidden = (view.carried or {})["hidden"]  # (N, 1, d)
        out = np.zeros((len(hidden), room, hidden.shape[2]), np.float32)
        out[:, view.length - 1] = hidden[:, 0].numpy()
        return {"hidden": out}

    def carried(self, page: Page) -> Carried:
        """See `GRUEncoder.carry`."""
        hidden = page.sheet.deep["hidden"][:, page.length - 1]
        return {"hidden": torch.from_numpy(hidden)[:, None].contiguous()}

    def step(self, sheet: Sheet, event: Floats, t: int) -> Floats:
        """See `_Encode`."""
        state: Floats = step_loops.recurred(event, t, sheet.deep["hidden"], *self.weights)
        return state


def array(module: nn.Module, name: str = "weight") -> Floats:
    """One of its weights as an array that shares its memory."""
    weight: Tensor = getattr(module, name)
    found: Floats = weight.detach().contiguous().numpy()
    return found


def _tables(biases: nn.ModuleList, name: str) -> Floats:
    """(N, buckets, H) what is added for buckets of time or of place; empty where nothing is."""
    found = [getattr(one, name) for one in biases if isinstance(one, RelativeBias) and getattr(one, name) is not None]
    return np.stack([array(one) for one in found]) if found else np.zeros((len(biases), 0, 1), np.float32)


def _fill_numbers(out: Floats, store: Store, row: int) -> None:
    """(2F,) numbers of an event and their missing bits, in place; see `training.gather`."""
    F = store.numbers.shape[1]
    missing = store.missing.item(row)
    for f in range(F):
        out[f] = min(max(store.numbers.item(row, f), -10.0), 10.0)
        out[F + f] = missing >> f & 1


def _point(lat_deg: float, lon_deg: float) -> tuple[float, float, float]:
    """A place on the unit sphere; 0 where there is none."""
    if not (math.isfinite(lat_deg) and math.isfinite(lon_deg)):
        return 0.0, 0.0, 0.0
    lat, lon = math.radians(lat_deg), math.radians(lon_deg)
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)
