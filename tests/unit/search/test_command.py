"""`chronotope search`: what it refuses, what it shows, and what it writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows import stages
from tests.unit.cli.conftest import Left, chronotope
from tests.unit.search.conftest import SPACE, written

__all__ = ["chronotope"]


@pytest.fixture(autouse=True)
def validated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The log is validated already: no stage is run."""
    asked: list[str] = []
    monkeypatch.setattr(stages, "stamp_code", lambda root: None)
    monkeypatch.setattr(stages, "reproduce", lambda root, stage, **_: asked.append(stage))
    return asked


def test_a_wrong_key_is_told_before_anything_runs(
    chronotope: Callable[..., Left], root: Path, validated: list[str]
) -> None:
    written(root, space={**SPACE, "memory.priro": SPACE["memory.prior"]})
    left = chronotope("search", "--workspace", str(root))
    assert left.code == 2
    assert "priro" in left.err
    assert validated == []
    assert not (root / ".chronotope" / "search").exists()


def test_trials_are_shown_and_the_best_is_written_on_request(
    chronotope: Callable[..., Left], root: Path, validated: list[str]
) -> None:
    left = chronotope("search", "--workspace", str(root), "--trials", "2")
    assert left.code == 0, left.err
    assert validated == ["validate"]
    assert left.out.count("complete") == 2
    assert "memory:\n  components:" in left.out
    before = (root / "params.yaml").read_text()
    left = chronotope("search", "--workspace", str(root), "--trials", "2", "--apply", "--json")
    found: dict[str, Any] = json.loads(left.out)
    assert found["written"] == str(root / "params.yaml")
    best = found["found"][0]["best"]["values"]
    after = yaml.safe_load((root / "params.yaml").read_text())
    assert after["memory"]["prior"] == best["memory.prior"]
    assert yaml.safe_load(before)["training"] == after["training"]
