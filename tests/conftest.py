"""Shared fixtures. Real data is read in place and never copied; where it is absent, its tests say so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real data sets: `CHRONOTOPE_DATA`, else `../shared/data`."""
    folder = Path(os.environ.get("CHRONOTOPE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the real data sets are not at {folder}; set CHRONOTOPE_DATA")
    return folder
