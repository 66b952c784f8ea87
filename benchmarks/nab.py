"""Are social events found? New York's taxis (NAB), five labelled events in seven months, and what else is flagged.

    OMP_NUM_THREADS=1 python -m benchmarks.nab DIR [--json OUT]

DIR holds `nyc_taxi.csv` and `nyc_taxi_windows.json` (github.com/numenta/NAB). Half hours are summed to hours. An event
counts as found where a flagged day touches its labelled window; flagged days outside all windows, neighbours as one,
are false alarms, the unlabelled holidays among them. Rows differ in what they hold to be usual: the same hour of the
weeks around, a day itself left out; of the weeks before alone (how far a slot scatters is still read off the whole
span); the trend and cycles of a decomposition (MSTL); and, as the simple baseline, the same hour a week ago. Nothing is
fitted to the labels; every row shows several stated rates of false alarms.
"""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.machine import machine
from components.evolution.trends.backtest import backtest, origins
from components.evolution.trends.changes import change_points
from components.evolution.trends.methods import method_of
from components.evolution.trends.mstl import decompose
from components.evolution.trends.panel import Floats, Panel
from components.evolution.trends.seasonality import null_strength, strength
from components.evolution.trends.unusual import DAYS_A_MONTH, Control, Unusual, expected, unusual
from components.files import read_json, write_json

Record = dict[str, Any]
Window = tuple[dt.datetime, dt.datetime]
DAY = 24
CONTROLS = (Control("rate", 0.25), Control("rate", 0.5), Control("rate", 1.0), Control("discovery", 0.1))
METHODS_SHOWN = ("seasonal_naive", "seasonal_mean", "ar(1,2,23,24,25,167,168,169)", "mstl:damped")


def load(folder: Path) -> tuple[Panel, list[Window]]:
    """Hours of taxis, and the labelled windows."""
    frame = pl.read_csv(folder / "nyc_taxi.csv", schema_overrides={"timestamp": pl.Datetime})
    hours = frame.group_by_dynamic("timestamp", every="1h").agg(pl.col("value").sum().cast(pl.Float64))
    values = hours["value"].to_numpy()[None]
    start = hours["timestamp"][0].replace(tzinfo=dt.UTC)
    windows = [
        (dt.datetime.fromisoformat(first), dt.datetime.fromisoformat(last))
        for first, last in read_json(folder / "nyc_taxi_windows.json")["nyc_taxi"]
    ]
    return Panel(values, pl.DataFrame({"city": ["New York"]}), (24, 168), "hour", start), windows


def moment(panel: Panel, step: int) -> dt.datetime:
    """Beginning of a step, by the clock of the file."""
    assert panel.start is not None
    return panel.start.replace(tzinfo=None) + dt.timedelta(hours=step)


def judged(panel: Panel, found: list[Unusual], windows: list[Window]) -> Record:
    """How many windows were found, and what was flagged outside them."""

    def touched(one: Unusual) -> set[int]:
        first, last = moment(panel, one.first), moment(panel, one.last + 1)
        return {place for place, (low, high) in enumerate(windows) if first <= high and last >= low}

    inside = set[int]().union(*(touched(one) for one in found))
    false = [one for one in found if not touched(one)]
    months = panel.steps / DAY / DAYS_A_MONTH
    return {
        "found": len(inside),
        "of": len(windows),
        "flagged": len(found),
        "false_alarms": len(false),
        "false_alarms_a_month": len(false) / months,
        "false_at": [moment(panel, one.peak).isoformat(sep=" ", timespec="hours") for one in false],
        "missed": [windows[place][0].date().isoformat() for place in range(len(windows)) if place not in inside],
    }


def forecasts(panel: Panel) -> list[Record]:
    """One day ahead over the last two weeks, which hold the storm: scaled errors."""
    steps = origins(DAY, 14)
    found = backtest(panel, {name: method_of(name) for name in METHODS_SHOWN}, DAY, steps)
    return [{"method": name, "mase": float(found.mase(name).mean())} for name in METHODS_SHOWN]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    panel, windows = load(options.data)
    parts = decompose(panel)
    usual: dict[str, Floats] = {
        "same hour, 4 weeks around": expected(panel, 4, past_only=False),
        "same hour, 6 weeks around": expected(panel, 6, past_only=False),
        "same hour, 8 weeks around": expected(panel, 8, past_only=False),
        "same hour, 6 weeks before": expected(panel, 6, past_only=True),
        "MSTL, trend and cycles": panel.values - parts.remainder,
        "baseline: same hour a week ago": expected(panel, 1, past_only=True),
    }
    rows = [
        {"usual": name, "control": control.kind, "value": control.value}
        | judged(panel, unusual(panel, what, DAY, control), windows)
        for name, what in usual.items()
        for control in CONTROLS
    ]
    strong, noise = strength(parts), null_strength(panel, level=0.95, seed=0)
    record: Record = {
        "machine": machine(),
        "hours": panel.steps,
        "rows": rows,
        "seasonality": [
            {"season": season, "strength": float(strong.season[0, place]), "noise": float(noise[place])}
            for place, season in enumerate(panel.seasons)
        ],
        "changes": [
            {"at": moment(panel, one.at * DAY).isoformat(sep=" ", timespec="hours"), "size": one.size}
            for one in change_points(parts.adjusted[0].reshape(-1, DAY).mean(1), least=14)
        ],
        "forecasts": forecasts(panel),
    }
    for row in rows:
        print(
            f"{row['usual']:32} {row['control']:9} {row['value']:<4} found {row['found']} of {row['of']}, "
            f"{row['false_alarms_a_month']:.2f} false a month {row['false_at']}"
        )
    print(record["seasonality"], record["changes"], record["forecasts"], sep="\n")
    if options.json:
        write_json(options.json, record)


if __name__ == "__main__":
    main()
