"""What every source adapter needs: paths, options, and columns by their name in the contract.

Never here: the layout of any one format.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from components.errors import ConfigError, DataError, SchemaError
from components.events.contract import REQUIRED, SCHEMA
from components.events.rules import MALFORMED
from components.events.times import Positions, read_times
from components.params import Params


@dataclass(frozen=True)
class Layout:
    """What a format knows about its columns, where the user's mapping, constants and options say nothing.

    Attributes
    ----------
    mapping : contract column → column of the source
    constants : contract column → one value for every row
    time_unit, time_format : how its times are written
    time_zone : of its times, where they name none
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    time_unit: str | None = None
    time_format: str | None = None
    time_zone: str = "UTC"


#: Options that every format takes, beside its own.
TIME_OPTIONS = ("time_unit", "time_zone", "time_format")


def expanded(text: str) -> str:
    """`text` with each ${NAME} taken from the environment; a secret's value never appears in a message.

    Raises
    ------
    ConfigError
        A variable is not set.
    """

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            raise ConfigError(
                f"the environment variable {match[1]}, which `events.source` names",
                found="it is not set",
                do=f"Set it, for example `export {match[1]}=…`.",
            )
        return found

    return re.sub(r"\$\{(\w+)\}", value, text)


def located(text: str, root: Path) -> Path:
    """The path that params name, relative to the workspace."""
    return root / Path(expanded(text)).expanduser()


def event_path(params: Params, root: Path) -> Path:
    """The file or folder of events.

    Raises
    ------
    ConfigError
        `events.source.path` is null.
    """
    if params.events.source.path is None:
        raise ConfigError(
            "a path at `events.source.path`",
            found=f"null, for the format {params.events.source.format}",
            do="Name the file or folder of the log in params.yaml.",
        )
    return located(params.events.source.path, root)


def existing(path: Path) -> Path:
    """`path`, when a file with something in it is there.

    Raises
    ------
    DataError
        Nothing is there, or it is empty.
    """
    if not path.is_file():
        near = difflib.get_close_matches(path.name, _names(path.parent), n=1)
        raise DataError(
            f"the file {path}",
            found=f"nothing there{f', but {near[0]} beside it' if near else ''}",
            do="Correct the path in `events.source`, or put the file there.",
        )
    if path.stat().st_size == 0:
        raise DataError(f"rows in {path}", found="an empty file", do="Bring the whole file.")
    return path


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def files_in(path: Path, patterns: Sequence[str]) -> list[Path]:
    """The file itself, or a folder's files that match a pattern, by name.

    Raises
    ------
    DataError
        Nothing is there, or nothing matches.
    """
    if not path.is_dir():
        return [existing(path)]
    found = sorted({file for pattern in patterns for file in path.glob(pattern) if file.is_file()})
    if not found:
        raise DataError(
            f"files named {' or '.join(patterns)} in {path}",
            found=", ".join(_names(path)[:8]) or "an empty folder",
            do="Name the file itself at `events.source.path`, or choose another `events.source.format`.",
        )
    return [existing(file) for file in found]


def options_of(params: Params, allowed: Collection[str]) -> Mapping[str, Any]:
    """The options of the source, every key of them known to the format.

    Raises
    ------
    ConfigError
        A key is not among `allowed`.
    """
    options = params.events.source.options
    for key in options:
        if key not in allowed:
            near = difflib.get_close_matches(key, list(allowed), n=1)
            raise ConfigError(
                f"options of the format {params.events.source.format} ({', '.join(sorted(allowed)) or 'none'})",
                found=f"`{key}` at `events.source.options`{f'; perhaps {near[0]} was meant' if near else ''}",
                do="Mend params.yaml.",
            )
    return options


