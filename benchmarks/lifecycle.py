"""CDNOW, the life cycle of customers: models of who comes again beside what anyone would try.

    OMP_NUM_THREADS=1 python -m benchmarks.lifecycle --path DATA/cdnow/CDNOW_sample.txt [--json OUT]

2,357 customers who first bought in the first twelve weeks of 1997, 78 weeks in all. Models are fitted to the 39 weeks
before 1997-10-01, as Fader, Hardie and Lee (2005) do, and judged on the 39 weeks after. Chances of churn are judged on
the last 13 weeks, calibrated on the 13 before them; states are told every four weeks and forecast from
the last moves: one, three, all.
Intervals draw customers anew.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.machine import machine
from components.evolution.lifecycle import lifecycle
from components.evolution.lifecycle.churn import Calibration, judge_churn
from components.evolution.lifecycle.customer_base import fit_customer_base, judge_customer_base
from components.evolution.lifecycle.measures import Verdict
from components.evolution.lifecycle.occasions import Occasions, occasions_of
from components.evolution.lifecycle.scorers import SCORERS
from components.evolution.significance import Estimate
from components.files import write_json
from components.params import LifecycleParams

_DAY_S, _WEEK = 86_400, 7
MOMENT = (dt.date(1997, 10, 1) - dt.date(1970, 1, 1)).days
HORIZON, CHURN_HORIZON = 39 * _WEEK, 13 * _WEEK
_CONFIDENCE, _SEED = 0.95, 0
_CHAIN_MOVES = (1, 3, 13)
_CALIBRATIONS: tuple[Calibration, ...] = ("platt", "isotonic")
Record = dict[str, Any]


def read(path: Path) -> pl.DataFrame:
    """The purchases of the sample file as events: master number, number, day, discs, dollars."""
    lines = pl.read_csv(path, has_header=False, new_columns=["line"])
    word = lines.select(words=pl.col("line").str.extract_all(r"\S+"))["words"].list
    return pl.DataFrame(
        {
            "user_id": word.get(1),
            "timestamp": word.get(2).str.to_datetime("%Y%m%d", time_unit="us", time_zone="UTC"),
            "value": word.get(4).cast(pl.Float64),
        }
    )


def fits(occasions: Occasions) -> list[Record]:
    """Parameters, errors and likelihood of each model, time in weeks; one row a model."""
    table = fit_customer_base(occasions, MOMENT, units=_WEEK).parameters(_CONFIDENCE)
    return [
        {
            "model": part["model"][0],
            "log_likelihood": part["log_likelihood"][0],
            "users": part["users"][0],
            "parameters": ", ".join(
                f"{row['parameter']} {row['value']:.3f} ± {row['standard_error']:.3f}" for row in part.to_dicts()
            ),
        }
        for part in table.partition_by("model", maintain_order=True)
    ]


def judged(verdicts: Sequence[Verdict]) -> list[Record]:
    """One row a method: each measure with its interval, and its difference to the simple method."""
    rows: dict[str, Record] = {}
    for one in verdicts:
        row = rows.setdefault(one.method, {"method": one.method})
        row[one.measure] = _estimate(one.estimate)
        row[f"{one.measure} difference"] = _estimate(one.difference)
    return list(rows.values())


def states(events: pl.DataFrame, draws: int) -> tuple[list[Record], list[Record]]:
    """How forecasts of states fared, by how many moves they were learned from, and what becomes of each state."""
    params = LifecycleParams(
        unit_s=_DAY_S,
        actions=None,
        every=4 * _WEEK,
        moments=14,
        limits=(0.8, 0.95, 0.99),
        fresh=4 * _WEEK,
        chain_moves=_CHAIN_MOVES[0],
        steps=(1, 3),
        origins=4,
        horizon=CHURN_HORIZON,
        model="pareto_nbd",
        churn="logistic",
        calibration="none",
        min_users=10,
        bootstrap=draws,
        confidence=_CONFIDENCE,
    )
    rows: dict[str, Record] = {}
    for moves in _CHAIN_MOVES:  # all are shown: none was chosen before it was judged
        found = lifecycle(events, params.model_copy(update={"chain_moves": moves}), _SEED)
        for line in found.backtest.to_dicts():
            name = f"markov of {moves} moves" if line["method"] == "markov" else line["method"]
            row = rows.setdefault(f"{name}, {line['steps']} ahead", {})
            row[line["metric"]] = {part: line[part] for part in ("value", "low", "high")}
    for note in found.notes:
        logging.info("%s", note)
    return [{"forecast": name, **row} for name, row in sorted(rows.items())], found.by_state.to_dicts()


def _estimate(one: Estimate) -> Record:
    return {"value": one.value, "low": one.low, "high": one.high}


def main() -> None:
    """Fit, judge, say, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    events = read(said.path)
    occasions = occasions_of(events, _DAY_S)
    draw = (said.draws, _CONFIDENCE, _SEED)
    base = judge_customer_base(occasions, MOMENT, HORIZON, *draw)
    churn = {
        calibration: judged(
            judge_churn(occasions, occasions.end - CHURN_HORIZON, CHURN_HORIZON, tuple(SCORERS), calibration, *draw)
        )
        for calibration in _CALIBRATIONS
    }
    forecasts, by_state = states(events, said.draws)
    record = {
        "machine": machine(),
        "users": occasions.n_users,
        "fits": fits(occasions),
        **{what: judged(verdicts) for what, verdicts in base.items()},
        "churn": churn,
        "states": forecasts,
        "by_state": by_state,
    }
    logging.info("%s", json.dumps(record, indent=1))
    if said.json:
        write_json(said.json, record)


if __name__ == "__main__":
    main()
