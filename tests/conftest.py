"""Shared fixtures. Real data is read in place and never copied; where it is absent, its tests say so."""

from __future__ import annotations

import os
import shutil
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


@pytest.fixture(scope="session")
def promoted_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one promotion and, two days later, a better model that was not judged yet; not to be changed."""
    from components.registry import promote, results, trial
    from tests.workspaces import few_counters, run_stages, small_params

    root = tmp_path_factory.mktemp("template") / "small"
    params = run_stages(root, small_params(**few_counters("popularity", "markov", "user_frequency")), days=35)
    results.log_runs(root, params)
    promote.promote(root, params, trial.run_gate(root, params))
    run_stages(root, small_params(), days=37)
    return root


@pytest.fixture
def promoted(promoted_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `promoted_template` of one's own."""
    monkeypatch.setattr("components.registry.contest._TIMED", 20)
    return Path(shutil.copytree(promoted_template, tmp_path / "small"))
