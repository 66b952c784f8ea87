"""UCI Online Retail, I and II, as CSV: one line per product of an invoice.

Layout: archive.ics.uci.edu/dataset/502. The value is quantity times price (pounds), the session is the invoice, and
an invoice that begins with C is a return. Times are the shop's local clock (London).
Never here: dropping lines without a customer; the contract's rules catch those.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from components.events.sources.common import TIME_OPTIONS, Layout, event_path, files_in, numbered, options_of
from components.events.sources.text import first_line, table
from components.params import Params

PATTERNS = ("*.csv", "*.csv.gz")
OPTIONS = (*TIME_OPTIONS, "encoding")
ACTIONS = ("purchase", "return")
TIME_KIND = "real"
#: Names of the first release → names of the second.
_FIRST = {"InvoiceNo": "Invoice", "UnitPrice": "Price", "CustomerID": "Customer ID"}
_MAPPING = {
    "user_id": "Customer ID",
    "item_id": "StockCode",
    "action": "action",
    "timestamp": "InvoiceDate",
    "session_id": "Invoice",
    "value": "value",
}


def files(params: Params, root: Path) -> list[Path]:
    """Every file of invoices, by name."""
    return files_in(event_path(params, root), PATTERNS)


def _chunks(path: Path, params: Params) -> Iterator[pl.DataFrame]:
    encoding = options_of(params, OPTIONS).get("encoding", "utf-8")
    for chunk in table(path, ",", encoding=encoding):
        yield chunk.rename({old: new for old, new in _FIRST.items() if old in chunk.columns})


def _priced(chunks: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """With value and action; a customer's number loses the `.0` that a spreadsheet gave it."""
    number = pl.col("Quantity").cast(pl.Float64, strict=False) * pl.col("Price").cast(pl.Float64, strict=False)
    for chunk in chunks:
        yield chunk.with_columns(
            number.alias("value"),
            pl.when(pl.col("Invoice").str.starts_with("C")).then(pl.lit("return")).otherwise(pl.lit("purchase")).alias("action"),
            pl.col("Customer ID").str.replace(r"\.0$", ""),
        )  # fmt: skip


def read(params: Params, root: Path, path: Path | None) -> Iterator[pl.DataFrame]:
    """Chunks of invoice lines."""
    file = path or event_path(params, root)
    american = "InvoiceNo" in first_line(file, "latin-1")  # the first release writes 12/1/2010 8:26
    layout = Layout(_MAPPING, time_zone="Europe/London", time_format="%m/%d/%Y %H:%M" if american else None)
    return numbered(_priced(_chunks(file, params)), params, layout)


def attribute_files(_params: Params, _root: Path) -> list[Path]:
    """None: the log describes products and customers."""
    return []


def items(params: Params, root: Path) -> pl.DataFrame | None:
    """Description and price of each product."""
    title = pl.col("Description").str.strip_chars()
    columns = [
        pl.col("StockCode").alias("item_id"),
        title.alias("title"),
        title.alias("text"),
        pl.col("Price").alias("price"),
    ]
    return pl.concat(chunk.select(columns) for path in files(params, root) for chunk in _chunks(path, params))


def users(params: Params, root: Path) -> pl.DataFrame | None:
    """The country of each customer."""
    user = pl.col("Customer ID").str.replace(r"\.0$", "")
    columns = [pl.when(user != "").then(user).alias("user_id"), pl.col("Country").alias("country")]
    return pl.concat(chunk.select(columns) for path in files(params, root) for chunk in _chunks(path, params))
