"""Taking new events in, as the flows and the command line do it: ingest, the snapshot under DVC, and what it holds.

Never here: Prefect, or the lock of the workspace, which callers hold.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

from components.params import load_params
from components.workspace import Workspace
from flows import stages


def take_in(
    root: Path, until: dt.date | None = None, replace: tuple[dt.date, dt.date] | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Ingest what is new, and put the snapshot under DVC.

    Returns
    -------
    (dict, dict)
        Figures of the ingest (`components.events.ingest.IngestReport`), and path → hash of the snapshot.
    """
    from components.events.ingest import ingest
    from components.events.watermark import Watermark, note

    report = ingest(root, load_params(Workspace(root).params), until=until, replace=replace)
    hashes = stages.snapshot(root)
    note(root, hashes["data/events"], Watermark(report.live_offset, report.until))
    record = dataclasses.asdict(report)
    return {name: value for name, value in record.items() if name != "until"}, hashes


def collect_live(root: Path) -> dict[str, Any] | None:
    """Collect what came in live, and take who is forgotten out of silent lists too; None where there is no live state.
    Makes none."""
    from components.experiments.silent import erase_forgotten
    from components.serving.collect import collect, existing_state

    state = existing_state(root, load_params(Workspace(root).params))
    if state is None:
        return None
    try:
        found = dataclasses.asdict(collect(root, state))
        erase_forgotten(root)
        return found
    finally:
        state.close()


def anything_live(root: Path) -> bool:
    """Whether something came in live since it was last collected."""
    from components.serving.collect import existing_state, is_collected

    state = existing_state(root, load_params(Workspace(root).params))
    if state is None:
        return False
    try:
        return not is_collected(root, state)
    finally:
        state.close()


def sentence(taken: dict[str, Any]) -> str:
    """What became of the rows, for people."""
    text = (
        f"{taken['rows_in']:,} rows in = {taken['kept']:,} kept + {taken['quarantined']:,} quarantined "
        f"+ {taken['duplicates']:,} duplicates"
    )
    if taken["left_out"]:
        text += f" + {taken['left_out']:,} left out"
    if taken["erased"]:
        text += f" + {taken['erased']:,} of forgotten users"
    return text + (f"; {taken['purged']:,} of forgotten users went from the log" if taken["purged"] else "")
