"""Raw positions from a file or a folder of day files, sorted and sound.

Never here: what they mean (`report`), or whose must be left out (callers do that).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import DataError, SchemaError
from components.events.times import from_text

Floats = NDArray[np.float64]
_NEEDED = ("user_id", "timestamp", "latitude", "longitude")


@dataclass(frozen=True)
class Positions:
    """N positions of U users, by user and time.

    Attributes
    ----------
    users : (U,) ids, sorted
    user : (N,) row of each position's user
    time_s : (N,) UTC seconds since 1970
    latitude, longitude : (N,) degrees
    dropped : rows without a user, a time or a place on earth, or that were there twice
    """

    users: NDArray[np.object_]
    user: NDArray[np.int64]
    time_s: NDArray[np.int64]
    latitude: Floats
    longitude: Floats
    dropped: int


def read_positions(path: Path) -> pl.DataFrame:
    """The rows of a CSV or Parquet file, or of all such files below a folder: user_id, timestamp, latitude, longitude.

    Returns
    -------
    pl.DataFrame
        (n, 4), and `offset` where the files have it; times in UTC, null where they cannot be read.

    Raises
    ------
    DataError
        There is no such file.
    SchemaError
        A column is missing.
    """
    files = [path] if path.is_file() else sorted(one for kind in ("*.csv", "*.parquet") for one in path.rglob(kind))
    if not files:
        raise DataError("positions where evolve.traces.path says", found=f"none at {path.name}", do="Correct the path.")
    parts = [_read(one) for one in files if not one.name.startswith(".")]
    return pl.concat(parts, how="diagonal")


def _read(path: Path) -> pl.DataFrame:
    frame = (
        pl.read_csv(path, schema_overrides={"user_id": pl.String}, infer_schema_length=1000)
        if path.suffix == ".csv"
        else pl.read_parquet(path, glob=False)
    )
    missing = [name for name in _NEEDED if name not in frame.columns]
    if missing:
        raise SchemaError(
            f"columns {', '.join(_NEEDED)} in {path.name}",
            found=f"none named {', '.join(missing)}",
            do="Name the columns so.",
        )
    frame = frame.select(*_NEEDED, *(["offset"] if "offset" in frame.columns else []))
    time = frame["timestamp"]
    if time.dtype == pl.String:
        time = from_text(time)
    elif time.dtype.is_numeric():  # seconds since 1970
        time = pl.Series("timestamp", (time.cast(pl.Float64) * 1e6).round().cast(pl.Int64, strict=False))
    zoned = isinstance(time.dtype, pl.Datetime) and time.dtype.time_zone is not None
    moment = time.dt.convert_time_zone("UTC") if zoned else time.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return frame.with_columns(
        pl.col("user_id").cast(pl.String),
        moment.cast(pl.Datetime("us", "UTC")).alias("timestamp"),
        pl.col("latitude", "longitude").cast(pl.Float64, strict=False),
    )


def positions_of(rows: pl.DataFrame) -> Positions:
    """Sorted positions of rows; what is not sound is dropped and counted.

    Parameters
    ----------
    rows : of `read_positions`
    """
    sound = rows.filter(
        pl.col("user_id").is_not_null()
        & pl.col("timestamp").is_not_null()
        & pl.col("latitude").is_between(-90, 90)
        & pl.col("longitude").is_between(-180, 180)
    )
    kept = sound.unique(["user_id", "timestamp"], keep="first", maintain_order=True).sort("user_id", "timestamp")
    names = kept["user_id"].unique().sort()
    user = kept["user_id"].cast(pl.Enum(names)).to_physical().cast(pl.Int64).to_numpy()
    return Positions(
        users=np.array(names.to_list(), dtype=object),
        user=user,
        time_s=kept["timestamp"].dt.epoch("s").to_numpy().astype(np.int64),
        latitude=kept["latitude"].to_numpy(),
        longitude=kept["longitude"].to_numpy(),
        dropped=rows.height - kept.height,
    )
