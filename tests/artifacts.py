"""A predictor small enough to see through, and workspaces that hold artifacts of it."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from components.features.store import WINDOWS, Store
from components.files import write_json
from components.predictor import Capability, Queries, Scores, Tracker, Window
from components.registry.artifact import Manifest, compose
from components.workspace import Workspace
from tests.toy import toy_store

LINEAGE = {"git_sha": None, "windows": {}}


class Popular:
    """Counts items of the training window; `update` counts on."""

    name = "popular"
    capabilities: frozenset[Capability] = frozenset({"item"})

    def __init__(self, count: NDArray[np.float32]) -> None:
        self.count = count

    def fit(self, train: Window, tune: Window, tracker: Tracker) -> None:
        store = train.store
        seen = np.asarray(store["item"])[np.asarray(store["window"]) == WINDOWS["train"]]
        self.count = np.bincount(seen, minlength=store.encoding.n_items).astype(np.float32)

    def score(self, queries: Queries) -> Scores:
        count = np.where(np.arange(len(self.count)) < 2, 0.0, self.count + 0.1)
        with np.errstate(divide="ignore"):
            one = np.log(count / count.sum()).astype(np.float32)
        return Scores(item=np.tile(one, (len(queries), 1)))

    def update(self, store: Store, rows: NDArray[np.int64]) -> None:
        items = np.asarray(store["item"])[rows]
        self.count = self.count + np.bincount(items, minlength=len(self.count)).astype(np.float32)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        save_file({"count": self.count}, folder / "weights.safetensors")
        write_json(folder / "config.json", {"kind": "popular"})

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(load_file(folder / "weights.safetensors")["count"])


def popular(store: Store, shift: float = 0.0) -> Popular:
    """A fitted predictor; `shift` makes another one of it."""
    one = Popular(np.zeros(0, np.float32))
    train = Window(store, "train")
    one.fit(train, train, _Quiet())
    one.count = one.count + np.float32(shift)
    return one


class _Quiet:
    def log(self, metrics: object, step: int) -> None:
        return


def pack(root: Path, shift: float = 0.0, store: Store | None = None) -> Manifest:
    """An artifact of a toy model below a workspace."""
    store = store or toy_store()
    saved = root / "models" / f"popular{shift}"
    popular(store, shift).save(saved)
    return compose(
        Workspace(root).artifacts, saved, store, name="popular", history=20, lineage=LINEAGE, card="# popular\n"
    )
