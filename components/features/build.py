"""The stage features: validated events and the catalogue → the packed store in data/features.

Pure: the same files and params give the same bytes, whatever the order of the rows, the number of cores, and
whether the log is built at once or, above `features.max_rows_in_memory`, bucket by bucket of users. Events are
never dropped here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import DataError
from components.features.catalogue import described, located_items
from components.features.encoding import Encoding
from components.features.fit import Tally, gather_frame
from components.features.kernel import pack_rows
from components.features.pack import pack_raw
from components.features.raw import Raw, Reader, gather
from components.features.store import WINDOWS, Store, StoreWriter
from components.features.windows import Split, divide, edges, window_of
from components.files import replace_folder
from components.knowledge.kinds import vectors_of
from components.params import Params

_EVENTS, _ITEMS, _OUT = "data/validated/events.parquet", "data/catalogue/items.parquet", "data/features"
_CACHE = ".chronotope/vectors"  # untracked: what is there can be made again
#: Yields the whole log in parts of complete users, in the order of users; may be called again.
_Parts = Callable[[], Iterable[Raw]]


def build(root: Path, params: Params) -> Store:
    """Build the store of a workspace, divided by time (`windows` of params).

    Parameters
    ----------
    root : Path
        The workspace; read are data/validated/events.parquet and data/catalogue/items.parquet, written is
        data/features.
    params : Params

    Returns
    -------
    Store
        Mapped from what was written.

    Raises
    ------
    DataError
        There are no events, or a window that should hold some is empty.
    """
    events = root / _EVENTS
    if not events.is_file():
        raise DataError(f"validated events at {events}", found="no file", do="Run the stage validate first.")
    items = pl.read_parquet(root / _ITEMS) if (root / _ITEMS).is_file() else None
    n = int(pl.scan_parquet(events).select(pl.len()).collect().item())
    if n == 0:
        raise DataError("events to learn from", found=f"none in {events}", do="Ingest some events first.")
    finest = max(params.features.cells, default=None)
    with replace_folder(root / _OUT) as out:
        if n <= params.features.max_rows_in_memory:
            raw = gather(_reader(events), finest)
            _write(lambda: [raw], raw.time_s, items, params, out, root)
        else:
            with tempfile.TemporaryDirectory(dir=out.parent, prefix=".buckets.") as spill:
                files = _spill(events, Path(spill), params.features.max_rows_in_memory)
                times = pl.scan_parquet(events).select(pl.col("timestamp").dt.epoch("s")).collect()["timestamp"]
                buckets = partial(map, lambda file: gather(_reader(file), finest), files)
                _write(buckets, times.to_numpy(), items, params, out, root)
    return Store.load(root / _OUT, verify=False)


def _reader(file: Path) -> Reader:
    """Read one column at a time; none of a column that the file lacks."""
    schema = pl.read_parquet_schema(file)
    return lambda name: pl.read_parquet(file, columns=[name])[name] if name in schema else None


def _write(
    parts: _Parts, time_s: NDArray[np.int64], items: pl.DataFrame | None, params: Params, out: Path, root: Path
) -> None:
    """Fit on the training events of all parts, then pack part after part into `out`."""
    starts = edges(time_s, params.windows)
    n = len(time_s)
    tally = Tally(params, int((time_s < starts[0]).sum()), located_items(items))
    del time_s
    for raw in parts():
        tally.add(raw, raw.time_s < starts[0])
    encoding = tally.encoding(items)
    with StoreWriter(out, n, encoding) as writer:
        users: list[str] = []
        offsets = [np.zeros(1, np.int64)]
        for raw in parts():
            base = int(offsets[-1][-1])

            def put(row: int, block: Mapping[str, NDArray], base: int = base) -> None:
                window = window_of(block["time_s"], starts)
                writer.put(base + row, {**block, "window": window, "target": block["item"] > 0})

            pack_rows(raw, encoding, put)
            users.extend(raw.users)
            offsets.append(base + raw.offsets[1:])
        writer.finish(users, np.concatenate(offsets), _vectors(encoding, params, root, root / _CACHE))


def _vectors(encoding: Encoding, params: Params, root: Path, cache: Path | None) -> dict[str, NDArray[np.float32]]:
    """What params know of the items besides events."""
    sources = params.features.vectors
    return vectors_of(described(encoding), sources, root, cache) if sources else {}


def _spill(events: Path, folder: Path, rows: int) -> list[Path]:
    """Divide a log among Parquet files of complete users, about `rows` events each, in the order of users."""
    log = pl.scan_parquet(events)
    counts = log.group_by("user_id").agg(n=pl.len()).sort("user_id").collect(engine="streaming")
    bucket = ((pl.col("n").cum_sum() - pl.col("n")) // rows).cast(pl.Int32)
    table = counts.select("user_id", bucket.alias("bucket"))
    log.join(table.lazy(), on="user_id").sink_parquet(
        pl.PartitionBy(folder, key="bucket", include_key=False), mkdir=True, engine="streaming"
    )
    return [folder / f"bucket={number}" for number in table["bucket"].unique().sort()]


def frame_to_store(
    events: pl.DataFrame,
    items: pl.DataFrame | None,
    users: pl.DataFrame | None,  # noqa: ARG001
    params: Params,
    protocol: Split | str,
    cache: Path | None = None,
) -> Store:
    """Fit and pack a log that is in memory, under any split.

    Parameters
    ----------
    events : pl.DataFrame
        (N, any) columns of the event contract, in any order; a column `window` (names of WINDOWS) stands where
        the source's files were divided already.
    items : pl.DataFrame or None
        Columns of the item contract.
    users : pl.DataFrame or None
        Columns of the user contract; no feature is made of them (they are the slices of the judge).
    params : Params
    protocol : Split or str
        A name is that protocol with its usual settings.
    cache : Path, optional
        Folder that keeps vectors of texts from one call to the next. Files of vectors are looked for from the
        current folder.

    Returns
    -------
    Store

    Raises
    ------
    DataError
        There are no events, or a window that should hold some is empty.
    """
    split = Split(protocol) if isinstance(protocol, str) else protocol  # type: ignore[arg-type]
    raw = gather_frame(events, max(params.features.cells, default=None))
    window, target = divide(raw, params.windows, split, params.features.session_gap_s)
    train = window == WINDOWS["train"]
    tally = Tally(params, int(train.sum()), located_items(items))
    tally.add(raw, train)
    encoding = tally.encoding(items)
    store = pack_raw(raw, encoding, (window, target))
    return replace(store, vectors=_vectors(encoding, params, Path(), cache))