def mapping_of(params: Params, found: Sequence[str], layout: Layout) -> dict[str, str]:
    """Contract column → column of the source: the user's mapping, else the format's, else the same name.

    Raises
    ------
    ConfigError
        The mapping names a column that the contract lacks.
    SchemaError
        A mapped column is not among `found`, or a required one comes from nowhere.
    """
    source = params.events.source
    for name in [*source.mapping, *source.constants]:
        if name not in SCHEMA or name == "event_key":
            raise ConfigError(
                f"columns of the event contract ({', '.join(SCHEMA)})",
                found=f"`{name}` at `events.source.mapping` or `constants`",
                do="Mend params.yaml: the contract's column stands left, the source's right.",
            )
    own = {name: name for name in SCHEMA if name in found and name != "event_key"}
    wanted = {**own, **layout.mapping, **source.mapping}
    wanted = {name: column for name, column in wanted.items() if name not in source.constants}
    missing = {name: column for name, column in source.mapping.items() if column not in found}
    optional = {*source.constants, *layout.constants}
    if params.events.item_free_actions:
        optional.add("item_id")
    if params.events.time_kind == "ordinal":
        optional.add("timestamp")
    for name in REQUIRED:
        if name not in optional and wanted.get(name) not in found:
            missing[name] = wanted.get(name, name)
    if missing:
        raise SchemaError(
            f"the columns {', '.join(f'`{column}` (as {name})' for name, column in missing.items())}",
            found=f"the columns {', '.join(found)}{_guesses(missing.values(), found)}",
            do="Set `events.source.mapping` (contract column: column of the file), or give a constant.",
        )
    return {name: column for name, column in wanted.items() if column in found}


def _guesses(missing: Iterable[str], found: Sequence[str]) -> str:
    """`; perhaps userId is user_id`, for the nearest names."""
    plain = {re.sub(r"[^a-z0-9]", "", column.lower()): column for column in found}
    guesses = []
    for name in missing:
        near = difflib.get_close_matches(re.sub(r"[^a-z0-9]", "", name.lower()), list(plain), n=1, cutoff=0.6)
        if near:
            guesses.append(f"{plain[near[0]]} is {name}")
    return f"; perhaps {', '.join(guesses)}" if guesses else ""


def contract_columns(chunk: pl.DataFrame, params: Params, layout: Layout, first_row: int) -> pl.DataFrame:
    """A chunk of a source under the contract's names, its times read, its constants added.

    Parameters
    ----------
    chunk : pl.DataFrame
        (n, …) columns of the source.
    params : Params
        Mapping, constants, order and time options.
    layout : Layout
        What the format itself knows.
    first_row : int
        Number of rows of the file before this chunk: `order: file` numbers rows through it.

    Returns
    -------
    pl.DataFrame
        (n, …) contract columns.
    """
    source = params.events.source
    found = [column for column in chunk.columns if column != MALFORMED]
    mapping = mapping_of(params, found, layout)
    columns = [pl.col(column).alias(name) for name, column in mapping.items()]
    if MALFORMED in chunk.columns:
        columns.append(pl.col(MALFORMED))
    constants = {name: value for name, value in layout.constants.items() if name not in mapping} | source.constants
    frame = chunk.select(columns).with_columns(pl.lit(value).alias(name) for name, value in constants.items())
    if source.order == "file" and "source_seq" not in frame.columns:
        frame = frame.with_columns(pl.int_range(first_row, first_row + pl.len(), dtype=pl.Int64).alias("source_seq"))
    if "timestamp" in frame.columns:
        frame = read_times(
            frame,
            unit=source.options.get("time_unit", layout.time_unit),
            zone=source.options.get("time_zone", layout.time_zone),
            pattern=source.options.get("time_format", layout.time_format),
        )
    return frame


def numbered(chunks: Iterable[pl.DataFrame], params: Params, layout: Layout) -> Iterator[pl.DataFrame]:
    """`contract_columns` of each chunk of one file; where the log has only an order, its times are positions."""
    rows = 0
    positions = Positions(params.events.earliest)
    for chunk in chunks:
        frame = contract_columns(chunk, params, layout, rows)
        if "timestamp" not in frame.columns:
            frame = positions.add(frame)
        yield frame
        rows += chunk.height
