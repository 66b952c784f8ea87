"""Reports that are kept, numbered, so that the next one can say what changed.

A report of the same log, params and code is the same report and keeps its number. Never here: what is compared.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.errors import ChronotopeError
from components.evolution.report.summary import FORMAT
from components.files import read_json, replace_folder

Record = dict[str, Any]
SUMMARY = "summary.json"


def kept(folder: Path) -> Iterator[tuple[int, Path]]:
    """Numbers and folders of the reports that are kept, newest first."""
    found = [(int(one.name), one) for one in folder.iterdir() if one.name.isdecimal()] if folder.is_dir() else []
    yield from sorted(found, reverse=True)


def place_of(folder: Path, made_of: str) -> tuple[int, Record | None]:
    """Number of a report, and the summary of the one before it.

    Parameters
    ----------
    folder : where reports are kept
    made_of : of the report

    Returns
    -------
    (int, dict or None)
        A report that is the newest one made again keeps its number. One that cannot be read, or is of another format,
        is passed over.
    """
    every = list(kept(folder))
    known = [(number, told) for number, one in every if (told := _read(one)) is not None]
    newest = every[0][0] if every else 0
    again = bool(known) and known[0][0] == newest and known[0][1]["made_of"] == made_of
    before = next((told for _, told in known if told["made_of"] != made_of), None)
    return newest if again else newest + 1, before


def _read(folder: Path) -> Record | None:
    try:
        told = read_json(folder / SUMMARY)
    except (ChronotopeError, OSError):
        return None
    return told if isinstance(told, dict) and told.get("format") == FORMAT and "made_of" in told else None


def keep(report: Path, folder: Path, number: int, most: int) -> None:
    """Keep a finished report under its number, whole or not at all, and let the oldest beyond `most` go."""
    with replace_folder(folder / f"{number:06d}") as place:
        shutil.copytree(report, place, dirs_exist_ok=True)
    for _, one in list(kept(folder))[most:]:
        shutil.rmtree(one, ignore_errors=True)
