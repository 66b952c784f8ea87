"""The packed sequence store: all users' histories as flat arrays, memory-mapped.

Events are sorted by (user, time, source order); user u owns the rows `offsets[u]:offsets[u+1]`, so a history
is a slice and nothing is copied. Everything that reads histories, offline and live, reads them from here:
a live request packs its few events into a small Store by the same functions (`components.features.pack`).

Never here: how a column is computed (`features.time`, `features.place`, `features.context`) or what an
integer stands for (`features.encoding`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import IntegrityError
from components.features.encoding import Encoding
from components.files import read_json, replace_folder, sha256_file, write_json
from components.once import made_once

_AGAIN = "Run the features stage again."

#: Column → dtype. Item, action, cells, device: 0 = padding, 1 = unknown.
COLUMNS: Mapping[str, str] = {
    "item": "int32",
    "action": "int8",
    "time_s": "int64",  # UTC seconds since 1970
    "utc_offset_min": "int16",
    "local_hour": "int8",  # 0..23
    "local_weekday": "int8",  # 0 = Monday .. 6
    "holiday": "int8",  # 1 on a public holiday of params.events.country
    "gap_s": "int64",  # since the user's previous event; -1 for the first
    "session": "int32",  # 0, 1, … within the user; a new one after params.features.session_gap_s
    "latitude": "float32",  # degrees, NaN = no place
    "longitude": "float32",
    "distance_km": "float32",  # from the user's previous located event; NaN = unknown
    "device": "int16",
    "flags": "int8",  # bit 0: impossible speed, bit 1: bot-like rate, bit 2: outlying value or duration
    "window": "int8",  # a code of WINDOWS
    "target": "bool",  # to be predicted in its window
}
#: What a window is for, by code. Events of "rest" are history only.
WINDOWS: Mapping[str, int] = {"rest": -1, "train": 0, "tune": 1, "blend": 2, "test": 3}


@dataclass(frozen=True)
class Store:
    """Histories of U users, N events in all.

    Attributes
    ----------
    users : (U,) object array of str, the ids, sorted
    offsets : (U+1,) int64
    columns : name → (N,) array; those of COLUMNS, and `cell_<r>` int32 for each H3 resolution r
    numbers : (N, F) float32, filled and scaled by statistics of the training window
    missing : (N,) uint16, bit f set where numbers[:, f] was filled
    encoding : what the integers stand for, and the statistics
    vectors : name → (V, m) float32 what is known of the items besides events, rows of length 1, 0 where nothing is;
        only in a store that models learn from
    """

    users: NDArray[np.object_]
    offsets: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.generic]]
    numbers: NDArray[np.float32]
    missing: NDArray[np.uint16]
    encoding: Encoding
    vectors: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def __getitem__(self, column: str) -> NDArray[np.generic]:
        return self.columns[column]

    @property
    def n_events(self) -> int:
        return int(self.offsets[-1])

    @property
    def n_users(self) -> int:
        return len(self.users)

    @property
    def cells(self) -> tuple[str, ...]:
        """Names of the columns of cells, the coarsest first."""
        return tuple(name for name in self.encoding.cells if name in self.columns)

    @made_once
    def user(self) -> NDArray[np.int32]:
        """(N,) row of the user of each event."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.offsets))

    def save(self, folder: Path) -> None:
        """Write the store as .npy files that `load` maps; the folder appears whole or not at all."""
        with replace_folder(folder) as out, StoreWriter(out, self.n_events, self.encoding) as writer:
            writer.put(0, {**self.columns, "numbers": self.numbers, "missing": self.missing})
            writer.finish(self.users.tolist(), self.offsets, self.vectors)

    @classmethod
    def load(cls, folder: Path, verify: bool = True, encoding: Encoding | None = None) -> Store:
        """Map a saved store, read-only, without unpickling anything.

        Parameters
        ----------
        folder : Path
        verify : bool
            Compare the digest of every file first (about half a second a gigabyte); else only sizes are compared.
        encoding : Encoding, optional
            Kept elsewhere (an artifact keeps it beside its histories); else the store's own is read.

        Raises
        ------
        IntegrityError
            A file is missing, truncated, or not the one that was written.
        """
        record = read_json(folder / "store.json")
        try:
            digests, n = dict(record["files"]), int(record["events"])
            names = [str(name) for name in record["columns"]]
            described = [str(name) for name in record.get("vectors", [])]  # an older artifact has none
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(
                f"files, events and columns in {folder / 'store.json'}", found=repr(error), do=_AGAIN
            ) from error
        if verify:
            check_files(folder, digests)
        offsets = _map(folder / "offsets.npy")
        columns = {name: _map(folder / f"column_{name}.npy") for name in names}
        numbers, missing = _map(folder / "numbers.npy"), _map(folder / "missing.npy")
        lengths = {int(offsets[-1])} | {len(column) for column in (*columns.values(), numbers, missing)}
        if lengths != {n}:
            raise IntegrityError(f"{n} events in {folder}", found=f"arrays of {sorted(lengths)}", do=_AGAIN)
        return cls(
            users=_users(folder / "users.parquet"),
            offsets=offsets,
            columns=columns,
            numbers=numbers,
            missing=missing,
            encoding=encoding or Encoding.load(folder / "encoding"),
            vectors={name: _map(folder / f"vectors_{name}.npy") for name in described},
        )


