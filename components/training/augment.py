"""What training shows a model besides the log itself: hidden items, shuffled ties, times and places a little off.

A share of the requests comes without its time, so that a model that is given it can answer without as well. Only
inputs change, but for ties: where several events have one time their order is nobody's truth, and answers are
shuffled with it. Everything is drawn from (seed, epoch, place in the epoch). Never touches what is judged or served.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from components.features.context import transform
from components.features.encoding import UNKNOWN
from components.features.place import cell_codes, cells_of, parents, to_e7
from components.features.store import Store
from components.models.tokens import Tokens
from components.params import AugmentParams
from components.training.batches import Batch, Corpus
from components.training.gather import Slices, event_rows

_MOVED = ("item", "action", "device", "latitude", "longitude")  # what an event is; when it came stays in its place
_MOVED_NUMBERS = ("duration_s", "value")
_KM_PER_DEGREE = 111.195
_TIES, _NOISE, _UNTOLD = 2, 3, 4  # what a generator draws, beside the order and the cuts of batches


class Augmentation:
    """Batches of a corpus, changed as the params say; with all of them off, the corpus's own.

    Parameters
    ----------
    corpus : of the training window
    params : the knobs
    seed : of the run
    """

    def __init__(self, corpus: Corpus, params: AugmentParams, seed: int) -> None:
        self.params, self.seed = params, seed
        self._corpus, self._shown, self._epoch = corpus, corpus, -1

    def batch(self, slices: Slices, epoch: int, at: int) -> Batch:
        """Batch `at` of an epoch."""
        if self.params.reorder_ties and epoch != self._epoch:
            self._shown, self._epoch = self._shuffled(epoch), epoch
        batch = self._shown.batch(slices)
        request = batch.targets.request
        if self.params.time_hidden and request is not None:
            told = np.random.default_rng([self.seed, epoch, _UNTOLD, at]).random(len(request.known))
            known = request.known & torch.from_numpy(told >= self.params.time_hidden)
            batch = replace(batch, targets=replace(batch.targets, request=replace(request, known=known)))
        if not (self.params.mask or self.params.time_noise_s or self.params.place_noise_km):
            return batch
        rng = np.random.default_rng([self.seed, epoch, _NOISE, at])
        return replace(batch, tokens=self._noisy(batch.tokens, slices, rng))

    def _shuffled(self, epoch: int) -> Corpus:
        order = tie_order(self._corpus.store, self._corpus.trained, np.random.default_rng([self.seed, epoch, _TIES]))
        shown = copy.copy(self._corpus)
        shown.store = reordered(self._corpus.store, order)
        return shown

    def _noisy(self, tokens: Tokens, slices: Slices, rng: np.random.Generator) -> Tokens:
        """Hidden items, then times, then places; each draws only where its knob is on."""
        store, params = self._shown.store, self.params
        row, event = event_rows(slices)
        if params.mask and "item" in tokens.codes:
            hidden = torch.from_numpy(event & (rng.random(event.shape) < params.mask))
            item = torch.where(hidden, UNKNOWN, tokens.codes["item"])
            tokens = replace(tokens, codes={**tokens.codes, "item": item})
        if params.time_noise_s:
            late = np.round(rng.normal(0.0, params.time_noise_s, event.shape)).astype(np.int64) * event
            tokens = _shifted(tokens, store, row, event, late)
        if params.place_noise_km and any(name.startswith("cell_") for name in tokens.codes):
            north, east = rng.normal(0.0, params.place_noise_km / _KM_PER_DEGREE, (2, *event.shape))
            tokens = replace(tokens, codes=_moved(tokens.codes, store, row, event, north, east))
        return tokens


def tie_order(store: Store, trained: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """(N,) row that stands at each row, when a user's training events of one time are shuffled."""
    user, time_s = store.user, np.asarray(store["time_s"])
    tied = trained[1:] & trained[:-1] & (user[1:] == user[:-1]) & (time_s[1:] == time_s[:-1])
    group = np.concatenate([[0], np.cumsum(~tied)])
    return np.lexsort((rng.random(len(group)), group))


def reordered(store: Store, order: NDArray[np.int64]) -> Store:
    """The store with what happened moved by `order` (N,), and times, gaps, sessions and distances left in place."""
    moved = [name for name in store.columns if name in _MOVED or name.startswith("cell_")]
    columns = {**store.columns, **{name: np.asarray(store[name])[order] for name in moved}}
    at = [f for f, name in enumerate(store.encoding.scales) if name in _MOVED_NUMBERS]
    bits = np.uint16(sum(1 << f for f in at))
    missing, numbers = np.asarray(store.missing), np.array(store.numbers)
    numbers[:, at] = store.numbers[order][:, at]
    return replace(store, columns=columns, numbers=numbers, missing=(missing & ~bits) | (missing[order] & bits))


def _shifted(
    tokens: Tokens, store: Store, row: NDArray[np.int64], event: NDArray[np.bool_], late: NDArray[np.int64]
) -> Tokens:
    """Tokens whose events came `late` (B, L) seconds later: time, clock and gap; the order stays, holidays stay."""
    local = np.asarray(store["time_s"])[row] + late + 60 * np.asarray(store["utc_offset_min"], np.int64)[row]
    clock = {"hour": local // 3_600 % 24, "weekday": (local // 86_400 + 3) % 7}
    codes = {
        name: torch.from_numpy(np.where(event, clock[name], 0)) if name in clock else code
        for name, code in tokens.codes.items()
    }
    time_s = torch.cummax(tokens.time_s + torch.from_numpy(late), dim=1).values * tokens.mask
    numbers, names = tokens.numbers, list(store.encoding.scales)
    if numbers is not None and "gap_s" in names:
        scale, f = store.encoding.scales["gap_s"], names.index("gap_s")
        gap = np.asarray(store["gap_s"])[row]
        before = np.concatenate([np.zeros((len(late), 1), np.int64), late[:, :-1]], axis=1)
        raw = transform(np.maximum(gap + late - before, 0).astype(np.float32), scale.params.scale)
        value = np.clip((raw - scale.centre) / scale.spread, -10.0, 10.0).astype(np.float32)
        numbers = numbers.clone()
        known = torch.from_numpy(event & (gap >= 0))
        numbers[..., f] = torch.where(known, torch.from_numpy(value), numbers[..., f])
    return replace(tokens, codes=codes, numbers=numbers, time_s=time_s)


def _moved(
    codes: Mapping[str, Tensor],
    store: Store,
    row: NDArray[np.int64],
    event: NDArray[np.bool_],
    north: NDArray[np.float64],
    east: NDArray[np.float64],
) -> dict[str, Tensor]:
    """Codes whose cells are those of points `north` and `east` (B, L) degrees (of latitude) away; distances stay."""
    latitude = np.asarray(store["latitude"], np.float64)[row]
    longitude = np.asarray(store["longitude"], np.float64)[row]
    there = event & ~np.isnan(latitude) & ~np.isnan(longitude)
    lat = np.clip(latitude[there] + north[there], -90.0, 90.0)
    lon = longitude[there] + east[there] / np.maximum(np.cos(np.radians(latitude[there])), 1e-6)
    lon = (lon + 180.0) % 360.0 - 180.0
    names = sorted((name for name in codes if name.startswith("cell_")), key=lambda name: int(name[5:]))
    cells, index = cells_of(to_e7(lat), to_e7(lon), int(names[-1][5:]))
    out = dict(codes)
    for name in names:
        found = codes[name].numpy().copy()
        found[there] = cell_codes(parents(cells, int(name[5:])), store.encoding.vocabularies[name])[index]
        out[name] = torch.from_numpy(found)
    return out
