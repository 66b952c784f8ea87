"""Single steps of the pipeline: `ingest`, and the stages `validate`, `features`, `train`, `evaluate`."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from components.errors import ConfigError
from components.params import load_params
from components.workspace import hold
from flows import stages
from flows.cli.edge import JsonOption, WorkspaceOption, console, enter, show
from flows.taking import sentence, take_in

ForceOption = Annotated[bool, typer.Option("--force", help="Run it even when nothing changed.")]


def day(text: str | None) -> dt.date | None:
    """A date of the command line."""
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError("a date like 2025-03-01", found=repr(text), do="Write it as YYYY-MM-DD.") from error


def ingest(
    workspace: WorkspaceOption = Path(),
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Take events before this day only.")] = None,
    replace: Annotated[
        str | None, typer.Option(metavar="FIRST:LAST", help="Take these days anew, whole (a backfill).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Take what is new from the source into `data/events`, one file a day.

    Example: `chronotope ingest --until 2025-03-01`
    """
    root = enter(workspace)
    before, days = day(until), _days(replace)
    with hold(root, "ingest"):
        stages.stamp_code(root)
        record, _ = take_in(root, until=before, replace=days)
    show(record, as_json, lambda: console.print(sentence(record)))


def _days(text: str | None) -> tuple[dt.date, dt.date] | None:
    if text is None:
        return None
    first, colon, last = text.partition(":")
    start, end = day(first), day(last if colon else first)
    if start is None or end is None or end < start:
        raise ConfigError("two days FIRST:LAST in order", found=repr(text), do="Write --replace 2025-03-01:2025-03-04.")
    return start, end


def _stage(workspace: Path, names: list[str], force: bool, as_json: bool) -> None:
    root = enter(workspace)
    with hold(root, names[0]):
        stages.stamp_code(root)
        ran = [stages.reproduce(root, name, upstream=True, force=force) for name in names]

    def render() -> None:
        for one in ran:
            console.print(f"{one.stage}: {'ran' if one.ran else 'up to date'} ({one.seconds:.1f} s)")

    show([dataclasses.asdict(one) for one in ran], as_json, render)


def validate(workspace: WorkspaceOption = Path(), force: ForceOption = False, as_json: JsonOption = False) -> None:
    """Hold the log against the data contract; failing rows go to quarantine, a failing batch stops with exit code 3.

    Example: `chronotope validate --workspace shop`
    """
    _stage(workspace, ["validate"], force, as_json)


def features(workspace: WorkspaceOption = Path(), force: ForceOption = False, as_json: JsonOption = False) -> None:
    """Make the packed sequence store from the validated log.

    Example: `chronotope features`
    """
    _stage(workspace, ["features"], force, as_json)


def train(
    model: Annotated[
        str | None, typer.Argument(help="A name under training.models or .compressed; all when left out.")
    ] = None,
    workspace: WorkspaceOption = Path(),
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train the candidate models, and the blend of them when all are trained.

    Example: `chronotope train transformer`
    """
    training = load_params(enter(workspace) / "params.yaml").training
    every = {name: f"train@{name}" for name in training.models}
    every |= {name: f"compress@{name}" for name in training.compressed}
    if model is not None and model not in every:
        raise ConfigError(
            f"one of {', '.join(every)}", found=f"the model {model!r}", do="Add it to training.models in params.yaml."
        )
    names = [every[model]] if model else list(every.values())
    _stage(workspace, names if model else [*names, "blend"], force, as_json)


def evaluate(workspace: WorkspaceOption = Path(), force: ForceOption = False, as_json: JsonOption = False) -> None:
    """Judge every model beside the baselines on the test window, and write the report.

    Example: `chronotope evaluate && open reports/report.html`
    """
    _stage(workspace, ["evaluate"], force, as_json)
