"""The packed sequence store: all users' histories as flat arrays, memory-mapped.

Events are sorted by (user, time, source order); user u owns the rows `offsets[u]:offsets[u+1]`, so a history
is a slice and nothing is copied. Everything that reads histories, offline and live, reads them from here:
a live request packs its few events into a small Store by the same functions (`components.features.pack`).

Never here: how a column is computed (`features.time`, `features.place`, `features.context`) or what an
integer stands for (`features.encoding`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.errors import IntegrityError
from components.features.encoding import Encoding
from components.files import read_json, replace_folder, write_json

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
    """

    users: NDArray[np.object_]
    offsets: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.generic]]
    numbers: NDArray[np.float32]
    missing: NDArray[np.uint16]
    encoding: Encoding

    def __getitem__(self, column: str) -> NDArray[np.generic]:
        return self.columns[column]

    @property
    def n_events(self) -> int:
        return int(self.offsets[-1])

    @property
    def n_users(self) -> int:
        return len(self.users)

    @cached_property
    def user(self) -> NDArray[np.int32]:
        """(N,) row of the user of each event."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.offsets))

    def save(self, folder: Path) -> None:
        """Write the store as .npy files that `load` maps; the folder appears whole or not at all."""
        with replace_folder(folder) as out:
            self.encoding.save(out / "encoding")
            np.save(out / "users.npy", self.users.astype(np.str_), allow_pickle=False)
            np.save(out / "offsets.npy", self.offsets, allow_pickle=False)
            np.save(out / "numbers.npy", self.numbers, allow_pickle=False)
            np.save(out / "missing.npy", self.missing, allow_pickle=False)
            for name, column in self.columns.items():
                np.save(out / f"column_{name}.npy", column, allow_pickle=False)
            write_json(out / "store.json", {"columns": sorted(self.columns), "events": self.n_events})

    @classmethod
    def load(cls, folder: Path, encoding: Encoding | None = None) -> Store:
        """Map a saved store, read-only, without unpickling anything; its own encoding unless one is given."""
        record = read_json(folder / "store.json")
        offsets = _map(folder / "offsets.npy")
        if int(offsets[-1]) != record["events"]:
            raise IntegrityError(
                f"{record['events']} events in {folder}",
                found=f"{int(offsets[-1])}",
                do="Run the features stage again.",
            )
        return cls(
            users=_map(folder / "users.npy").astype(object),
            offsets=offsets,
            columns={name: _map(folder / f"column_{name}.npy") for name in record["columns"]},
            numbers=_map(folder / "numbers.npy"),
            missing=_map(folder / "missing.npy"),
            encoding=encoding or Encoding.load(folder / "encoding"),
        )


def _map(path: Path) -> NDArray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise IntegrityError(
            f"a whole array at {path}", found=str(error), do="Run the features stage again."
        ) from error
