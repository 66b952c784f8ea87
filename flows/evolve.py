"""The flow that tells how behaviour evolves: features, where they are stale → evolve. Nothing is trained or promoted.

Meant to run after the retraining that took the new days; `take` takes them itself. With nothing new it says so and
leaves the report that stands. Never here: how a figure is found.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from prefect import flow

from components.params import load_params
from components.workspace import hold
from flows import reconcile, stages, tasks
from flows.environment import prepare
from flows.retrain import run_name

#: What the analyses stand on.
_STAGES = ("validate", "features")


@flow(name="evolve", flow_run_name=run_name, persist_result=False, validate_parameters=True)
def evolve(
    workspace: str = ".",
    until: dt.date | None = None,
    wait_s: float = 0.0,
    take: bool = False,
    again: bool = False,
) -> dict[str, Any]:
    """Tell how behaviour evolves, and what changed since the report before.

    Parameters
    ----------
    workspace : folder of the workspace
    until : with `take`, take events before this day only
    wait_s : how long to wait for another run of this workspace; 0 says at once who holds it
    take : collect and ingest new days first
    again : make the report also where nothing that it rests on has changed

    Returns
    -------
    dict with `collect`, `ingest` (or None), `stages`, and `report`: number, version, whether it was made, what changed
    """
    root = Path(workspace).resolve()
    prepare(root)
    params = load_params(root / "params.yaml")
    limits = tasks.limits_of(params)
    with hold(root, "evolve", timeout_s=wait_s):
        reconcile.before_run(root)
        stages.stamp_code(root)
        collected = tasks.collect.with_options(**limits)(str(root)) if take else None
        taken = tasks.ingest.with_options(**limits)(str(root), until) if take else None
        ran = [tasks.run_stage.with_options(**limits)(str(root), stage) for stage in _STAGES]
        report = tasks.evolve.with_options(**limits)(str(root), again)
    return {"collect": collected, "ingest": taken, "stages": ran, "report": report}
