"""`search`: better params by trials on rolling folds of the past, shown as YAML, written by `--apply` alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from components.params import load_params
from components.workspace import hold
from flows import stages
from flows.cli.edge import JsonOption, WorkspaceOption, console, enter, show


def search(
    workspace: WorkspaceOption = Path(),
    trials: Annotated[int | None, typer.Option(min=1, help="Trials in all, instead of search.trials.")] = None,
    timeout: Annotated[
        float | None, typer.Option(min=1, metavar="SECONDS", help="No trial begins later; instead of search.timeout_s.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume/--fresh", help="Go on with the trials of an earlier search, or forget them.")
    ] = True,
    apply: Annotated[bool, typer.Option("--apply", help="Write the best values into params.yaml.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Search better params for `search.models`, on folds of the log before the windows that models are judged on.

    Example: `chronotope search --trials 30 --timeout 3600`
    """
    root = enter(workspace)
    params = load_params(root / "params.yaml")
    from components.search import search as run
    from components.search.patch import apply as write
    from components.search.patch import as_yaml
    from components.search.space import spaces
    from components.search.study import Trial

    spaces(params)  # a wrong key is told before anything runs
    with hold(root, "search"):
        stages.stamp_code(root)
        stages.reproduce(root, "validate", upstream=True)

    def say(model: str, trial: Trial, wanted: int) -> None:
        if as_json:
            return
        value = "" if trial.value is None else f"  {params.evaluation.primary} {trial.value:.4f}"
        shown = ", ".join(f"{key.rpartition('.')[2]} {one}" for key, one in trial.values.items())
        console.print(
            f"{model}, trial {trial.number} (of {wanted})  {trial.state}{value}  {trial.seconds:.1f} s  {shown}"
        )

    found = run(root, params, trials=trials, timeout_s=timeout, resume=resume, say=say)
    values = {key: value for one in found for key, value in one.best.values.items()}
    written = write(root / "params.yaml", values) if apply else None
    record = [
        {"model": one.model, "best": dataclasses.asdict(one.best), "trials": len(one.trials), "report": str(one.report)}
        for one in found
    ]

    def render() -> None:
        for one in found:
            console.print(
                f"\n[bold]{one.model}[/]  best of {len(one.trials)} trials: {params.evaluation.primary} "
                f"{one.best.value:.4f} (trial {one.best.number})"
            )
            console.print(as_yaml(one.best.values), markup=False, end="")
            console.print(f"report  {one.report}", soft_wrap=True)
        if written is not None:
            console.print(f"written  {written}", soft_wrap=True)

    show({"found": record, "written": str(written) if written else None}, as_json, render)
