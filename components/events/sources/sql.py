"""Any SQL database that SQLAlchemy reaches, streamed: `path` is its URL, secrets as ${NAME} from the environment.

Options: `table` (schema.table) or `query`, `item_query`, `user_query`, and those of time. Rows are fetched through a
server-side cursor where the database has one. Never here: writing, or showing a password.
"""

from __future__ import annotations

import contextlib
import decimal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from components.errors import ChronotopeError, ConfigError, SchemaError, ServiceError
from components.events.sources.attributes import attribute_files, attributes
from components.events.sources.common import TIME_OPTIONS, Layout, expanded, numbered, options_of
from components.params import Params

if TYPE_CHECKING:  # importing it costs half a second, and few logs are databases
    import sqlalchemy as sa

__all__ = ["ACTIONS", "OPTIONS", "TIME_KIND", "attribute_files", "files", "items", "read", "users"]
OPTIONS = (*TIME_OPTIONS, "table", "query", "item_query", "user_query")
ACTIONS: tuple[str, ...] = ()
TIME_KIND = "real"
_FETCH_ROWS = 50_000


def files(_params: Params, _root: Path) -> list[Path]:
    """None: what a database holds is known by asking it."""
    return []


def _engine(params: Params, root: Path) -> sa.Engine:
    import sqlalchemy as sa

    text = expanded(params.events.source.path or "")
    try:
        url = sa.make_url(text)
        if url.get_backend_name() == "sqlite" and url.database:
            url = url.set(database=str(root / url.database))
        return sa.create_engine(url, poolclass=sa.NullPool)
    except (sa.exc.ArgumentError, ModuleNotFoundError) as error:
        raise ConfigError(
            "an SQLAlchemy URL of a database whose driver is installed at `events.source.path`",
            found=f"{type(error).__name__} ({params.events.source.path})",
            do="Write it as dialect+driver://user:${PASSWORD}@host/database; `pip install chronotope[postgres]`.",
        ) from None


@contextlib.contextmanager
def _asking(engine: sa.Engine) -> Iterator[None]:
    """Turn the database's refusal into one message; the URL is shown without its password."""
    import sqlalchemy as sa

    shown = engine.url.render_as_string(hide_password=True)
    try:
        yield
    except ChronotopeError:
        raise
    except (sa.exc.DBAPIError, sa.exc.NoSuchTableError) as error:
        statement = not isinstance(error, sa.exc.DBAPIError) or (error.statement and not error.connection_invalidated)
        if statement:
            raise SchemaError(
                f"the table or query of `events.source.options` in {shown}",
                found=_reason(error, engine),
                do="Mend `table` or `query`.",
            ) from None
        raise ServiceError(
            f"the database {shown}", found=_reason(error, engine), do="Start it, or mend `events.source.path`."
        ) from None


def _reason(error: Exception, engine: sa.Engine) -> str:
    """The first line of what the driver said, without the password."""
    text = (str(getattr(error, "orig", None) or error).splitlines() or [type(error).__name__])[0]
    secret = engine.url.password
    return text.replace(secret, "***") if secret else text


def _statement(engine: sa.Engine, options: Any) -> sa.Executable:
    import sqlalchemy as sa

    table, query = options.get("table"), options.get("query")
    if (table is None) == (query is None):
        raise ConfigError(
            "either `table` or `query` at `events.source.options`", found="both or neither", do="Mend params.yaml."
        )
    if query is not None:
        return sa.text(query)
    schema, _, name = str(table).rpartition(".")
    return sa.select(sa.Table(name, sa.MetaData(), schema=schema or None, autoload_with=engine))


def _chunks(engine: sa.Engine, options: Any) -> Iterator[pl.DataFrame]:
    """Chunks of the answer, in the types of the database; an empty answer is one empty chunk."""
    with _asking(engine), engine.connect() as connection:
        streaming = connection.execution_options(stream_results=True, yield_per=_FETCH_ROWS)
        result = streaming.execute(_statement(engine, options))
        names = list(result.keys())
        empty = True
        for rows in result.partitions():
            empty = False
            yield _frame(names, rows)
        if empty:
            yield pl.DataFrame(schema=dict.fromkeys(names, pl.String))


def _frame(names: list[str], rows: Any) -> pl.DataFrame:
    columns = {}
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        first = next((value for value in values if value is not None), None)
        if isinstance(first, decimal.Decimal):
            columns[name] = pl.Series(name, [None if value is None else float(value) for value in values])
        elif first is None or isinstance(first, bool | int | float | str) or hasattr(first, "isoformat"):
            columns[name] = pl.Series(name, values, strict=False)
        else:  # a UUID, for one
            columns[name] = pl.Series(name, [None if value is None else str(value) for value in values])
    return pl.DataFrame(columns)


def read(params: Params, root: Path, _path: Path | None) -> Iterator[pl.DataFrame]:
    """Chunks of the table or query, under the contract's names."""
    options = options_of(params, OPTIONS)
    return numbered(_chunks(_engine(params, root), options), params, Layout())


def _asked(params: Params, root: Path, query: str | None) -> pl.DataFrame | None:
    if query is None:
        return None
    return pl.concat(_chunks(_engine(params, root), {"query": query}), how="diagonal_relaxed")


def items(params: Params, root: Path) -> pl.DataFrame | None:
    """Item attributes by `item_query`, else from the catalogue file."""
    options = options_of(params, OPTIONS)
    found = _asked(params, root, options.get("item_query"))
    return attributes(params, root, "item", [], None) if found is None else found


def users(params: Params, root: Path) -> pl.DataFrame | None:
    """User attributes by `user_query`, else from the users file."""
    options = options_of(params, OPTIONS)
    found = _asked(params, root, options.get("user_query"))
    return attributes(params, root, "user", [], None) if found is None else found
