"""Rows in int8: close to what they were, the same wherever they are computed, and a quarter of the bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from components import learners
from components.compression import table
from components.compression.int8 import matrices, restored, rounded
from components.compression.predictor import CompressedPredictor
from components.compression.table import Int8ItemTable
from components.models.embedding import ItemTable
from components.models.transitions import TransitionHead
from components.training.network import NetworkPredictor
from tests.compressed import entry, made, network_of, params_of
from tests.networks import queries_of
from tests.toy import toy_store

STORE = toy_store(n_users=8, n_items=50)
MIXED = {"copy_heads": 2, "item_bias": True, "distance": True, "transitions": {"lags": 2, "successors": 4}}
PARAMS = params_of(large=MIXED, epochs=1, stored=entry(int8="weights"), computed=entry(int8="products"))


@pytest.fixture(scope="module")
def large() -> NetworkPredictor:
    return network_of("large", PARAMS, STORE)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6))
def test_no_weight_moves_by_more_than_half_a_step_of_its_row(seed: int, size: float) -> None:
    rows = size * torch.randn(5, 7, generator=torch.Generator().manual_seed(seed))
    rows[2] = 0.0
    code, scale = rounded(rows)
    assert code.dtype == torch.int8
    assert int(code.abs().max()) == 127
    assert bool(((restored(code, scale) - rows).abs() <= 0.5001 * scale[:, None]).all())
    assert bool((restored(code, scale)[2] == 0).all())


def test_what_is_rounded_twice_is_rounded_once() -> None:
    code, scale = rounded(torch.randn(6, 9))
    again, same = rounded(restored(code, scale))
    assert torch.equal(code, again)
    torch.testing.assert_close(scale, same)


@pytest.mark.parametrize("name", ["stored", "computed"])
def test_a_model_in_int8_is_small_and_answers_alike(
    name: str, large: NetworkPredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "_SMALL", 0)
    one = made(name, PARAMS, STORE, large)
    one.save(tmp_path / name)
    large.save(tmp_path / "large")
    weights = [(tmp_path / part / "weights.safetensors").stat().st_size for part in (name, "large")]
    counts = sum(one.nbytes for one in large.model.buffers())  # they stay whole
    assert weights[0] - counts < 0.55 * (weights[1] - counts)  # headers weigh much in a model of 16 units
    queries = queries_of(STORE, large)
    before, after = np.exp(large.score(queries).item), np.exp(one.score(queries).item)
    assert 0 < np.abs(after - before).max() < 0.03
    loaded = learners.load(tmp_path / name)
    assert isinstance(loaded, CompressedPredictor)
    np.testing.assert_array_equal(loaded.score(queries).item, one.score(queries).item)
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again" / "weights.safetensors").read_bytes() == (
        tmp_path / name / "weights.safetensors"
    ).read_bytes()


def test_counts_and_codes_are_never_rounded(large: NetworkPredictor) -> None:
    assert isinstance(large.model.item.transitions, TransitionHead)
    assert not {"item.transitions.count", "embedding.table.category", "item.distance.points"} & matrices(large.model)


@pytest.mark.parametrize("temperature", [None, 0.1])
def test_the_product_in_int8_does_not_depend_on_who_else_is_asked(
    temperature: float | None, large: NetworkPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Int8ItemTable(large.model.config)
    one.load_state_dict(large.model.embedding.table.state_dict())
    one.pack(temperature)
    assert one.code is None  # nothing to gain
    monkeypatch.setattr(table, "_SMALL", 0)
    one.pack(temperature)
    states = torch.randn(9, 16)
    one.requires_grad_(False)
    together = one.product(states, temperature)(slice(None))
    alone = [one.product(states[n : n + 1], temperature)(slice(None)) for n in range(9)]
    assert torch.equal(together, torch.cat(alone))
    monkeypatch.setattr(table, "_BLOCK", 7)
    assert torch.equal(one.product(states, temperature)(slice(None)), together)
    exact = ItemTable.product(one, states, temperature)(slice(None))
    assert float((together - exact).abs().max()) < 0.02 * float(exact.abs().max())
