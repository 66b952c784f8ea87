"""The stage: same bytes at once and in buckets, from any arrival order; clear refusals; nothing half-written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from components.errors import DataError, IntegrityError, SchemaError
from components.features import kernel
from components.features.build import build, frame_to_store
from components.features.store import Store
from components.files import sha256_tree
from components.params import Params, VectorParams
from tests.unit.features.sample import log, params

ROOT = Path(__file__).resolve().parents[3]
ITEMS = pl.DataFrame({"item_id": ["item1"], "category": ["c"], "latitude": [48.8], "longitude": [2.2]})


def workspace(root: Path, frame: pl.DataFrame) -> Path:
    for folder in ("data/validated", "data/catalogue"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    frame.write_parquet(root / "data/validated/events.parquet")
    ITEMS.write_parquet(root / "data/catalogue/items.parquet")
    return root


def digests(root: Path, frame: pl.DataFrame, whole: Params) -> dict[str, str]:
    build(workspace(root, frame), whole)
    return sha256_tree(root / "data/features")


def test_in_buckets_in_any_order_and_saved_from_memory_the_bytes_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = log(800, users=23)
    expected = digests(tmp_path / "a", frame, params())
    shuffled = frame.sample(fraction=1, shuffle=True, seed=1)
    assert digests(tmp_path / "b", shuffled, params()) == expected
    small = params(features={"max_rows_in_memory": 100})
    assert digests(tmp_path / "c", shuffled, small) == expected
    assert not [path for path in (tmp_path / "c/data").iterdir() if path.name.startswith(".")]
    monkeypatch.setattr(kernel, "BLOCK", 50)
    assert digests(tmp_path / "d", frame, params()) == expected
    frame_to_store(shuffled, ITEMS, None, params(), "temporal").save(tmp_path / "e")
    assert sha256_tree(tmp_path / "e") == expected


def test_what_build_returns_is_what_was_written(tmp_path: Path) -> None:
    store = build(workspace(tmp_path, log()), params())
    again = Store.load(tmp_path / "data/features")
    memory = frame_to_store(log(), ITEMS, None, params(), "temporal")
    for found in (store, again):
        assert found.users.tolist() == memory.users.tolist()
        for name in memory.columns:
            np.testing.assert_array_equal(found[name], memory[name])
        np.testing.assert_array_equal(found.numbers, memory.numbers)
        np.testing.assert_array_equal(found.missing, memory.missing)


def test_refusals_leave_the_previous_store(tmp_path: Path) -> None:
    root = workspace(tmp_path, log())
    build(root, params())
    before = sha256_tree(root / "data/features")
    with pytest.raises(DataError, match="train window"):
        build(root, params(windows={"tune": "900d"}))
    log().clear().write_parquet(root / "data/validated/events.parquet")
    with pytest.raises(DataError, match="none in"):
        build(root, params())
    log().drop("action").write_parquet(root / "data/validated/events.parquet")
    with pytest.raises(SchemaError, match="action"):
        build(root, params())
    assert sha256_tree(root / "data/features") == before
    (root / "data/validated/events.parquet").unlink()
    with pytest.raises(DataError, match="validate"):
        build(root, params())


def test_the_stage_is_one_line_and_one_exit_code(tmp_path: Path) -> None:
    root = workspace(tmp_path, log())
    (root / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    command = [sys.executable, "-m", "components.features", "--workspace", str(root)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("400 events of 12 users on 30 items (train ")
    (root / "data/validated/events.parquet").unlink()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_vectors_are_written_beside_the_columns_and_files_are_found_below_the_workspace(tmp_path: Path) -> None:
    items = [f"item{i}" for i in range(30)] + ["fresh"]
    vectors = {"kind": "file", "options": {"path": "data/catalogue/images.parquet"}, "dimensions": None}
    changed = params(
        features={"vocabulary": "catalogue", "vectors": {"image": VectorParams.model_validate(vectors)}},
    )
    root = workspace(tmp_path, log())
    pl.DataFrame({"item_id": items}).write_parquet(root / "data/catalogue/items.parquet")
    images = [[float(i), 1.0, float(i % 3)] for i in range(31)]
    pl.DataFrame({"item_id": items, "image": images}).write_parquet(root / "data/catalogue/images.parquet")
    build(root, changed)
    store = Store.load(root / "data/features")
    assert store.vectors["image"].shape == (store.encoding.n_items, 3)
    assert store.encoding.vocabularies["item"].ids[-1] == "fresh"
    assert np.allclose(np.linalg.norm(store.vectors["image"][2:], axis=1), 1.0, atol=1e-5)
    assert not store.vectors["image"][:2].any()
    path = root / "data/features/vectors_image.npy"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(IntegrityError):
        Store.load(root / "data/features")
