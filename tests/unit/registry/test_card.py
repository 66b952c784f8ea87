"""The model card says of whom the model is best and worst."""

from __future__ import annotations

from components.registry.card import card
from tests.unit.evaluation.fixtures import fixed_record

NAMES = ("git_sha", "code", "dvc_lock", "params", "data", "environment", "run_id")
LINEAGE = {**dict.fromkeys(NAMES, "x"), "windows": {}}


def test_the_largest_gap_between_declared_groups_is_told() -> None:
    record = fixed_record()
    text = card("small", "habits", "A kind.", record, LINEAGE)
    gap = next(row for row in record["models"] if row["model"] == "habits")["gaps"][0]
    line = next(one for one in text.splitlines() if "Largest gap" in one)
    assert gap["dimension"] in line
    assert f"{gap['best']} {gap['best_value']:.3f}, {gap['worst']} {gap['worst_value']:.3f}" in line
    for row in record["models"]:
        assert row["kind"] == "model" or not row["rules"]
