"""What was ingested already, so that an unchanged source costs a digest and not a reading.

The ledger is a shortcut and never the truth: it holds only while the day files and the catalogue are byte for byte
those that it saw last, and losing it costs time, not events.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from components.errors import IntegrityError
from components.events.sources import STATES, format_of
from components.files import digest_of, read_json, sha256_file, write_json
from components.params import Params
from components.workspace import Workspace, data_digest

#: Raise when the same source would give other events than before.
_VERSION = 2


@dataclass(frozen=True)
class Entry:
    """One part of a source that was taken whole.

    Attributes
    ----------
    rows, quarantined, left_out, erased : what became of its rows (the others are in the day files)
    until : the cut under which rows were left out; null when none was
    sound_from_s : seconds since 1970 from which a row that lay in the future is no longer refused; null: none did
    """

    rows: int
    quarantined: int
    left_out: int
    erased: int
    until: str | None
    sound_from_s: float | None

    @property
    def duplicates(self) -> int:
        """Rows whose event the day files have."""
        return self.rows - self.quarantined - self.left_out - self.erased


class Ledger:
    """The record at `.chronotope/ingested.json`.

    Parameters
    ----------
    root : Path
        The workspace.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = Workspace(root).state / "ingested.json"
        record = self._read()
        valid = record.get("version") == _VERSION and record.get("data") == data_digest(root)
        self._parts: dict[str, Any] = record["parts"] if valid else {}
        self._attributes: str | None = record["attributes"] if valid else None
        self._forgotten: str | None = record["forgotten"] if valid else None

    def _read(self) -> dict[str, Any]:
        if not self._path.exists():
            return {}
        try:
            return dict(read_json(self._path))
        except IntegrityError:  # a shortcut that cannot be read is no shortcut
            return {}

    def find(self, key: str | None, until: dt.date | None, now: dt.datetime) -> Entry | None:
        """The entry of a part, when it still says all: nothing new is inside the cut, or no longer in the future."""
        if key is None or key not in self._parts:
            return None
        entry = Entry(**self._parts[key])
        if entry.sound_from_s is not None and now.timestamp() >= entry.sound_from_s:
            return None
        same_cut = entry.until == (until.isoformat() if until else None)
        return entry if same_cut or not entry.left_out else None

    def put(self, key: str | None, entry: Entry) -> None:
        """Note that a part was taken whole."""
        if key is not None:
            self._parts[key] = asdict(entry)

    def has_attributes(self, digest: str | None) -> bool:
        """Whether items and users were taken from exactly these files."""
        return digest is not None and digest == self._attributes

    def has_erased(self, forgotten: str) -> bool:
        """Whether exactly these users (`Tombstones.digest`) were erased from the data as it is now."""
        return forgotten == self._forgotten

    def write(self, attributes: str | None, forgotten: str) -> None:
        """Keep the ledger, bound to the data as it is now."""
        record = {
            "version": _VERSION,
            "data": data_digest(self._root),
            "parts": self._parts,
            "attributes": attributes,
            "forgotten": forgotten,
        }
        write_json(self._path, record)


def part_key(params: Params, path: Path | None) -> str | None:
    """Digest of everything that the events of one part depend on; None when only reading can tell (a database)."""
    if path is None:
        state = STATES.get(params.events.source.format)
        content = state(params) if state else None
    else:
        content = sha256_file(path)
    if content is None:
        return None
    rules = params.events.model_dump(mode="json", exclude={"until"})
    rules["source"] = {
        name: value for name, value in rules["source"].items() if name not in {"path", "catalogue", "users"}
    }
    return digest_of([content, rules])


def attributes_key(params: Params, root: Path, parts: list[str | None]) -> str | None:
    """Digest of everything that items and users depend on."""
    if None in parts:
        return None
    files = format_of(params).attribute_files(params, root)
    return digest_of([sorted(str(part) for part in parts), [sha256_file(path) for path in files]])