def layout(encoding: Encoding) -> dict[str, str]:
    """Column → dtype of a store with this encoding: those of COLUMNS and its cells."""
    return {**COLUMNS, **{name: "int32" for name in sorted(encoding.vocabularies) if name.startswith("cell_")}}


class StoreWriter:
    """Writes the files of a store of known size block by block, in any order and from several threads.

    The bytes are those of `numpy.save`; written pages are not mapped, so they cost no memory.

    Parameters
    ----------
    folder : Path
        Exists and is empty (`files.replace_folder`).
    n : int
        Events of the whole store.
    encoding : Encoding
    """

    def __init__(self, folder: Path, n: int, encoding: Encoding) -> None:
        self.folder, self.n, self.encoding = folder, n, encoding
        self._open: dict[str, tuple[int, int, int, np.dtype]] = {}  # descriptor, first byte, bytes a row, dtype
        for name, dtype in layout(encoding).items():
            self._create(name, f"column_{name}.npy", (n,), dtype)
        self._create("numbers", "numbers.npy", (n, len(encoding.scales)), "float32")
        self._create("missing", "missing.npy", (n,), "uint16")

    def _create(self, name: str, file: str, shape: tuple[int, ...], dtype: str) -> None:
        kind = np.dtype(dtype)
        with (self.folder / file).open("wb") as stream:
            np.lib.format.write_array_header_1_0(
                stream, {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
            )
            head, row = stream.tell(), kind.itemsize * int(np.prod(shape[1:], dtype=np.int64))
            stream.truncate(head + self.n * row)
        self._open[name] = os.open(self.folder / file, os.O_WRONLY), head, row, kind

    def put(self, row: int, block: Mapping[str, NDArray]) -> None:
        """Write rows `row:` of some columns; each must come in the dtype of the layout."""
        for name, values in block.items():
            descriptor, head, width, kind = self._open[name]
            if values.dtype != kind:
                raise TypeError(f"column {name} of {values.dtype} where the store has {kind}")
            data, at = np.ascontiguousarray(values).reshape(-1).view(np.uint8).data, head + row * width
            while len(data):
                done = os.pwrite(descriptor, data, at)
                data, at = data[done:], at + done

    def finish(
        self, users: list[str], offsets: NDArray[np.int64], vectors: Mapping[str, NDArray[np.float32]] | None = None
    ) -> None:
        """Write users, offsets, the encoding, vectors and, last, `store.json` with the digest of every file."""
        self.close()
        for name, values in (vectors or {}).items():
            np.save(self.folder / f"vectors_{name}.npy", np.asarray(values, np.float32), allow_pickle=False)
        np.save(self.folder / "offsets.npy", np.asarray(offsets, np.int64), allow_pickle=False)
        pl.DataFrame({"user_id": users}, schema={"user_id": pl.String}).write_parquet(self.folder / "users.parquet")
        self.encoding.save(self.folder / "encoding")
        write_json(
            self.folder / "store.json",
            {
                "columns": sorted(layout(self.encoding)),
                "events": self.n,
                "users": len(users),
                "vectors": sorted(vectors or {}),
                "files": digests_of(self.folder),
            },
        )

    def close(self) -> None:
        """Close the files; twice is once."""
        while self._open:
            os.close(self._open.popitem()[1][0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def digests_of(folder: Path) -> dict[str, str]:
    """Relative path → sha256 of every file below a store's folder but store.json, on as many threads as cores."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / "store.json")
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        digests = list(threads.map(sha256_file, paths))
    return {path.relative_to(folder).as_posix(): digest for path, digest in zip(paths, digests, strict=True)}


def check_files(folder: Path, digests: Mapping[str, str]) -> None:
    """Compare the files of a store with their recorded digests.

    Raises
    ------
    IntegrityError
        Names the first file that differs, is missing or was added.
    """
    found = digests_of(folder)
    for name in sorted(set(found) | set(digests)):
        if found.get(name) != digests.get(name):
            what = "a file that is not recorded" if name not in digests else "other bytes, or none"
            raise IntegrityError(f"the recorded bytes of {folder / name}", found=what, do=_AGAIN)


def _users(path: Path) -> NDArray[np.object_]:
    try:
        names = pl.read_parquet(path)["user_id"].to_list()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise IntegrityError(f"a whole table at {path}", found=str(error), do=_AGAIN) from error
    users = np.empty(len(names), dtype=object)
    users[:] = names
    return users


def _map(path: Path) -> NDArray:
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        return np.asarray(mapped)  # a plain view of it: slices of a `memmap` cost five times as much
    except (OSError, ValueError, EOFError) as error:
        raise IntegrityError(f"a whole array at {path}", found=str(error), do=_AGAIN) from error
