"""ONNX: the same answers for any number and length of histories, or no file; and nothing in it of the machine."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from components.compression.predictor import copy_of
from components.errors import ConfigError, IntegrityError
from components.export import onnx
from components.export.graph import feed_of, inputs_of, outputs_of
from components.files import read_json
from components.models.embedding import ItemTable
from components.training.network import NetworkPredictor
from tests.compressed import entry, made, network_of, params_of
from tests.networks import GIVEN, fitted, predictor, queries_of
from tests.toy import toy_store

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None, reason="the extra onnx is not installed"
)
STORE = toy_store(n_users=8)
MIXED = {"copy_heads": 2, "item_bias": True, "distance": True, "transitions": {"lags": 2, "successors": 4}}
LOOP = {"epochs": 1, "calibration": "temperature"}


@pytest.fixture(scope="module")
def gru() -> NetworkPredictor:
    return fitted(STORE, predictor("gru", GIVEN, loop=LOOP, **MIXED))


@pytest.fixture(scope="module")
def data(gru: NetworkPredictor) -> bytes:
    return onnx.graph(gru, queries_of(STORE, gru, n=30))


def test_histories_of_every_length_are_answered_as_here(gru: NetworkPredictor, data: bytes) -> None:
    queries = queries_of(STORE, gru, n=12)
    for length in (0, 1, 2, 11, 12, 40):
        part = queries[slice(0, 5)]
        object.__setattr__(part, "start", np.maximum(part.stop - length, part.start))
        assert onnx.parity(data, gru, part) < 1e-5


def test_what_is_written_says_what_goes_in_and_out(
    gru: NetworkPredictor, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx as theirs

    monkeypatch.setattr(onnx, "graph", lambda predictor, queries: data)
    path = tmp_path / "m.onnx"
    found = onnx.export(gru, queries_of(STORE, gru, n=30), path)
    assert found.difference <= onnx.TOLERANCE == 1e-4
    record = read_json(tmp_path / "m.onnx.json")
    assert [one["name"] for one in record["inputs"]] == [one.name for one in inputs_of(gru.model.config)]
    assert all(one["about"] and one["type"] and one["shape"] for one in record["inputs"] + record["outputs"])
    model = theirs.load(path)
    theirs.checker.check_model(model)
    assert [one.name for one in model.graph.output] == [one.name for one in outputs_of(gru.model.config)]
    text = path.read_bytes()
    assert b".py" not in text
    assert str(Path(__file__).resolve().parents[3]).encode() not in text


def test_a_file_that_answers_otherwise_is_not_written(
    gru: NetworkPredictor, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx, "graph", lambda predictor, queries: data)
    temperatures = gru.temperatures
    gru.temperatures = {"item": 2.0}
    try:
        with pytest.raises(IntegrityError, match="nothing was written"):
            onnx.export(gru, queries_of(STORE, gru, n=10), tmp_path / "m.onnx")
    finally:
        gru.temperatures = temperatures
    assert not list(tmp_path.iterdir())


def test_a_number_that_is_none_never_passes(
    gru: NetworkPredictor, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx, "graph", lambda predictor, queries: data)
    monkeypatch.setattr(onnx, "parity", lambda *given: float("nan"))
    with pytest.raises(IntegrityError):
        onnx.export(gru, queries_of(STORE, gru, n=10), tmp_path / "m.onnx")


def test_int8_is_smaller_within_its_own_tolerance(gru: NetworkPredictor, data: bytes) -> None:
    small = onnx.quantised(data)
    assert len(small) < len(data)
    assert 0 < onnx.parity(small, gru, queries_of(STORE, gru, n=30)) <= onnx.TOLERANCE_INT8


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["transformer", "hstu"])
def test_attention_is_exported_too(kind: str) -> None:
    options = {"transformer": {"layers": 1, "heads": 2, "feedforward": 1, "bias": "both"}}
    changes = {"encoder": {"kind": kind, "options": options[kind]}} if kind in options else {}
    one = fitted(STORE, predictor(kind, loop={"epochs": 1}, **changes))
    queries = queries_of(STORE, one, n=20)
    assert onnx.parity(onnx.graph(one, queries), one, queries) < 1e-4


def test_a_model_that_multiplies_in_int8_is_exported_with_the_weights_of_its_file() -> None:
    params = params_of(epochs=1, m=entry("small", int8="products"))
    model = made("m", params, STORE, network_of("small", params, STORE)).model
    plain = copy_of(model)
    assert type(plain.embedding.table) is ItemTable
    assert all(torch.equal(one, plain.state_dict()[name]) for name, one in model.state_dict().items())


def test_encoders_without_a_graph_for_every_length_are_told() -> None:
    one = fitted(STORE, predictor("st_lstm", loop={"epochs": 1}))
    with pytest.raises(ConfigError, match="encoder of rnn"):
        onnx.export(one, queries_of(STORE, one, n=4), Path("never.onnx"))


def test_without_the_extra_it_says_how_to_get_it(gru: NetworkPredictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"chronotope\[onnx\]"):
        onnx.export(gru, queries_of(STORE, gru, n=4), Path("never.onnx"))


def test_the_feed_is_what_the_fields_say(gru: NetworkPredictor) -> None:
    feed = feed_of(queries_of(STORE, gru, n=3), gru.model.config)
    for field in inputs_of(gru.model.config):
        assert str(feed[field.name].dtype) == f"torch.{field.type}", field.name
        assert feed[field.name].ndim == len(field.shape), field.name
