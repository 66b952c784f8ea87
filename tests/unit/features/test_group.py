"""Grouping strings: both ways agree with polars, and strings of one hash are told apart."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from components.features import group as module
from components.features.group import dictionary, group


def column(n: int = 3000, distinct: int = 700) -> pl.Series:
    return pl.Series([f"é{k % distinct}x" for k in np.random.default_rng(0).integers(0, 10**6, n)])


def check(series: pl.Series) -> None:
    row, offsets, names = group(series)
    assert names == sorted(set(series))
    for name, low, high in zip(names, offsets, offsets[1:], strict=False):
        assert (np.diff(row[low:high].astype(np.int64)) > 0).all()
        assert set(series.gather(row[low:high])) == {name}
    assert sorted(row.tolist()) == list(range(len(series)))


def test_group() -> None:
    check(column())
    check(column(1))


def test_strings_of_one_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = module._by_hash

    def merged(series: pl.Series) -> tuple[np.ndarray, np.ndarray]:
        row, starts = genuine(series)
        return row, np.delete(starts, 3)  # two strings share their first hash

    monkeypatch.setattr(module, "_by_hash", merged)
    check(column())


def test_dictionary_with_null_in_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    series = column().set(pl.Series(np.arange(3000) % 7 == 0), None)
    plain = dictionary(series)
    monkeypatch.setattr(module, "_SAMPLE", 2000)
    monkeypatch.setattr(module, "_SMALL_TABLE", 10)
    hashed = dictionary(series)
    assert plain[1] == hashed[1] == sorted(set(series.drop_nulls()))
    assert (plain[0] == hashed[0]).all()
    assert [None if code < 0 else plain[1][code] for code in plain[0]] == series.to_list()


def test_nothing() -> None:
    row, offsets, names = group(pl.Series([], dtype=pl.String))
    assert (row.tolist(), offsets.tolist(), names) == ([], [0], [])
    assert dictionary(pl.Series([None], dtype=pl.String))[0].tolist() == [-1]
