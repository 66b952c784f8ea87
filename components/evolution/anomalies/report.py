"""What the log says of users who behave as nobody does, as one JSON record: how many, and by what they stand out.

Single users are named only where `evolve.anomalies.named` asks for it. Streams that leave what is usual are days of
`trends`. Never here: a verdict; what is strange need not be wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import DataError, SchemaError
from components.evolution.anomalies.behaviour import FIGURES, Behaviour, behaviour
from components.evolution.anomalies.detectors import any_chance, ecod, forest, strange, tails, turned
from components.evolution.anomalies.peers import deviations
from components.evolution.log import Log
from components.evolution.record import plain
from components.params import AnomalyParams

Record = dict[str, Any]
Floats = NDArray[np.float64]
_LEAST_USERS = 50  # fewer are no crowd that anybody could stand out of
_LEAST_TENTH = 0.1


def anomaly_report(log: Log, params: AnomalyParams, likelihood: Floats | None, seed: int) -> Record:
    """Every figure of this room for one log.

    Parameters
    ----------
    log : Log
    params : AnomalyParams
    likelihood : `likelihoods`, or None
    seed : of the forest

    Raises
    ------
    DataError
        Too few users have enough events.
    """
    found = behaviour(log, params.least_events, params.resolution, likelihood)
    if len(found.user) < _LEAST_USERS or not found.names:
        raise DataError(
            f"{_LEAST_USERS} users of {params.least_events} events or more",
            found=f"{len(found.user)}",
            do="Ingest more days, or lower `evolve.anomalies.least_events`.",
        )
    far = deviations(found.values, found.events, found.least_spread)
    p = any_chance([ecod(far), forest(far, seed), tails(far)])
    flags = strange(p, params.level)
    foremost = np.abs(far).argmax(1)
    side = np.take_along_axis(far, foremost[:, None], 1)[:, 0] > 0
    answer = {
        "users": len(found.user),
        "strange": int(flags.sum()),
        "events": int(found.events[flags].sum()),
        "share": float(found.events[flags].sum() / max(log.n_events, 1)),
        "reasons": [
            {"figure": name, "meaning": FIGURES[name], "side": word, "users": int(count)}
            for place, name in enumerate(found.names)
            for word, there in (("high", side), ("low", ~side))
            if (count := (flags & (foremost == place) & there).sum())
        ],
        "figures": _figures(found),
        "named": _named(log, found, far, p, flags) if params.named else [],
    }
    return dict(plain(answer))


def _figures(found: Behaviour) -> list[Record]:
    """Quantiles of every figure over the users that have it."""
    told, users = np.nanquantile(found.values, [0.1, 0.5, 0.9], axis=0), (~np.isnan(found.values)).sum(0)
    return [
        {"figure": name, "meaning": FIGURES[name], "users": int(users[place]),
         "p10": told[0, place], "p50": told[1, place], "p90": told[2, place]}
        for place, name in enumerate(found.names)
    ]  # fmt: skip


def _named(log: Log, found: Behaviour, far: Floats, p: Floats, flags: NDArray[np.bool_]) -> list[Record]:
    change = turned(far, found.names)
    order = np.argsort(p, kind="stable")
    foremost = np.abs(far).argmax(1)
    return [
        {"user_id": str(log.users[found.user[one]]), "p": float(p[one]), "events": int(found.events[one]),
         "figure": found.names[foremost[one]], "deviation": float(far[one, foremost[one]]),
         "turned": float(change[one])}
        for one in order
        if flags[one]
    ]  # fmt: skip


def likelihoods(table: pl.DataFrame, log: Log) -> Floats:
    """(U, 2) mean of each user's log-likelihoods, and of the least likely tenth of them; NaN where none is told.

    Parameters
    ----------
    table : user_id and log_likelihood (nats), a row for each event that some model was asked about

    Raises
    ------
    SchemaError
        A column is missing.
    """
    missing = {"user_id", "log_likelihood"} - set(table.columns)
    if missing:
        found = f"none named {', '.join(sorted(missing))}"
        raise SchemaError("columns user_id and log_likelihood", found=found, do="Correct the file.")
    value = pl.col("log_likelihood").cast(pl.Float64)
    least = value.sort().head((pl.len() * _LEAST_TENTH).ceil().cast(pl.Int64)).mean().alias("least")
    told = table.drop_nulls(["user_id", "log_likelihood"]).group_by("user_id").agg(value.mean().alias("mean"), least)
    users = pl.DataFrame({"user_id": [str(one) for one in log.users]})
    joined = users.join(told, on="user_id", how="left", maintain_order="left")
    return joined.select("mean", "least").cast(pl.Float64).fill_null(np.nan).to_numpy()
