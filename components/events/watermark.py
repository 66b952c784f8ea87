"""Which snapshot of the log holds what came in live, up to which offset of the live log.

`data/live/ingested.json` names the newest snapshots by DVC's hash of `data/events`, so that a model, which knows the
hash that it was trained on, knows its offset too, whatever was ingested since. Never here: DVC itself.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from components.errors import IntegrityError
from components.files import read_json, write_json
from components.workspace import Workspace

#: Snapshots that are remembered: more than a gate ever looks back.
_KEPT = 1000


@dataclass(frozen=True)
class Watermark:
    """What a snapshot holds of the live log: records up to `offset`, of those the events before `until` (None: all)."""

    offset: int
    until: dt.date | None


def note(root: Path, snapshot: str, mark: Watermark) -> None:
    """Remember what a snapshot holds; call it after the snapshot is on the disk. No-op where nothing came in live."""
    if not mark.offset:
        return
    marks = _read(root)
    marks.pop(snapshot, None)  # the newest stands last
    marks[snapshot] = mark
    record = [
        {"snapshot": name, "offset": one.offset, "until": one.until.isoformat() if one.until else None}
        for name, one in list(marks.items())[-_KEPT:]
    ]
    write_json(_path(root), record)


def watermark_of(root: Path, snapshot: str | None) -> Watermark:
    """What a snapshot holds; offset 0 where that is not known."""
    return _read(root).get(snapshot or "", Watermark(0, None))


def _read(root: Path) -> dict[str, Watermark]:
    path = _path(root)
    if not path.exists():
        return {}
    try:
        return {
            str(one["snapshot"]): Watermark(
                int(one["offset"]), dt.date.fromisoformat(one["until"]) if one["until"] else None
            )
            for one in read_json(path)
        }
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"a list of snapshots in {path}", found=str(error), do="Bring it back.") from error


def _path(root: Path) -> Path:
    return Workspace(root).live_log / "ingested.json"
