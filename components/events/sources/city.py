"""The simulated city as a source, so that a new workspace has a log to learn from.

The simulation runs to `events.until`, else for `simulation.days`; a later `until` gives the days that follow.
Never here: how the city lives (`components.events.simulator`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from components.events.sources.common import options_of
from components.files import digest_of
from components.params import Params

ACTIONS = ("view", "like", "cart", "purchase", "checkin")
TIME_KIND = "real"


def files(_params: Params, _root: Path) -> list[Path]:
    """No file: the city is computed."""
    return []


def last_day(params: Params) -> dt.date:
    """The last simulated day."""
    if params.events.until is not None:
        return params.events.until - dt.timedelta(days=1)
    return params.simulation.start + dt.timedelta(days=params.simulation.days - 1)


def read(params: Params, _root: Path, _path: Path | None) -> Iterator[pl.DataFrame]:
    """Chunks of the city's log, dirty rows included."""
    from components.events.simulator import simulate

    options_of(params, ())
    yield from simulate(params.simulation, params.workspace.seed, params.simulation.start, last_day(params))


def attribute_files(_params: Params, _root: Path) -> list[Path]:
    """None: the simulator knows its people and places."""
    return []


def state(params: Params) -> str:
    """Digest of what the city depends on."""
    return digest_of([params.simulation.model_dump(mode="json"), params.workspace.seed, last_day(params).isoformat()])


def items(params: Params, _root: Path) -> pl.DataFrame | None:
    """The city's catalogue."""
    from components.events.simulator import catalogue

    return catalogue(params.simulation, params.workspace.seed)[0]


def users(params: Params, _root: Path) -> pl.DataFrame | None:
    """The city's inhabitants, as far as the log knows them."""
    from components.events.simulator import catalogue

    return catalogue(params.simulation, params.workspace.seed)[1]
