"""The flow between two retrainings: collect → ingest → validate → features → renew the champion → gate → promote →
package.

The champion goes on from its weights on the new days and a sample of the older ones, and stands trial like any other
challenger (`components.updating`). Where it cannot (there is none, or params describe another model), the flow says
so and retrains.
"""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path
from typing import Any

from prefect import flow

from components.params import load_params
from components.workspace import hold
from flows import reconcile, stages, tasks
from flows.environment import prepare
from flows.retrain import retrain, run_name

logger = logging.getLogger(__name__)
#: What an update stands on.
_STAGES = ("validate", "features")


@flow(name="update", flow_run_name=run_name, persist_result=False, validate_parameters=True)
def update(
    workspace: str = ".",
    until: dt.date | None = None,
    wait_s: float = 0.0,
    fall_back: bool = True,
    package: bool = False,
) -> dict[str, Any]:
    """Let the champion learn the new days, and promote it where it became better.

    Parameters
    ----------
    workspace : folder of the workspace
    until : take events before this day only
    wait_s : how long to wait for another run of this workspace; 0 says at once who holds it
    fall_back : retrain from nothing where there is nothing to update; False leaves it at the message
    package : also build the Bento of a newly promoted champion

    Returns
    -------
    dict with `collect`, `ingest`, `stages`, `update` (what was learned, or `cannot` and why), `decision` and `entry`
    (or None); where it retrained, what that returned besides
    """
    root = Path(workspace).resolve()
    prepare(root)
    params = load_params(root / "params.yaml")
    limits = tasks.limits_of(params)
    with hold(root, "update", timeout_s=wait_s):
        reconcile.before_run(root)
        stages.stamp_code(root)
        collected = tasks.collect.with_options(**limits)(str(root))
        taken = tasks.ingest.with_options(**limits)(str(root), until)
        ran = [tasks.run_stage.with_options(**limits)(str(root), stage) for stage in _STAGES]
        renewed = tasks.renew.with_options(**limits)(str(root))
        found: dict[str, Any] = {"collect": collected, "ingest": taken, "stages": ran, "update": renewed}
        found |= {"decision": None, "entry": None}
        if "cannot" not in renewed:
            decision = tasks.gate_update.with_options(timeout_seconds=params.flow.timeout_s)(str(root))
            entry = tasks.promote.with_options(**limits)(str(root), decision) if decision["promote"] else None
            built = tasks.package(str(root)) if entry and package else None
            return found | {"decision": decision, "entry": entry, "bento": built}
    logger.warning("No update: %s", renewed["cannot"])
    if fall_back:
        # The function alone: as a flow of its own it would find this one running, and take it for dead.
        return found | retrain.fn(str(root), until=until, wait_s=wait_s, package=package)
    return found
