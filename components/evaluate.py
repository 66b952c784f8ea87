"""The stage `evaluate`: judges every model beside the baselines on the test window, and writes what it found.

Reads data/features, models/, blends/; writes reports/metrics.json, evaluation.json, ranks/, plots/ and report.html.
The same inputs give the same bytes: no clock, no run id. Nothing is chosen here and nothing is promoted.
"""

from __future__ import annotations

import argparse
import csv
import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from components import learners
from components.errors import ConfigError, DataError
from components.evaluation.groups import groups_of
from components.evaluation.judge import Also, judge_by
from components.evaluation.judgement import Judgement
from components.evaluation.report import render
from components.evaluation.summary import Curves, Judged, Kind, record_of
from components.evaluation.table import markdown
from components.features.store import Store
from components.files import read_json, replace_folder, write_json, write_text
from components.params import Params
from components.predictor import NoTracker, Predictor, Window
from components.ranking.rules.judged import Ruled
from components.stage import run_stage
from components.training.curves import read_curves

log = logging.getLogger(__name__)
Progress = Callable[[str, int, int], None]


def evaluate(root: Path, params: Params, progress: Progress | None = None) -> None:
    """Judge models, blends, baselines and, for the simulated city, observers; write the reports.

    Parameters
    ----------
    root : the workspace
    params : `evaluation` rules; `policy` whose cost is told; `memory`, `workspace.seed` and `simulation` for baselines
        and observers
    progress : called with (name, queries answered, queries in all)

    Raises
    ------
    DataError
        There is no model to judge, or the test window holds nothing to predict.
    """
    store = Store.load(root / "data" / "features")
    window = Window(store, "test", params.evaluation.history)
    if not len(window.targets):
        raise DataError(
            "events to predict in the test window",
            found=f"none in {root / 'data' / 'features'}",
            do="Shorten `windows.test` or bring more days.",
        )
    ruled = Ruled.of(params.policy)
    judged = [
        Judged(
            _judge(predictor, window, params, progress, ruled if kind == "model" else None),
            kind,
            curves,
            getattr(predictor, "adds", None),
        )
        for predictor, kind, curves in contestants(root, store, params)
    ]
    groups = groups_of(root / "data" / "catalogue", params.evaluation.groups, store)
    record = record_of(judged, store, params.evaluation, params.workspace.seed, groups, params.gate.min_slice_queries)
    write_reports(root, record, [one.judgement for one in judged])


def contestants(root: Path, store: Store, params: Params) -> Iterator[tuple[Predictor, Kind, Curves | None]]:
    """Everyone who is judged, one at a time: trained models and blends, baselines, observers of the city.

    Raises
    ------
    DataError
        Nothing was trained.
    ConfigError
        A model has the name of a baseline.
    """
    folders = sorted(
        path
        for home in ("models", "blends")
        if (root / home).is_dir()
        for path in (root / home).iterdir()
        if path.is_dir() and not path.name.startswith(".")
    )
    if not folders:
        raise DataError("a trained model", found=f"none in {root / 'models'}", do="Run the train stage.")
    both = sorted({folder.name for folder in folders} & set(params.evaluation.baselines))
    if both:
        raise ConfigError(
            "different names for models and baselines",
            found=f"{both[0]} as both",
            do="Rename the model, or leave the baseline out of `evaluation.baselines`.",
        )
    for folder in folders:
        yield learners.load(folder), "model", read_curves(folder / "curves.csv") or None
    for name in params.evaluation.baselines:
        baseline = learners.build(name, params)
        baseline.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
        yield baseline, "baseline", None
    if params.events.source.format == "city":
        from components.observers import observers

        for observer in observers(params.simulation, params.workspace.seed):
            observer.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
            yield observer, "observer", None


def write_reports(root: Path, record: dict[str, Any], judgements: list[Judgement]) -> None:
    """Write every report of one evaluation below `root`/reports."""
    reports = root / "reports"
    write_json(reports / "evaluation.json", record)
    write_json(reports / "metrics.json", flat_metrics(record))
    with replace_folder(reports / "ranks") as folder:
        for judgement in judgements:
            judgement.save(folder / f"{judgement.model}.parquet")
    with replace_folder(reports / "plots") as folder:
        for name, rows in plots(record).items():
            write_text(folder / f"{name}.csv", _csv(rows))
    checked = reports / "validation.json"
    validation = read_json(checked) if checked.is_file() else None
    write_text(reports / "report.html", render(record, validation=validation))


def flat_metrics(record: dict[str, Any]) -> dict[str, dict[str, float]]:
    """model → metric → value, for `dvc metrics`: items, lists, and the heads that the model has."""
    found: dict[str, dict[str, float]] = {}
    for row in record["models"]:
        values = {name: one["value"] for name, one in row["metrics"].items()}
        values |= {f"{name}@{row['lists']['k']}": row["lists"][name] for name in ("coverage", "gini", "diversity")}
        values["ece"] = row["calibration"]["item"]["ece"]
        for head in ("action", "time", "place"):
            for name, one in (row[head] or {}).items():
                values[f"{head}_{name}"] = one["value"] if isinstance(one, dict) else one
        found[row["model"]] = {name: value for name, value in values.items() if value is not None}
    return found


def plots(record: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Rows of each plot by name."""
    named = [(row["model"], row) for row in record["models"]]
    return {
        "metrics": [
            {"model": name, "metric": metric} | one for name, row in named for metric, one in row["metrics"].items()
        ],
        "slices": [
            {"model": name, "dimension": dimension, "slice": one["name"]}
            | {key: one[key] for key in ("queries", "users", "value", "low", "high")}
            for name, row in named
            for dimension, parts in row["slices"].items()
            for one in parts
        ],
        "calibration": [
            {"model": name, "head": head} | one
            for name, row in named
            for head, found in row["calibration"].items()
            for one in found["bins"]
        ],
    }


def _judge(
    predictor: Predictor, window: Window, params: Params, progress: Progress | None, also: Also | None
) -> Judgement:
    def tell(done: int, total: int) -> None:
        if progress is not None:
            progress(predictor.name, done, total)

    return judge_by(params, predictor, window, progress=tell, also=also)


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def main(root: Path, params: Params, _options: argparse.Namespace) -> str:
    """The stage as `run_stage` calls it."""
    evaluate(root, params)
    return markdown(read_json(root / "reports" / "evaluation.json"))


if __name__ == "__main__":
    run_stage(main, name="evaluate", description="Judge every model beside the baselines on the test window.")
