"""Rolling time folds of the part of the log that models may be chosen on: what lies before the blend window.

    past of fold 1           | judged |
    past of fold 2                    | judged |
    past of fold 3                             | judged |  blend | test

Each fold is a store of its own: its vocabularies, scales and counts come from its own past. Of the blend and test
windows nothing is read but times, which say where they begin.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import DataError
from components.features.catalogue import located_items
from components.features.fit import Tally, gather_frame
from components.features.pack import pack_raw
from components.features.store import WINDOWS, Store
from components.features.windows import edges, window_of
from components.params import Params, WindowParams
from components.workspace import Workspace

_NOTHING = "0d"


@dataclass(frozen=True)
class Fold:
    """A past, and the span after it that a trial is judged on (the window `test` of its store)."""

    store: Store


def rolling(root: Path, params: Params, mixed: bool) -> list[Fold]:
    """The folds of a workspace, oldest first.

    Parameters
    ----------
    root : whose validated events and catalogue are read
    params : `windows` of the past, `search.folds` and `search.window`
    mixed : whether each past also ends with a blend window, which a blend or a ranker is fitted on

    Raises
    ------
    DataError
        There are no validated events, or too few days for so many folds.
    """
    path = Workspace(root).validated / "events.parquet"
    if not path.is_file():
        raise DataError(f"validated events at {path}", found="no file", do="Run the stage validate first.")
    clock = pl.col("timestamp").dt.epoch("s")
    times = pl.scan_parquet(path).select(clock.alias("s")).collect()["s"].to_numpy()
    end = int(edges(times, params.windows)[1])
    log = pl.scan_parquet(path).filter(clock < end).collect()
    items_file = Workspace(root).catalogue / "items.parquet"
    items = pl.read_parquet(items_file) if items_file.is_file() else None
    spans = WindowParams(
        tune=params.windows.tune, blend=params.windows.blend if mixed else _NOTHING, test=params.search.window
    )
    found: list[Fold] = []
    for number in range(params.search.folds):
        before = log.filter(clock < end)
        try:
            starts = edges(before.select(clock.alias("s"))["s"].to_numpy(), spans)
        except DataError as error:
            raise DataError(
                f"{params.search.folds} folds before the blend window",
                found=f"room for {number}: {error.found}",
                do="Lower `search.folds`, shorten `search.window` or `windows.tune`, or ingest more days.",
            ) from error
        found.append(Fold(_store(before, items, starts, params)))
        end = int(starts[2])
    return found[::-1]


def _store(events: pl.DataFrame, items: pl.DataFrame | None, starts: NDArray[np.int64], params: Params) -> Store:
    raw = gather_frame(events, max(params.features.cells, default=None))
    window = window_of(raw.time_s, starts)
    train = window == WINDOWS["train"]
    tally = Tally(params, int(train.sum()), located_items(items))
    tally.add(raw, train)
    return pack_raw(raw, tally.encoding(items), (window, raw.item >= 0))


def digest(folds: list[Fold]) -> str:
    """Digest of everything that trials can read of the folds."""
    found = hashlib.sha256()
    for fold in folds:
        store = fold.store
        words = store.encoding.vocabularies
        for ids in (store.users, *(words[kind].ids for kind in sorted(words))):
            found.update("\0".join(ids.tolist()).encode())
        arrays = [store.offsets, *(column for _, column in sorted(store.columns.items())), store.numbers]
        catalogue = store.encoding.catalogue
        for array in (*arrays, store.missing, catalogue.category, catalogue.latitude, catalogue.longitude):
            found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
