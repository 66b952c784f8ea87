"""Encoders against their twins on a log whose order is all that can be learned; what is done is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import encoders as module
from benchmarks.encoders import Trial, run, trial_of
from components.benchmark import Options
from components.files import read_json

CONFIG = """
evaluation: {bootstrap: 200, baselines: [popularity]}
training:
  loop: {epochs: 6, tokens_per_batch: 128, optimiser: {learning_rate: 0.01}, calibration: none}
  models:
    gru: {network: {width: 16, max_history: 16, inputs: [item], heads: {item: 1.0}, dropout: 0.0}}
    transformer:
      network:
        {width: 16, max_history: 16, inputs: [item], heads: {item: 1.0}, copy_heads: 0, item_bias: false, dropout: 0.0}
"""


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    folder = tmp_path_factory.mktemp("walks")
    lines = ["who,what,when"]
    for user in range(24):
        for step in range(40):  # everybody walks the same ring, from a place and at a moment of their own
            lines.append(
                f"u{user},i{(user + step) % 10},2024-03-{1 + step // 2:02d}T{step % 2 * 11 + 1:02d}:{user:02d}:00Z"
            )
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "mapping.yaml").write_text(
        "source: {mapping: {user_id: who, item_id: what, timestamp: when}, constants: {action: step}}\n"
    )
    return trial_of(
        Options(
            source="csv",
            path=folder / "log.csv",
            mapping=folder / "mapping.yaml",
            params=folder / "config.yaml",
            models=("gru", "hstu"),
        ),
        folder / "kept",
    )


def test_an_encoder_is_ahead_of_a_twin_that_saw_no_order(trial: Trial, tmp_path: Path) -> None:
    found = run(trial, ("gru", "hstu"), tmp_path / "out.json", {"log": "ring"})
    assert read_json(tmp_path / "out.json") == found
    assert found["made_by"]["log"] == "ring"
    assert [row["model"] for row in found["rows"]] == ["gru", "hstu"]
    for row in found["rows"]:
        own, twin = (one["ndcg@10"]["value"] for one in (row["metrics"], row["twin"]))
        assert own > 0.9
        assert twin < 0.7
        assert row["against_twin"]["low"] > 0.2
        assert row["against_twin"]["value"] == pytest.approx(own - twin)
        assert row["against_popularity"]["low"] > 0.2
    assert found["popularity"]["ndcg@10"]["value"] == pytest.approx(
        found["rows"][0]["twin"]["ndcg@10"]["value"], abs=0.2
    )


def test_what_is_done_is_not_trained_again(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(trial, ("gru",), None, {})
    monkeypatch.setattr(module.learners, "build", lambda name, params: pytest.fail(f"{name} was built again"))
    assert run(trial, ("gru",), None, {}) == first
