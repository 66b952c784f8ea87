"""A log in memory, from any source and any files of its format: for benchmarks and for looking.

The same rules and the same order as in the day files; nothing is written. Never here: windows or splits.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from components.errors import ConservationError, DataError
from components.events.catalogue import conform_items, conform_users
from components.events.contract import ITEM_SCHEMA, REJECTED_SCHEMA, SCHEMA, conform
from components.events.days import distinct, ordered
from components.events.sources import format_of, parts_of
from components.events.units import UnitWatch
from components.params import Params


@dataclass(frozen=True)
class Loaded:
    """A log in memory: rows_in = events + quarantined + duplicates.

    Attributes
    ----------
    events : (n, 15) of contract.SCHEMA, sorted as in the day files
    items : (i, 8) of contract.ITEM_SCHEMA, possibly empty
    users : (u, any) with user_id, possibly empty
    rejected : (q, 2) of contract.REJECTED_SCHEMA
    rows_in, quarantined, duplicates : counts of rows
    """

    events: pl.DataFrame
    items: pl.DataFrame
    users: pl.DataFrame
    rejected: pl.DataFrame
    rows_in: int
    quarantined: int
    duplicates: int


def with_source(params: Params, format: str, path: Path | str | None = None) -> Params:  # noqa: A002
    """Params that read `path` by `format`: its own actions and kind of time, and times back to 1970 allowed.

    Mapping, constants and options stay; where the format cannot know the actions (a column of the user's own log),
    those that the log holds are taken (`found_actions`).
    """
    source = params.events.source.model_copy(update={"format": format, "path": None if path is None else str(path)})
    events = params.events.model_copy(update={"source": source, "earliest": dt.date(1970, 1, 1)})
    changed = params.model_copy(update={"events": events})
    module = format_of(changed)
    actions = list(module.ACTIONS) or found_actions(changed)
    kind = module.TIME_KIND if module.TIME_KIND != "real" else events.time_kind
    return changed.model_copy(update={"events": events.model_copy(update={"actions": actions, "time_kind": kind})})


def found_actions(params: Params, root: Path = Path()) -> list[str]:
    """Every action that the source names, after `action_map`, sorted; reads the source once."""
    source = format_of(params)
    names: set[str] = set()
    for path in parts_of(params, root):
        for chunk in source.read(params, root, path):
            column = chunk["action"].drop_nulls().unique().cast(pl.String)
            names |= set(column.replace(params.events.action_map).to_list())
    return sorted(names - {""})


def load_frame(
    params: Params,
    *files: Path | str,
    root: Path = Path(),
    now: dt.datetime | None = None,
    rows: int | None = None,
) -> Loaded:
    """Read a source into memory.

    Parameters
    ----------
    params : Params
        Source and rules.
    files : Path or str
        Files to read in place of `events.source.path`, each by itself.
    root : Path
        What relative paths are relative to.
    now : datetime, optional
        Aware; else the clock.
    rows : int, optional
        Stop after about so many rows of each file (whole chunks); else read all.

    Returns
    -------
    Loaded

    Raises
    ------
    DataError, SchemaError, ConfigError
        The source cannot be read, or holds no event.
    """
    now = now or dt.datetime.now(dt.UTC)
    watch = UnitWatch(params.events, now)
    kept: list[pl.DataFrame] = [pl.DataFrame(schema=dict(SCHEMA))]
    rejected: list[pl.DataFrame] = [pl.DataFrame(schema=dict(REJECTED_SCHEMA))]
    items: list[pl.DataFrame] = []
    users: list[pl.DataFrame] = []
    taken = 0
    for one in [_at(params, file) for file in files] or [params]:
        source = format_of(one)
        for path in parts_of(one, root):
            for chunk in _first(source.read(one, root, path), rows):
                good, bad = conform(chunk, one.events, now)
                watch.add(chunk, not bad.is_empty())
                kept.append(good)
                rejected.append(bad)
                taken += chunk.height
        items += [frame for frame in [source.items(one, root)] if frame is not None]
        users += [frame for frame in [source.users(one, root)] if frame is not None]
    watch.check()
    sound, refused = pl.concat(kept), pl.concat(rejected)
    events = ordered(distinct(sound))
    if events.is_empty():
        raise DataError(
            f"events in {', '.join(str(file) for file in files) or params.events.source.path}",
            found=f"{taken:,} rows, none of them sound{_commonest_rule(refused)}",
            do="Check `events.source` and `events.actions`.",
        )
    loaded = Loaded(
        events=events,
        items=conform_items(pl.concat(items, how="diagonal_relaxed"))
        if items
        else pl.DataFrame(schema=dict(ITEM_SCHEMA)),
        users=conform_users(pl.concat(users, how="diagonal_relaxed"))
        if users
        else pl.DataFrame(schema={"user_id": pl.String}),
        rejected=refused,
        rows_in=taken,
        quarantined=refused.height,
        duplicates=sound.height - events.height,
    )
    if taken != events.height + loaded.quarantined + loaded.duplicates:
        raise ConservationError(f"{taken:,} rows accounted for", found=f"{events.height:,} events", do="Report this.")
    return loaded


def _first(chunks: Iterator[pl.DataFrame], rows: int | None) -> Iterator[pl.DataFrame]:
    """Chunks until `rows` rows have come; all of them when it is None."""
    left = rows
    for chunk in chunks:
        yield chunk
        if left is not None:
            left -= chunk.height
            if left <= 0:
                return


def _at(params: Params, file: Path | str) -> Params:
    source = params.events.source.model_copy(update={"path": str(file)})
    return params.model_copy(update={"events": params.events.model_copy(update={"source": source})})


def _commonest_rule(rejected: pl.DataFrame) -> str:
    if rejected.is_empty():
        return ""
    rule, count = rejected["rule"].value_counts(sort=True).row(0)
    return f" (most broke {rule}: {count:,})"
