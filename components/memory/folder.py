"""The memory as a folder: `config.json`, and `memory/` with one .npy file for each table.

Everything is checked when it is read; a name in a file never becomes a path or an import.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from components.errors import IntegrityError
from components.files import read_json, write_json
from components.memory.actions import ActionCounts
from components.memory.cells import CellCounts
from components.memory.counter import World
from components.memory.gaps import GapCounts
from components.memory.tables import Heads, Tables, read_array, write_array
from components.params import MemoryParams


def write_memory(folder: Path, params: MemoryParams, tables: Tables, more: Mapping[str, object]) -> None:
    """Write tables and what makes them; the same memory gives the same bytes.

    Parameters
    ----------
    folder : is made if need be
    params : of the tables
    tables : what was counted
    more : JSON that `read_memory` gives back
    """
    folder.mkdir(parents=True, exist_ok=True)
    world, heads = tables.world, tables.heads
    sizes: dict[str, object] = {"items": world.n_items, "timed": world.timed}
    if heads is not None:
        cells = heads.cells
        sizes["heads"] = {
            "actions": heads.actions.n_actions,
            "gaps": len(heads.gaps.mean),
            "cells": None if cells is None else [cells.column, cells.n_cells],
        }
    write_array(folder / "memory" / "latitude.npy", world.latitude)
    write_array(folder / "memory" / "longitude.npy", world.longitude)
    tables.save(folder / "memory")
    config = {"params": params.model_dump(), "order": list(params.components), "sizes": sizes}  # JSON sorts keys
    write_json(folder / "config.json", config | dict(more))


def read_memory(folder: Path) -> tuple[MemoryParams, Tables, Mapping[str, Any]]:
    """Params, tables and the rest of what `write_memory` wrote.

    Raises
    ------
    IntegrityError
        A file is missing, damaged, or of another shape than the others say.
    """
    config = read_json(folder / "config.json")
    try:
        params = MemoryParams.model_validate(config["params"])
        params = params.model_copy(update={"components": {name: params.components[name] for name in config["order"]}})
        sizes = config["sizes"]
        world = World(
            int(sizes["items"]), params.max_pairs, params.prior, bool(sizes["timed"]), *_places(folder, sizes["items"])
        )
        heads = _heads(params, world, sizes["heads"]) if "heads" in sizes else None
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        raise IntegrityError(
            f"a memory's config in {folder}",
            found=f"{type(error).__name__}: {error}",
            do="Train again, or bring the folder back from DVC.",
        ) from error
    tables = Tables(params, world, heads)
    tables.restore(folder / "memory")
    return params, tables, config


def _places(folder: Path, n_items: int) -> tuple[np.ndarray, np.ndarray]:
    latitude, longitude = (read_array(folder / "memory" / f"{name}.npy") for name in ("latitude", "longitude"))
    if latitude.shape != (n_items,) or longitude.shape != (n_items,):
        raise IntegrityError(
            f"places of {n_items} items",
            found=f"{latitude.shape} and {longitude.shape} in {folder}",
            do="Train again, or bring the folder back from DVC.",
        )
    return latitude.astype(np.float64), longitude.astype(np.float64)


def _heads(params: MemoryParams, world: World, sizes: Mapping[str, Any]) -> Heads:
    empty = np.zeros(int(sizes["gaps"])), np.ones(int(sizes["gaps"]))
    cells = sizes["cells"]
    return Heads(
        ActionCounts(int(sizes["actions"]), params.prior),
        GapCounts(*empty, params.prior),
        None
        if cells is None
        else CellCounts(str(cells[0]), world.n_items, int(cells[1]), params.max_pairs, params.prior),
    )
