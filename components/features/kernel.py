"""The one kernel that computes features: for a whole log, a new day and a live request alike.

It takes a `Raw` of complete users and a fitted Encoding and computes every column of the store. Nothing here
learns, reads a file or decides a window.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from components.features import place
from components.features.context import flags, scaled
from components.features.encoding import UNKNOWN, Encoding, Vocabulary
from components.features.measure import clock, measure
from components.features.raw import Raw

#: Events that one thread computes at a time: small enough for the processor's cache, large enough for numpy.
BLOCK = 1 << 17
#: (first row, name → rows of that column, numbers and missing among them) → kept somewhere.
Put = Callable[[int, Mapping[str, NDArray]], None]


@dataclass(frozen=True)
class Tables:
    """Codes of the distinct ids and places of a Raw; one entry more than ids, for the index -1 = none."""

    item: NDArray[np.int32]
    action: NDArray[np.int8]
    device: NDArray[np.int16]
    cells: Mapping[str, NDArray[np.int32]]

    @classmethod
    def of(cls, raw: Raw, encoding: Encoding) -> Tables:
        """Look everything up once."""
        words = encoding.vocabularies
        resolutions: Sequence[int] = encoding.settings["cells"]  # type: ignore[assignment]
        cells = {}
        for resolution in resolutions:
            name = f"cell_{resolution}"
            cells[name] = place.cell_codes(place.parents(raw.cells, resolution), words[name])
        return cls(
            item=_codes(words["item"], raw.items),
            action=_codes(words["action"], raw.actions).astype(np.int8),
            device=_codes(words["device"], raw.devices).astype(np.int16),
            cells=cells,
        )


def _codes(vocabulary: Vocabulary, names: Sequence[str]) -> NDArray[np.int32]:
    code_of = vocabulary.code_of
    return np.array([*map(code_of.get, names, repeat(UNKNOWN)), 0], np.int32)


def kernel(raw: Raw, tables: Tables, encoding: Encoding) -> dict[str, NDArray]:
    """Every column of the store but window and target, and `numbers` and `missing`.

    Parameters
    ----------
    raw : Raw
        Events of complete users: no event sees another user's, or a later one.
    tables : Tables
        Of the Raw that `raw` is a part of.
    encoding : Encoding

    Returns
    -------
    dict
        name → (N,) array in the dtype of `features.store.COLUMNS`; numbers (N, F) float32; missing (N,) uint16.
    """
    settings = encoding.settings
    measures = measure(raw, settings)
    offset_min, hour, weekday, holiday = clock(raw, settings)
    numbers, missing = scaled(
        [measures.number(name) for name in encoding.scales], list(encoding.scales.values()), measures.start
    )
    return {
        "item": tables.item[raw.item],
        "action": tables.action[raw.action],
        "time_s": raw.time_s,
        "utc_offset_min": offset_min,
        "local_hour": hour,
        "local_weekday": weekday,
        "holiday": holiday,
        "gap_s": measures.gap_s,
        "session": measures.session,
        "latitude": place.degrees(raw.lat_e7).astype(np.float32),
        "longitude": place.degrees(raw.lon_e7).astype(np.float32),
        "distance_km": measures.distance_km,
        "device": tables.device[raw.device],
        "flags": flags(measures.speed_kmh, measures.rank, raw.value, raw.duration_s, settings),  # type: ignore[arg-type]
        **{name: codes[raw.cell] for name, codes in tables.cells.items()},
        "numbers": numbers,
        "missing": missing,
    }


def pack_rows(raw: Raw, encoding: Encoding, put: Put) -> None:
    """Compute every column block by block, on as many threads as there are cores, and hand each block to `put`.

    Blocks hold complete users, so neither their size nor the number of threads changes a byte.
    """
    tables = Tables.of(raw, encoding)

    def one(users: tuple[int, int]) -> None:
        put(int(raw.offsets[users[0]]), kernel(raw.part(*users), tables, encoding))

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        for done in threads.map(one, blocks(raw.offsets)):
            assert done is None


def blocks(offsets: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Ranges of users that hold about BLOCK events each."""
    low, n_users = 0, len(offsets) - 1
    while low < n_users:
        high = int(np.searchsorted(offsets, offsets[low] + BLOCK, side="right")) - 1
        high = min(max(high, low + 1), n_users)
        yield low, high
        low = high
