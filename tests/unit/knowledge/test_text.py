"""Texts of items as vectors: what is read, what is kept, and what is said where there is nothing to read with."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from components.errors import ConfigError, IntegrityError
from components.knowledge import text
from components.knowledge.kinds import vectors_of
from components.knowledge.text import TextOptions, text_vectors, written
from components.params import VectorParams
from tests.languages import need_minilm, tiny
from tests.unit.knowledge.items import four


def options(model: str, *fields: str) -> TextOptions:
    return TextOptions.model_validate({"model": model, "fields": list(fields or ("title", "text")), "batch": 2})


def test_a_text_is_its_fields_each_said_once() -> None:
    assert written(four(), ["title", "category", "tags", "text"]) == [
        "Green tea. drinks. hot, leaf",
        "Black tea. drinks",
        "",
        "A novel. books. Of love.",
    ]


def test_an_item_without_text_has_no_vector(tmp_path: Path) -> None:
    values, known = text_vectors(four(), options(str(tiny(tmp_path / "m"))), tmp_path, None)
    assert known.tolist() == [True, True, False, True]
    assert not values[2].any()
    assert np.allclose(np.linalg.norm(values[known], axis=1), 1.0, atol=1e-5)


def test_a_folder_is_looked_for_below_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny(tmp_path / "w" / "m")
    monkeypatch.chdir(tmp_path)
    assert text_vectors(four(), options("m"), tmp_path / "w", None)[1].any()


def test_what_was_read_is_kept_and_read_again_for_another_model_or_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [str(tiny(tmp_path / "one", seed=1)), str(tiny(tmp_path / "two", seed=2))]
    cache, read = tmp_path / "cache", []
    real = text._read
    monkeypatch.setattr(text, "_read", lambda texts, *rest: read.append(list(texts)) or real(texts, *rest))
    first = text_vectors(four(), options(models[0]), tmp_path, cache)[0]
    again = text_vectors(four(), options(models[0]), tmp_path, cache)[0]
    assert np.array_equal(first, again)
    assert len(read) == 1
    assert not np.allclose(first, text_vectors(four(), options(models[1]), tmp_path, cache)[0], atol=1e-3)
    text_vectors(four(title=["", "Black tea", "", ""]), options(models[0]), tmp_path, cache)
    assert len(read) == 3
    assert sorted(path.suffix for path in cache.iterdir()) == [".npy"] * 3


@pytest.mark.parametrize("bytes_", [b"", b"\x93NUMPY torn"])
def test_a_torn_cache_is_told(tmp_path: Path, bytes_: bytes) -> None:
    model, cache = str(tiny(tmp_path / "m")), tmp_path / "cache"
    text_vectors(four(), options(model), tmp_path, cache)
    next(cache.iterdir()).write_bytes(bytes_)
    with pytest.raises(IntegrityError, match="Remove it"):
        text_vectors(four(), options(model), tmp_path, cache)


def test_without_the_extra_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = str(tiny(tmp_path / "m"))
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"pip install 'chronotope\[text\]'"):
        text_vectors(four(), options(model), tmp_path, None)


def test_like_texts_have_like_vectors(tmp_path: Path) -> None:
    titles = ["Green tea", "A cup of black tea", "Mountain bicycle", "Road bike"]
    items = four(trained=np.ones(4, bool), title=titles, text=[""] * 4)
    record = {"kind": "text", "options": {"model": need_minilm(), "fields": ["title"], "batch": 4}, "dimensions": None}
    one = vectors_of(items, {"words": VectorParams.model_validate(record)}, tmp_path, None)["words"]
    assert min(one[0] @ one[1], one[2] @ one[3]) > 0.1 > max(one[0] @ one[2], one[1] @ one[3])
