"""Streaming text files, gzip-aware: tables with a separator, and plain lines.

Everything is read as strings; what a number or a time is, the contract says. A line that does not have the right
number of fields is handed over as such, never dropped. Never here: the meaning of any column.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
from pyarrow import csv

from components.errors import ConfigError, DataError, SchemaError
from components.events.rules import MALFORMED
from components.events.sources.common import existing

_BLOCK = 32 << 20  # bytes of text per chunk
_LINE = "line"


@contextlib.contextmanager
def reading(path: Path, encoding: str) -> Iterator[None]:
    """Turn what pyarrow says about a broken file into one clear message."""
    try:
        yield
    except LookupError as error:
        raise ConfigError("the name of a text encoding", found=str(error), do="Mend `encoding`.") from error
    except UnicodeDecodeError as error:
        raise _encoding_error(path, encoding, str(error)) from error
    except (pa.ArrowInvalid, OSError, EOFError) as error:
        reason = str(error).splitlines()[0]
        if "UTF8" in reason or "UTF-8" in reason:
            raise _encoding_error(path, encoding, reason) from error
        if "compress" in reason or "zlib" in reason or "gzip" in reason:
            raise DataError(
                f"a whole gzip file at {path}", found=reason, do="Bring the file again: it is truncated or damaged."
            ) from error
        if "Empty" in reason:
            raise DataError(f"rows in {path}", found="an empty file", do="Bring the whole file.") from error
        raise DataError(
            f"a table that can be read at {path}",
            found=reason,
            do="Check `separator`, `quote` and `header` at `events.source.options`.",
        ) from error


def _encoding_error(path: Path, encoding: str, reason: str) -> SchemaError:
    return SchemaError(
        f"{encoding} text in {path}",
        found=reason,
        do="Set `events.source.options.encoding`, for example to latin-1.",
    )


def table(
    path: Path,
    separator: str,
    names: Sequence[str] | None = None,
    quote: str | None = '"',
    encoding: str = "utf-8",
) -> Iterator[pl.DataFrame]:
    """Chunks of a table of text.

    Parameters
    ----------
    path : Path
        Plain or gzip.
    separator : str
        One character.
    names : sequence of str, optional
        Columns of a file without a header line.
    quote : str, optional
        Character around fields that hold separators or line ends; None: fields are never quoted.
    encoding : str
        As Python names it.

    Yields
    ------
    pl.DataFrame
        (n, columns) strings, empty fields as "" and the column MALFORMED where lines did not fit.

    Raises
    ------
    DataError, SchemaError
        Missing, empty or truncated file; another encoding.
    """
    existing(path)
    malformed: list[str] = []

    def keep(row: csv.InvalidRow) -> str:
        malformed.append(row.text)
        return "skip"

    with reading(path, encoding), pa.input_stream(str(path), compression="gzip" if _gzipped(path) else None) as stream:
        reader = csv.open_csv(
            stream,
            read_options=csv.ReadOptions(block_size=_BLOCK, column_names=names, encoding=encoding),
            parse_options=csv.ParseOptions(
                delimiter=separator,
                quote_char=quote or False,
                newlines_in_values=quote is not None,
                invalid_row_handler=keep,
            ),
            convert_options=csv.ConvertOptions(column_types=_strings(path, separator, names, quote, encoding)),
        )
        for batch in reader:
            chunk = pl.DataFrame(pa.Table.from_batches([batch]))
            yield _with_malformed(chunk, malformed)
            malformed.clear()
        if malformed:
            yield _with_malformed(pl.DataFrame(schema=chunk.schema), malformed)


def _with_malformed(chunk: pl.DataFrame, malformed: list[str]) -> pl.DataFrame:
    return pl.concat([chunk, pl.DataFrame({MALFORMED: malformed})], how="diagonal") if malformed else chunk


def _gzipped(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def header(path: Path, separator: str, quote: str | None = '"', encoding: str = "utf-8") -> list[str]:
    """The fields of the first line."""
    first = first_line(path, encoding)
    options = csv.ParseOptions(delimiter=separator, quote_char=quote or False)
    with reading(path, encoding):
        return list(csv.read_csv(pa.BufferReader(f"{first}\n".encode()), parse_options=options).column_names)


def _strings(
    path: Path, separator: str, names: Sequence[str] | None, quote: str | None, encoding: str
) -> dict[str, pa.DataType]:
    found = names or header(path, separator, quote, encoding)
    twice = sorted({name for name in found if list(found).count(name) > 1})
    if twice:
        raise SchemaError(
            f"one column of each name in {path}", found=f"{', '.join(twice)} more than once", do="Rename the columns."
        )
    return dict.fromkeys(found, pa.string())


def first_line(path: Path, encoding: str = "utf-8") -> str:
    """The first line, without its end and without a byte order mark."""
    existing(path)
    with reading(path, encoding), pa.input_stream(str(path), compression="gzip" if _gzipped(path) else None) as stream:
        start = bytes(stream.read(1 << 16)).split(b"\n", 1)[0]
        return start.decode(encoding).rstrip("\r").removeprefix("\ufeff")


def lines(path: Path, encoding: str = "utf-8") -> Iterator[pl.Series]:
    """Chunks of a file's lines that are not blank, as a string series."""
    for chunk in table(path, "\x01", [_LINE], quote=None, encoding=encoding):
        yield chunk[_LINE]


def split_lines(path: Path, separator: str, names: Sequence[str], encoding: str = "utf-8") -> Iterator[pl.DataFrame]:
    """Chunks of a file whose separator has several characters, such as `::`."""
    for chunk in lines(path, encoding):
        fields = chunk.str.split(separator)
        fits = fields.list.len() == len(names)
        columns = [fields.list.get(place, null_on_oob=True).alias(name) for place, name in enumerate(names)]
        frame = pl.DataFrame(columns)
        if not fits.all():
            broken = pl.when(~fits).then(chunk)
            frame = pl.DataFrame([column.set(~fits, None) for column in columns])
            frame = frame.with_columns(pl.select(broken.alias(MALFORMED)).to_series())
        yield frame
