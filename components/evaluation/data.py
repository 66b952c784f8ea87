"""What a judgement was made on: size, digest and windows of a log. Nothing here judges."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import numpy as np

from components.evaluation.protocol import tie_share
from components.features.store import WINDOWS, Store


def data_digest(store: Store) -> str:
    """Digest of all that a learner can read of a log: columns, ids, attributes, vectors; equal logs, equal digests."""
    digest = hashlib.sha256()
    for name in sorted(store.columns):
        digest.update(name.encode() + b"\0" + np.ascontiguousarray(store[name]).tobytes())
    for array in (store.offsets, store.numbers, store.missing):
        digest.update(np.ascontiguousarray(array).tobytes())
    vocabularies = [vocabulary.ids for _, vocabulary in sorted(store.encoding.vocabularies.items())]
    for ids in (store.users, *vocabularies):
        digest.update("\n".join(str(one) for one in ids).encode() + b"\0")
    for attribute in dataclasses.fields(store.encoding.catalogue):
        values = getattr(store.encoding.catalogue, attribute.name)
        told = "\n".join(values.tolist()).encode() if values.dtype == object else np.ascontiguousarray(values).tobytes()
        digest.update(attribute.name.encode() + b"\0" + told)
    for name, values in sorted(store.vectors.items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def data_record(store: Store) -> dict[str, Any]:
    """Size, digest and windows of a log."""
    window, time_s = np.asarray(store["window"]), np.asarray(store["time_s"])
    spans = []
    for name, code in WINDOWS.items():
        rows = np.flatnonzero(window == code)
        if len(rows):
            spans.append(
                {
                    "name": name,
                    "events": len(rows),
                    "targets": int(np.asarray(store["target"])[rows].sum()),
                    "users": len(np.unique(store.user[rows])),
                    "first_s": int(time_s[rows].min()),
                    "last_s": int(time_s[rows].max()),
                }
            )
    return {
        "digest": data_digest(store),
        "users": store.n_users,
        "items": store.encoding.n_items - 2,
        "events": store.n_events,
        "ties": tie_share(store),
        "windows": spans,
        "time_kind": str(store.encoding.settings.get("time_kind", "real")),
    }
