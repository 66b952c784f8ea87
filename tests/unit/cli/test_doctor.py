"""`doctor` finds what is broken, says what mends it, and its exit code says that something is."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest


def ask(chronotope, space: Path) -> tuple[int, dict[str, dict]]:
    left = chronotope("doctor", "--workspace", str(space), "--json")
    return left.code, {one["check"]: one for one in json.loads(left.out)}


def wrong(found: dict[str, dict]) -> set[str]:
    return {name for name, one in found.items() if not one["ok"]}


def test_a_whole_set_up_is_well(chronotope, space: Path) -> None:
    code, found = ask(chronotope, space)
    assert (code, wrong(found)) == (0, set()), found
    assert chronotope("doctor", "--workspace", str(space)).code == 0


def test_a_missing_pipeline(chronotope, space: Path) -> None:
    (space / "dvc.yaml").unlink()
    code, found = ask(chronotope, space)
    assert (code, wrong(found)) == (1, {"pipeline"})
    assert found["pipeline"]["found"] == "dvc.yaml missing"
    shown = chronotope("doctor", "--workspace", str(space))
    assert shown.code == 1
    assert "dvc.yaml missing" in shown.out
    assert "chronotope init" in " ".join(shown.out.split())


@pytest.mark.parametrize("text", ["workspace: {name: a}", "workspace: [", "- 1\n"])
def test_broken_params(chronotope, space: Path, text: str) -> None:
    (space / "params.yaml").write_text(text)
    code, found = ask(chronotope, space)
    assert (code, wrong(found)) == (1, {"params.yaml"})
    assert str(space / "params.yaml") in found["params.yaml"]["found"] + found["params.yaml"]["do"]


def test_a_wrong_and_a_missing_package(chronotope, space: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = importlib.metadata.version

    def other(name: str) -> str:
        if name == "h3":
            raise importlib.metadata.PackageNotFoundError(name)
        return {"fastapi": "0.155.0", "torch": f"{version('torch').split('+')[0]}+cu130"}.get(name) or version(name)

    monkeypatch.setattr(importlib.metadata, "version", other)
    code, found = ask(chronotope, space)
    assert (code, wrong(found)) == (1, {"packages"})
    assert "fastapi 0.155.0" in found["packages"]["found"]
    assert "h3 is missing" in found["packages"]["found"]
    assert "torch" not in found["packages"]["found"], "a CUDA build of the pinned version is the pinned version"
    assert "requirements.lock" in found["packages"]["do"]


def test_a_full_disk(chronotope, space: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 1 << 30))
    code, found = ask(chronotope, space)
    assert (code, wrong(found)) == (1, {"disk"})
    assert found["disk"]["found"] == "1.0 GiB free"


def test_a_broken_promotion_log(chronotope, space: Path) -> None:
    (space / "promotions").mkdir()
    (space / "promotions" / "000001.json").write_text('{"kind": "prom')
    code, found = ask(chronotope, space)
    assert (code, wrong(found)) == (1, {"promotion log"})
    assert "000001.json" in found["promotion log"]["found"]
    assert found["promotion log"]["do"]


def test_who_holds_the_workspace_is_told_and_is_no_fault(chronotope, space: Path) -> None:
    from components.workspace import hold

    with hold(space, "a long training"):
        code, found = ask(chronotope, space)
    assert code == 0
    assert "a long training" in found["workspace"]["found"]
