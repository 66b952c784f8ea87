"""Vectors from files and places, and what is said of sources that cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from components.errors import ChronotopeError, ConfigError, DataError, SchemaError
from components.knowledge.kinds import vectors_of
from components.params import VectorParams
from tests.unit.knowledge.items import four


def source(kind: str, **options: object) -> dict[str, VectorParams]:
    return {"one": VectorParams.model_validate({"kind": kind, "options": options, "dimensions": None})}


def made(root: Path, kind: str, **options: object) -> np.ndarray:
    return vectors_of(four(), source(kind, **options), root, None)["one"]


@pytest.mark.parametrize("lists", [True, False])
def test_a_file_of_lists_or_of_columns_gives_the_same(tmp_path: Path, lists: bool) -> None:
    values = [[1.0, 0.0, 2.0], [0.0, 3.0, 0.0], [0.0, 1.0, 1.0]]
    if lists:
        table = pl.DataFrame({"item_id": ["d", "b", "a"], "image": values})
    else:
        table = pl.DataFrame({"item_id": ["d", "b", "a"]} | {f"x{i}": [row[i] for row in values] for i in range(3)})
    table.write_parquet(tmp_path / "images.parquet")
    found = made(tmp_path, "file", path="images.parquet")
    mean = (np.array(values[1]) + values[2]) / 2  # of the items of training
    want = np.array(values[0]) - mean
    assert np.allclose(found[3], want / np.linalg.norm(want), atol=1e-6)
    assert not found[2].any()
    assert np.linalg.norm(found[0]) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("table", "error"),
    [
        ({"item_id": ["a", "a"], "x": [1.0, 2.0]}, DataError),
        ({"item_id": ["a", "b"], "x": [1.0, float("nan")]}, DataError),
        ({"item_id": ["a", "b"], "x": [[1.0], [1.0, 2.0]]}, DataError),
        ({"item_id": ["a", "b"], "x": ["one", "two"]}, SchemaError),
        ({"id": ["a", "b"], "x": [1.0, 2.0]}, SchemaError),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, table: dict, error: type[ChronotopeError]) -> None:
    pl.DataFrame(table).write_parquet(tmp_path / "f.parquet")
    with pytest.raises(error):
        made(tmp_path, "file", path="f.parquet")


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file"):
        made(tmp_path, "file", path="f.parquet")
    (tmp_path / "f.parquet").write_text("no table")
    with pytest.raises(SchemaError):
        made(tmp_path, "file", path="f.parquet")


def test_places_that_are_near_are_alike(tmp_path: Path) -> None:
    found = made(tmp_path, "place", wavelengths_km=[40.0, 80.0])
    assert found.shape == (4, 12)
    assert np.allclose(found[0], found[3], atol=1e-6)  # one place
    assert found[0] @ found[1] < 0.9
    assert not found[2].any()


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        ("sound", {}, "text, file, place"),
        ("file", {}, "features.vectors.one.options.path"),
        ("place", {"wavelengths_km": []}, "wavelengths_km"),
        ("place", {"wavelengths_km": [1.0], "more": 1}, "more"),
    ],
)
def test_a_source_that_is_none_is_told(tmp_path: Path, kind: str, options: dict, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        made(tmp_path, kind, **options)
