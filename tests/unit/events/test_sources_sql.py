"""Databases: streamed from SQLite and from a real PostgreSQL server that this module starts."""

from __future__ import annotations

import datetime as dt
import decimal
import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from components.errors import ConfigError, SchemaError, ServiceError
from components.events.ingest import ingest, is_up_to_date
from components.events.load import load_frame
from tests.eventlog import NOW, log_params

MAPPING = {"user_id": "customer", "item_id": "sku", "action": "kind", "timestamp": "at", "value": "amount"}


def fill(engine: sa.Engine, rows: int) -> None:
    table = sa.Table(
        "clicks", sa.MetaData(),
        sa.Column("customer", sa.Uuid), sa.Column("sku", sa.Integer), sa.Column("kind", sa.String(20)),
        sa.Column("at", sa.DateTime(timezone=True)), sa.Column("amount", sa.Numeric(10, 2)),
    )  # fmt: skip
    table.metadata.create_all(engine)
    start = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    with engine.begin() as connection:
        connection.execute(
            table.insert(),
            [
                {"customer": uuid.UUID(int=k % 7), "sku": k % 5, "kind": "view",
                 "at": start + dt.timedelta(minutes=k), "amount": decimal.Decimal(k) / 4 if k % 3 else None}
                for k in range(rows)
            ],
        )  # fmt: skip


def check(url: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole table in small fetches, a query, then only what is new."""
    monkeypatch.setattr("components.events.sources.sql._FETCH_ROWS", 64)
    params = log_params({"format": "sql", "path": url, "mapping": MAPPING, "options": {"table": "clicks"}})
    found = load_frame(params, root=root, now=NOW)
    assert (found.rows_in, found.events.height) == (500, 500)
    assert found.events["user_id"].n_unique() == 7
    assert found.events["timestamp"][1] == dt.datetime(2025, 1, 1, 0, 1, tzinfo=dt.UTC)
    assert found.events["value"].to_list()[:5] == [None, 0.25, 0.5, None, 1.0]
    query = {"query": "SELECT * FROM clicks WHERE sku = 1", "item_query": "SELECT DISTINCT sku AS item_id FROM clicks"}
    some = load_frame(
        log_params({"format": "sql", "path": url, "mapping": MAPPING, "options": query}), root=root, now=NOW
    )
    assert (some.events.height, some.items.height) == (100, 5)
    assert ingest(root, params, now=NOW).kept == 500
    assert not is_up_to_date(root, params), "a database must be asked"
    assert ingest(root, params, now=NOW).duplicates == 500


def test_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(sa.create_engine(f"sqlite:///{tmp_path}/shop.db"), 500)
    check("sqlite:///shop.db", tmp_path, monkeypatch)


def test_wrong_tables_queries_and_urls_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(sa.create_engine(f"sqlite:///{tmp_path}/shop.db"), 3)

    def load(path: str, **options: str) -> Any:
        source = {"format": "sql", "path": path, "mapping": MAPPING, "options": options}
        return load_frame(log_params(source), root=tmp_path, now=NOW)

    with pytest.raises(SchemaError, match="klicks"):
        load("sqlite:///shop.db", table="klicks")
    with pytest.raises(SchemaError, match="no such column"):
        load("sqlite:///shop.db", query="SELECT colour FROM clicks")
    with pytest.raises(SchemaError, match="syntax error"):
        load("sqlite:///shop.db", query="SELEKT * FROM clicks")
    with pytest.raises(SchemaError, match="customer"):
        load("sqlite:///shop.db", query="SELECT sku FROM clicks")
    with pytest.raises(ConfigError, match="either"):
        load("sqlite:///shop.db")
    with pytest.raises(ConfigError, match="SQLAlchemy URL"):
        load("shop.db", table="clicks")
    with pytest.raises(ConfigError, match="SHOP_PASSWORD"):
        load("postgresql+psycopg://me:${SHOP_PASSWORD}@localhost/shop", table="clicks")


def test_a_password_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"postgresql+psycopg://me:${{SHOP_PASSWORD}}@127.0.0.1:{port}/shop"
    params = log_params({"format": "sql", "path": url, "mapping": MAPPING, "options": {"table": "clicks"}})
    with pytest.raises(ServiceError, match=r"me:\*\*\*@127") as raised:
        load_frame(params, root=tmp_path, now=NOW)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


def _programs() -> Path | None:
    """Folder of initdb and pg_ctl."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb")
    return debian[-1].parent if debian else Path(found).parent if found else None


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server of this module's own; initdb refuses root, so it runs as the user postgres."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    pytest.importorskip("psycopg")
    folder = Path(f"/tmp/chronotope-postgres-{os.getpid()}")
    data = folder / "data"
    folder.mkdir(mode=0o755)
    as_user: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    secret = folder / "secret"
    secret.write_text("hunter2")
    secret.chmod(0o644)

    def run(*command: str) -> None:
        subprocess.run([*as_user, *command], check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=120)

    control = [str(programs / "pg_ctl"), "-D", str(data), "-w"]
    try:
        run(
            str(programs / "initdb"), "-D", str(data), "-U", "reader", f"--pwfile={secret}", "-A", "scram-sha-256", "-N"
        )
        run(*control, "-l", str(folder / "log"), "-o", f"-p {port} -k {folder} -c listen_addresses=127.0.0.1", "start")
        try:
            yield f"postgresql+psycopg://reader:${{SHOP_PASSWORD}}@127.0.0.1:{port}/postgres"
        finally:
            run(*control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.mark.postgres
def test_postgresql(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    engine = sa.create_engine(postgres.replace("${SHOP_PASSWORD}", "hunter2"))
    fill(engine, 500)
    used: list[bool] = []
    real = sa.engine.Connection.execute

    def watched(connection: sa.engine.Connection, *arguments: Any, **options: Any) -> Any:
        result = real(connection, *arguments, **options)
        if result.returns_rows and result.context.execution_options.get("yield_per"):
            used.append(bool(result.context._is_server_side))
        return result

    monkeypatch.setattr(sa.engine.Connection, "execute", watched)
    check(postgres, tmp_path, monkeypatch)
    assert used, "no streamed statement was seen"
    assert all(used), "the rows did not come through a server-side cursor"
    with engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO clicks SELECT customer, 99, kind, at, amount FROM clicks WHERE sku = 1")
        )
    params = log_params({"format": "sql", "path": postgres, "mapping": MAPPING, "options": {"table": "clicks"}})
    report = ingest(tmp_path, params, now=NOW)
    assert (report.kept, report.duplicates) == (100, 500)
    with pytest.raises(SchemaError, match="absent"):
        load_frame(log_params({"format": "sql", "path": postgres, "options": {"table": "absent"}}), now=NOW)
    secret_column = params.events.source.model_copy(update={"options": {"query": "SELECT hunter2 FROM clicks"}})
    events = params.events.model_copy(update={"source": secret_column})
    with pytest.raises(SchemaError, match=r'column "\*\*\*" does not exist'):
        load_frame(params.model_copy(update={"events": events}), now=NOW)
    monkeypatch.setenv("SHOP_PASSWORD", "wrong-word")
    with pytest.raises(ServiceError, match="password authentication failed") as raised:
        load_frame(params, now=NOW)
    assert "wrong-word" not in str(raised.value)
    assert isinstance(pl.read_parquet(tmp_path / "data/catalogue/items.parquet"), pl.DataFrame)
