"""What `chronotope init` writes is what the demonstration workspace at the root uses."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from flows import stages

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["dvc.yaml", "prefect.yaml"])
def test_templates_are_the_root_files(name: str) -> None:
    assert (ROOT / "flows" / "templates" / name).read_text() == (ROOT / name).read_text()


def test_every_stage_stands_on_its_code() -> None:
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert set(pipeline) == set(stages.CODE)
    for name, stage in pipeline.items():
        assert {"code.json": [name]} in stage.get("do", stage)["params"]
    assert len(set(stages.code_digests().values())) == len(stages.CODE)
