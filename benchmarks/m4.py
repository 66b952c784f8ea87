"""Forecasts of the M4 hourly and weekly series: every family of methods, a global LSTM and their ensemble.

    OMP_NUM_THREADS=1 python -m benchmarks.m4 DIR [--frequencies hourly weekly] [--every 1] [--json OUT]

DIR holds `Hourly-train.csv.gz` and so on (github.com/Mcompetitions/M4-methods). Everything is chosen on the end of the
training part: the oldest of four origins selects a shortlist of the candidates below, three later ones choose how it
is combined and calibrate the intervals, and the LSTM that stands there has seen nothing after the oldest. Then each
method, the LSTM trained again, is asked once for the official test. MASE is M4's: over the mean change inside the
training series, of 24 hours hourly and of one week weekly. `official` are rows of the competition's "Evaluation and
Ranks.xlsx". `--every 8` takes every eighth series, to try.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import machine
from components.evolution.trends.accuracy import scale_of
from components.evolution.trends.lstm import LstmConfig
from components.evolution.trends.lstm_fit import as_method, fit_lstm
from components.evolution.trends.methods import Method, forecast, method_of
from components.evolution.trends.outlook import BASELINE, ENSEMBLE, Plan, outlook
from components.evolution.trends.panel import Floats, panel_of
from components.evolution.trends.scorecard import Scores, score
from components.files import write_json

Record = dict[str, Any]
SEED = 0
LSTM = "lstm"
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_NETWORK: Record = {
    "hidden": 64,
    "layers": 1,
    "dropout": 0.1,
    "batch": 256,
    "rate": 2e-3,
    "decay": 1e-2,
    "levels": LEVELS,
    "recent": None,
}


@dataclass(frozen=True)
class Frequency:
    """One part of M4.

    Attributes
    ----------
    seasons : of its panels, the first that of MASE
    plan : of choosing and judging
    candidates : what the shortlist is chosen from, besides the LSTM
    shown : further methods that are asked for the test alone, to stand in the table
    lstm : its network
    official : method → MASE, sMAPE of the competition's file
    """

    file: str
    seasons: tuple[int, ...]
    plan: Plan
    candidates: tuple[str, ...]
    shown: tuple[str, ...]
    lstm: LstmConfig
    official: Mapping[str, tuple[float, float]]


FREQUENCIES = {
    "hourly": Frequency(
        file="Hourly",
        seasons=(24, 168),
        plan=Plan(horizon=48, origins=3, least=4, most=6, levels=LEVELS),
        candidates=(
            "seasonal_naive",
            "ar(1,2,3,24,168)",
            "ar(1,2,23,24,25,48,72,143,144,167,168,169)",
            "mstl:theta",
            "mstl:damped",
            "mstl:arima(2,0,1)",
            "mstl:ar(1,2,24)",
            "ces",
        ),
        shown=("naive", "seasonal_mean", "ar(1,2,3)", "ma(2)", "arma(2,1)", "arima(1,1,1)", "theta"),
        lstm=LstmConfig(patch=24, lookback=336, rounds=1500, members=2, **_NETWORK),
        official={
            "naive": (11.608, 43.003),
            "seasonal_naive": (1.193, 13.912),
            "Naive2": (2.395, 18.383),
            "Theta": (2.455, 18.138),
            "Comb": (4.582, 22.053),
            "RNN": (3.048, 14.698),
            "MLP": (2.607, 13.842),
            "ES-RNN, first": (0.893, 9.328),
            "FFORMA, second": (0.819, 11.506),
        },
    ),
    "weekly": Frequency(
        file="Weekly",
        seasons=(1, 52),
        plan=Plan(horizon=13, origins=3, least=4, most=6, levels=LEVELS),
        candidates=(
            "seasonal_naive",
            "ar(1,2,3)",
            "ar(1,2,3,52,53)",
            "arima(1,1,1)",
            "auto_arima",
            "ets",
            "damped",
            "theta",
            "ces",
            "mstl:damped",
            "mstl:ces",
        ),
        shown=("naive", "ma(2)", "arma(1,1)", "dynamic_theta"),
        lstm=LstmConfig(patch=13, lookback=104, rounds=1000, members=3, **_NETWORK),
        official={
            "naive": (2.777, 9.161),
            "seasonal_naive": (2.777, 9.161),
            "Theta": (2.637, 9.093),
            "Damped": (2.404, 8.866),
            "Comb": (2.432, 8.944),
            "RNN": (5.132, 15.220),
            "MLP": (13.568, 21.349),
            "ES-RNN, first": (2.356, 7.817),
            "FFORMA, second": (2.108, 7.625),
        },
    ),
}


def read(path: Path) -> list[Floats]:
    """Series of one file of M4, without their names and empty cells."""
    with gzip.open(path, "rt", newline="") as stream:
        rows = csv.reader(stream)
        next(rows)
        return [np.array([float(cell) for cell in row[1:] if cell]) for row in rows]


def run(folder: Path, frequency: Frequency, every: int) -> Record:
    """Choose on the training part, ask once for the test, score."""
    begin = time.process_time()
    train = read(folder / f"{frequency.file}-train.csv.gz")[::every]
    panel = panel_of(train, frequency.seasons, [str(one) for one in range(len(train))])
    plan = frequency.plan
    candidates: dict[str, Method] = {name: method_of(name) for name in frequency.candidates}
    early = fit_lstm(panel.until(plan.first), plan.horizon, frequency.lstm, SEED)
    late = fit_lstm(panel, plan.horizon, frequency.lstm, SEED)
    found = outlook(panel, {**candidates, LSTM: as_method(early)}, plan, {LSTM: as_method(late)})
    chosen = time.process_time() - begin

    points = dict(found.point)
    filled, cpu_s = {}, {}
    for name in (*frequency.candidates, *frequency.shown):
        if name not in points:
            before = time.process_time()
            said = forecast(name, panel, plan.horizon)
            points[name], filled[name], cpu_s[name] = (
                said.point,
                float(said.filled.mean()),
                time.process_time() - before,
            )
    points.setdefault(LSTM, late.point(panel))

    actual = np.stack(read(folder / f"{frequency.file}-test.csv.gz")[::every])
    levels = np.asarray(plan.levels)
    floor = np.where(np.nanmin(panel.values, 1) >= 0, 0.0, -np.inf)
    scale = scale_of(panel)

    def scored(name: str, quantiles: Floats | None) -> Scores:
        return score(actual, points[name], points[BASELINE], scale, quantiles, levels)

    rows = []
    for name in sorted(points):
        quantiles = found.quantiles(name, floor) if name in found.intervals else None
        rows.append(row_of(name, scored(name, quantiles), found.judged.point, filled.get(name), cpu_s.get(name)))
    rows.append(row_of("lstm, own quantiles", scored(LSTM, late.quantiles(panel)), {}, None, None))
    rows.sort(key=lambda row: (row["method"] != ENSEMBLE, row["mase"]["value"]))
    backtest = {
        name: [float(one) for one in np.nanmean(found.judged.mase(name), axis=1)] for name in found.judged.point
    }
    return {
        "series": panel.n,
        "horizon": plan.horizon,
        "shortlist": list(found.selection.names),
        "rule": found.rule,
        "rules": dict(found.rules),
        "selecting_origin_mase": {
            name: float(np.nanmean(found.selected_by.mase(name))) for name in found.selected_by.point
        },
        "backtest_mase": backtest,
        "rows": rows,
        "official": [
            {"method": name, "mase": value, "smape": percent} for name, (value, percent) in frequency.official.items()
        ],
        "against_official": against_official({row["method"]: row for row in rows}, frequency.official),
        "cpu_minutes": {"choosing": chosen / 60, "all": (time.process_time() - begin) / 60},
    }


def row_of(
    name: str, scores: Scores, judged: Mapping[str, Floats], filled: float | None, cpu_s: float | None
) -> Record:
    """A row of the table."""
    return {"method": name, "shortlisted": name in judged, **asdict(scores), "filled": filled, "cpu_s": cpu_s}


def against_official(rows: Mapping[str, Record], official: Mapping[str, tuple[float, float]]) -> Record:
    """What is ours beside the official figure, for the methods that are the same: it must be 0.000."""
    same = ("naive", "seasonal_naive")
    return {
        name: {
            "mase": round(rows[name]["mase"]["value"] - official[name][0], 4),
            "smape": round(rows[name]["smape"] - official[name][1], 4),
        }
        for name in same
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--frequencies", nargs="+", choices=list(FREQUENCIES), default=list(FREQUENCIES))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    record: Record = {"every": options.every, "seed": SEED, "machine": machine()}
    for name in options.frequencies:
        record[name] = run(options.data, FREQUENCIES[name], options.every)
        show(name, record[name])
    if options.json:
        write_json(options.json, record)


def show(name: str, part: Record) -> None:
    """The table, as text."""
    print(f"{name}: {part['shortlist']} by {part['rule']}; {part['cpu_minutes']['all']:.1f} CPU minutes")
    for row in part["rows"]:
        crps, inside = (row[key]["value"] if row[key] else float("nan") for key in ("crps", "coverage"))
        print(
            f"  {row['method']:46} MASE {row['mase']['value']:7.3f} "
            f"({row['mase']['low']:.3f}–{row['mase']['high']:.3f})"
            f"  sMAPE {row['smape']:6.3f}  RMSE {row['rmse']:7.2f}  R² {row['r2']:7.3f}  WAPE {row['wape']:.3f}"
            f"  CRPS {crps:6.3f}  in 80 % {inside:.3f}"
        )
    print(f"  ours − official: {part['against_official']}")


if __name__ == "__main__":
    main()
