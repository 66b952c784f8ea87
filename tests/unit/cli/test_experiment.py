"""`chronotope experiment` as the shell sees it: begin, look, end; refusals with their exit codes; the page."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.experiments.assignment import arm_of
from components.experiments.log import find
from components.registry.promotions import append
from components.serving.state.memory import MemoryState
from tests.artifacts import pack
from tests.conftest import ROOT
from tests.experiments import did, shown


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> MemoryState:
    one = MemoryState()
    monkeypatch.setattr("components.serving.state.open.open_state", lambda *_: one)
    return one


@pytest.fixture
def space(tmp_path: Path, state: MemoryState) -> Path:
    """A workspace with a champion and one other artifact."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    best, _ = pack(tmp_path, 0.0), pack(tmp_path, 1.0)
    append(tmp_path, expected=0, kind="promote", model="m", digest=best.digest, content=best.content, reason="")
    return tmp_path


@pytest.fixture
def ask(chronotope: Callable[..., Any], space: Path) -> Callable[..., tuple[int, Any]]:
    def run(*words: str) -> tuple[int, Any]:
        left = chronotope("experiment", *words, "--workspace", str(space), "--json")
        return left.code, json.loads(left.out)

    return run


def test_begin_look_and_end(
    ask: Callable[..., tuple[int, Any]], space: Path, state: MemoryState, chronotope: Callable[..., Any]
) -> None:
    code, entry = ask("start", "one", "--share", "0.4", "--guard", "0.05", "--salt", "s")
    assert code == 0
    settings = entry["plan"]["settings"]
    assert (settings["share"], settings["guard"], entry["plan"]["mode"]) == (0.4, 0.05, "ab")
    plan, _ = find(space, "one")
    for n in range(1_200):
        state.append(shown(plan, f"u{n}", ["a", "b"], 0))
        if n % (2 if arm_of(plan, f"u{n}") == "champion" else 5) == 0:
            state.append([did(f"u{n}", "a", 1)])
    assert ask("status")[1]["under_way"] == "one"
    code, found = ask("results", "--at", "2026-01-01")
    assert code == 0
    assert found["verdict"].startswith("The challenger is worse in conversion")
    assert found["metrics"]["conversion"]["difference"]["high"] < -0.05
    assert "salt" not in found["experiment"]
    assert len(found["path"]["users"]) == 200
    page = Path(found["page"]).read_text()
    assert found["verdict"].split(":")[0] in page
    assert not re.search(r"(src|href)=\"(?!data:,)", page)  # it loads nothing
    assert "u17" not in page
    assert "polyline" in page
    told = chronotope("experiment", "results", "one", "--at", "2026-01-01", "--workspace", str(space))
    assert "champion:" in told.out
    assert ask("stop", "--reason", "seen enough")[1]["kind"] == "stop"
    assert ask("status")[1]["under_way"] is None
    assert "seen enough" in Path(ask("results", "one")[1]["page"]).read_text()


def test_a_silent_challenger_before_anything_happened(ask: Callable[..., tuple[int, Any]]) -> None:
    assert ask("start", "quiet", "--mode", "shadow")[0] == 0
    code, found = ask("results")
    assert code == 0
    assert found["verdict"].startswith("Too few users")
    assert found["overlap"] is None
    assert "silent challenger" in Path(found["page"]).read_text()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("stop",), 6, "an experiment under way"),
        (("results",), 6, "an experiment"),
        (("start", "No Name"), 2, "a valid name"),
        (("start", "x", "--share", "1.5"), 2, "settings.share"),
        (("start", "x", "--challenger", "0123456"), 6, "one artifact '0123456'"),
        (("start", "x", "--mode", "loud"), 2, "loud"),
        (("off-policy", "x"), 6, "an experiment 'x'"),
    ],
)
def test_refusals(ask: Callable[..., tuple[int, Any]], words: tuple[str, ...], code: int, told: str) -> None:
    found, record = ask(*words)
    assert found == code
    assert told in record["error"]
