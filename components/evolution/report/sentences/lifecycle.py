"""The life cycle in sentences: states now and their change, moves, forecasts, churn."""

from __future__ import annotations

from typing import Any

import polars as pl

from components.evolution.lifecycle import Lifecycle
from components.evolution.report.sentences.sentence import Sentence, drawn
from components.evolution.report.words import count, estimate, share, signed_points
from components.features.time import DAY_S
from components.params import EvolveParams

Record = dict[str, Any]


def lifecycle_sentences(life: Lifecycle, params: EvolveParams) -> list[Sentence]:
    """States now and their change, moves, forecasts, churn."""
    asked = params.lifecycle
    found = [*_states(life.states), *_moves(life.transitions, asked.confidence)]
    chain = _row(life.backtest, method="markov", metric="accuracy")
    if chain is not None:
        found.append(
            Sentence(
                f"A chain of moves tells a user's next state in {estimate(chain, share)} of the cases, "
                + (
                    "as “as last time” does."
                    if chain["difference"] == 0
                    else f"{signed_points(chain['difference'])} points ({signed_points(chain['difference_low'])} to "
                    f"{signed_points(chain['difference_high'])}) against “as last time”."
                ),
                f"Markov chain, {chain['steps']} moment ahead, from up to {asked.origins} past moments; "
                f"{drawn(asked.bootstrap)}",
            )
        )
    raw = f"{asked.churn}, as said"
    names = (raw, asked.churn) if asked.calibration == "none" else (asked.churn, raw)
    churn = next((row for name in names if (row := _row(life.judged, what="churn", method=name, measure="auc"))), None)
    if churn is not None:
        span = _span(asked.horizon, asked.unit_s)
        found.append(
            Sentence(
                f"Whoever stays away for {span} is told from the others with an AUC of {estimate(churn)}; how long "
                f"someone has been away alone gives {_simple(churn)}, the difference is {_difference(churn)}.",
                f"{asked.churn.replace('_', ' ')} on the newest {span}, which it had not seen; "
                f"{drawn(asked.bootstrap)}",
            )
        )
    return found


def _states(states: pl.DataFrame) -> list[Sentence]:
    first = states.filter(pl.col("moment") == states["moment"].min())
    last = states.filter(pl.col("moment") == states["moment"].max())
    told = last.drop_nulls("share").sort("share", descending=True, maintain_order=True).to_dicts()
    if not told:
        return []
    listed = ", ".join(f"{share(row['share'])} {row['state']}" for row in told if row["users"])
    found = [
        Sentence(
            f"On {last['moment'][0]:%d %B %Y}, of those who are known, {listed}.",
            f"{count(int(last['users'].sum()))} users; each judged by the pauses that are usual for that user",
        )
    ]
    both = first.select("state", before="share").join(last.select("state", after="share"), on="state").drop_nulls()
    moved = both.with_columns(change=pl.col("after") - pl.col("before")).sort(pl.col("change").abs(), "state")
    if moved.height:
        row = moved.row(-1, named=True)
        found.append(
            Sentence(
                f"The largest change: “{row['state']}” went from {share(row['before'])} on "
                f"{first['moment'][0]:%d %B %Y} to {share(row['after'])}.",
                f"{count(int(first['users'].sum()))} and {count(int(last['users'].sum()))} users; counts, not a test",
            )
        )
    return found


def _moves(table: pl.DataFrame, confidence: float) -> list[Sentence]:
    texts = []
    for start, end, words in (
        ("lapsing", "churned", "is lost by the next moment"),
        ("churned", "returning", "comes back by the next moment"),
    ):
        row = _row(table, **{"from": start, "to": end})
        if row is not None and row["probability"] is not None:
            one = {"value": row["probability"], "low": row["low"], "high": row["high"]}
            of = int(table.filter(pl.col("from") == start)["moves"].sum())
            texts.append(
                Sentence(
                    f"Someone {start} {words} with probability {estimate(one, share)}.",
                    f"{count(row['moves'])} of about {count(of)} moves of users, interval of {share(confidence)}",
                )
            )
    return texts


def _span(units: int, unit_s: int) -> str:
    """A length of time in days, or in units where they are no days."""
    return f"{units * unit_s // DAY_S} days" if unit_s % DAY_S == 0 else f"{units} units of {unit_s} s"


def _simple(row: Record) -> str:
    """The simple method's figure: this one less the difference."""
    known = row["value"] is not None and row["difference"] is not None
    return estimate({"value": row["value"] - row["difference"] if known else None})


def _difference(row: Record) -> str:
    return estimate({key: row[f"difference{end}"] for key, end in (("value", ""), ("low", "_low"), ("high", "_high"))})


def _row(table: pl.DataFrame, **where: str) -> Record | None:
    """The first row with these values; None where there is none, or no table."""
    if not set(where) <= set(table.columns):
        return None
    found = table.filter(pl.all_horizontal(pl.col(name) == value for name, value in where.items()))
    return found.row(0, named=True) if found.height else None
