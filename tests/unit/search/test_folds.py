"""Rolling folds: each is judged after its past, and none reads the blend or the test window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from components.errors import DataError
from components.features.store import WINDOWS
from components.features.windows import edges
from components.params import Params
from components.search.folds import digest, rolling
from tests.unit.search.conftest import written

DAY_S = 86_400


def blend_start(root: Path, params: Params) -> int:
    log = pl.read_parquet(root / "data" / "validated" / "events.parquet")
    return int(edges(log["timestamp"].dt.epoch("s").to_numpy(), params.windows)[1])


def test_folds_follow_each_other_and_end_before_the_blend_window(root: Path) -> None:
    params = written(root, folds=3)
    folds = rolling(root, params, mixed=False)
    end = blend_start(root, params)
    for fold in folds[::-1]:
        time_s, window = np.asarray(fold.store["time_s"]), np.asarray(fold.store["window"])
        judged = time_s[window == WINDOWS["test"]]
        assert judged.min() >= end - 4 * DAY_S
        assert judged.max() < end
        assert time_s[window < WINDOWS["test"]].max() < end - 4 * DAY_S
        assert not (window == WINDOWS["blend"]).any()
        assert (window == WINDOWS["tune"]).any()
        end -= 4 * DAY_S


def test_a_blend_has_a_window_to_be_fitted_on(root: Path) -> None:
    for fold in rolling(root, written(root), mixed=True):
        assert (np.asarray(fold.store["window"]) == WINDOWS["blend"]).any()


def test_a_fold_knows_the_items_of_its_own_past_alone(root: Path) -> None:
    first, last = rolling(root, written(root, folds=2), mixed=False)
    path = root / "data" / "validated" / "events.parquet"
    log = pl.read_parquet(path)
    late = int(np.asarray(first.store["time_s"])[np.asarray(first.store["window"]) == WINDOWS["test"]].min())
    assert first.store.n_events < last.store.n_events
    log.with_columns(
        pl.when(pl.col("timestamp").dt.epoch("s") >= late).then(pl.lit("new")).otherwise("item_id").alias("item_id")
    ).write_parquet(path)
    again, _ = rolling(root, written(root, folds=2), mixed=False)
    assert (
        again.store.encoding.vocabularies["item"].ids.tolist() == first.store.encoding.vocabularies["item"].ids.tolist()
    )
    assert "new" not in again.store.encoding.vocabularies["item"].ids


def test_poison_in_the_blend_and_test_windows_changes_nothing(root: Path) -> None:
    params = written(root)
    before = digest(rolling(root, params, mixed=False))
    poison(root, blend_start(root, params))
    assert digest(rolling(root, params, mixed=False)) == before


def poison(root: Path, since_s: int) -> None:
    """Make all that happened since a stranger's purchase of an unknown item; only times stay."""
    path = root / "data" / "validated" / "events.parquet"
    log = pl.read_parquet(path)
    late = pl.col("timestamp").dt.epoch("s") >= since_s
    changed = {"user_id": "stranger", "item_id": "poison", "action": "purchase", "latitude": 0.5, "value": 1e6}
    log.with_columns(
        pl.when(late).then(pl.lit(value)).otherwise(name).cast(log.schema[name]).alias(name)
        for name, value in changed.items()
    ).write_parquet(path)


def test_too_many_folds_are_told(root: Path) -> None:
    with pytest.raises(DataError, match=r"40 folds.*search\.folds"):
        rolling(root, written(root, folds=40), mixed=False)


def test_a_log_that_is_not_validated(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="stage validate"):
        rolling(tmp_path, written(tmp_path), mixed=False)
