"""Pruning takes out what is weakest, whole or one by one, and what is out stays out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from components.compression.predictor import CompressedPredictor, copy_of
from components.compression.prune import without_units, zeroed
from components.errors import ConfigError
from components.models.config import config_of
from components.models.sequence import SequenceModel
from tests.compressed import UNITS, entry, made, network_of, params_of
from tests.networks import GIVEN, network_params, queries_of
from tests.toy import toy_store

STORE = toy_store(n_users=8)
RICH = {"copy_heads": 2, "item_bias": True, "distance": True, "transitions": {"lags": 1, "successors": 4}}


def model_of(kind: str, **changes: object) -> SequenceModel:
    torch.manual_seed(0)
    return SequenceModel(config_of(network_params(kind, **changes), STORE.encoding)).eval()


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru", "cnn_rnn", "st_lstm"])
@pytest.mark.parametrize("changes", [{}, RICH | {"target_time": GIVEN.target_time}])
def test_units_that_are_silent_go_with_their_columns(kind: str, changes: dict[str, object]) -> None:
    model = model_of(kind, **changes)
    silent = [1, 5, 6, 11]
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Embedding) and module.embedding_dim == 16:
                module.weight[:, silent] *= 1e-4
    smaller = without_units(model, 0.25)
    assert smaller.config.width == 12
    kept = [unit for unit in range(16) if unit not in silent]
    assert torch.equal(smaller.embedding.table.item.weight, model.embedding.table.item.weight[:, kept])
    assert sum(one.numel() for one in smaller.parameters()) < sum(one.numel() for one in model.parameters())


def test_gates_keep_the_rows_and_columns_of_the_units_that_stay() -> None:
    model = model_of("gru", inputs=["item"], heads={"item": 1.0}, copy_heads=0)
    dead, live = [0, 3, 4, 7, 8, 9, 12, 15], [1, 2, 5, 6, 10, 11, 13, 14]
    with torch.no_grad():
        model.embedding.table.item.weight[:, dead] = 0.0
        for weight in model.encoder.recurrence.cells.parameters():  # type: ignore[union-attr]
            for gate in weight.chunk(3):
                gate[dead] = 0.0
                if weight.ndim == 2:
                    gate[:, dead] = 0.0
        smaller = without_units(model, 0.5).eval()
        events = torch.randn(2, 5, 16)
        wide, narrow = (
            one.encoder.recurrence.cells(given)[0]  # type: ignore[union-attr,operator]
            for one, given in ((model, events), (smaller, events[:, :, live]))
        )
    torch.testing.assert_close(wide[:, :, live], narrow)


@pytest.mark.parametrize("kind", ["transformer", "bert", "seq2seq"])
def test_feed_forward_layers_lose_whole_multiples_of_the_width(kind: str) -> None:
    model = model_of(kind)
    with torch.no_grad():
        for name, weight in model.encoder.named_parameters():
            if name.endswith("down.weight"):
                weight[:, ::2] = 0.0  # every other hidden unit is unheard
    smaller = without_units(model, 0.5)
    assert smaller.config.options["feedforward"] == 1
    down = [w for n, w in smaller.encoder.named_parameters() if n.endswith("down.weight")]
    before = [w for n, w in model.encoder.named_parameters() if n.endswith("down.weight")]
    for one, other in zip(down, before, strict=True):
        assert torch.equal(one, other[:, 1::2])


def test_what_has_no_units_to_lose_is_told() -> None:
    with pytest.raises(ConfigError, match="units that can go"):
        without_units(model_of("hstu"), 0.5)
    with pytest.raises(ConfigError, match="at least one unit"):
        without_units(model_of("transformer"), 0.1)


def test_the_smallest_weights_become_zero() -> None:
    model = model_of("gru")
    before = copy_of(model)
    masks = zeroed(model, 0.4)
    name = "embedding.table.item.weight"
    weight, old, mask = model.get_parameter(name).detach(), before.get_parameter(name).detach(), masks[name]
    assert int((~mask).sum()) >= int(0.4 * mask.numel())
    assert torch.equal(weight != 0, mask)
    assert float(old[~mask].abs().max()) <= float(old[mask].abs().min())


@pytest.mark.parametrize("prune", [UNITS, UNITS | {"what": "weights"}])
def test_a_pruned_model_is_trained_and_keeps_its_shape(prune: dict[str, object], tmp_path: Path) -> None:
    params = params_of(epochs=2, p=entry("small", prune=prune), bare=entry("small", prune=prune | {"epochs": 0}))
    small = network_of("small", params, STORE)
    one, bare = made("p", params, STORE, small), made("bare", params, STORE, small)
    one.save(tmp_path / "p")
    loaded = CompressedPredictor.load(tmp_path / "p")
    queries = queries_of(STORE, one)
    np.testing.assert_array_equal(loaded.score(queries).item, one.score(queries).item)
    assert not np.array_equal(bare.score(queries).item, one.score(queries).item)
    if prune["what"] == "units":
        assert one.model.config.width == loaded.model.config.width == 4
    else:
        zero = [(w == 0, one.model.get_parameter(n) == 0) for n, w in bare.model.named_parameters() if w.ndim > 1]
        assert all(bool((after | ~before).all()) for before, after in zero)
        assert any(bool(before.any()) for before, _ in zero)
    assert small.model.config.width == 8  # what it is made of is left as it was
