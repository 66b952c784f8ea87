"""What `chronotope init` writes is what the demonstration workspace at the root uses."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from components.code import CODE, code_digests
from flows import stages
from flows.cli.init import _TEMPLATES

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("name", "template"), _TEMPLATES.items())
def test_templates_are_the_root_files(name: str, template: str) -> None:
    assert (ROOT / "flows" / "templates" / template).read_text() == (ROOT / name).read_text()


def test_the_root_is_a_workspace_with_one_pipeline() -> None:
    assert [path.parent for path in ROOT.rglob("dvc.yaml") if ".venv" not in path.parts] == [ROOT]
    assert "train@memory" in stages.stage_names(ROOT)


def test_every_stage_stands_on_its_code() -> None:
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert set(pipeline) == set(CODE)
    for name, stage in pipeline.items():
        assert {"code.json": [name]} in stage.get("do", stage)["params"]
    assert len(set(code_digests().values())) == len(CODE)
