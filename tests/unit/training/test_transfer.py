"""Weights that another network begins with: by name, by shape, and row by row where ids agree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from components.errors import ConfigError, IntegrityError
from components.features.encoding import Encoding, Vocabulary
from components.features.store import Store
from components.models.config import config_of
from components.models.sequence import SequenceModel
from components.predictor import NoTracker, Window
from components.training.network import NetworkPredictor, origin_of
from components.training.transfer import carry
from tests.networks import fitted, network_params, predictor
from tests.toy import toy_encoding, toy_store

ITEMS = "embedding.table.item.weight"


@pytest.fixture(scope="module")
def log() -> Store:
    return toy_store(n_users=20)


@pytest.fixture(scope="module")
def trained(log: Store) -> NetworkPredictor:
    return fitted(log, predictor("gru", loop={"epochs": 1}, item_bias=True))


def reordered(encoding: Encoding, new: str) -> Encoding:
    """The same ids from the last to the first, and one that nobody knows."""
    ids = [new, *(str(name) for name in encoding.vocabularies["item"].ids[:1:-1])]
    attributes = encoding.catalogue
    order = np.concatenate([[0, 1, 2], np.arange(2, encoding.n_items)[::-1]])
    names = ("category", "latitude", "longitude", "price", "title", "text", "tags")
    catalogue = replace(attributes, **{name: getattr(attributes, name)[order] for name in names})
    return replace(encoding, vocabularies={**encoding.vocabularies, "item": Vocabulary.of(ids)}, catalogue=catalogue)


def test_rows_follow_their_ids(log: Store, trained: NetworkPredictor) -> None:
    encoding = reordered(log.encoding, "new")
    model = SequenceModel(config_of(trained.network, encoding))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    told = carry(model, encoding, trained.as_origin(log.encoding, "x"))
    mine, theirs = model.state_dict(), trained.model.state_dict()
    for name, ahead in ((ITEMS, 0), ("item.bias", 2)):
        for code, item in enumerate(encoding.vocabularies["item"].ids[2:], 2):
            old = log.encoding.vocabularies["item"].code_of.get(str(item))
            expected = before[name][code - ahead] if old is None else theirs[name][old - ahead]
            assert torch.equal(mine[name][code - ahead], expected), (name, item)
        assert told[name] == "20 of 21 rows"
    assert torch.equal(mine["encoder.recurrence.cells.weight_hh_l0"], theirs["encoder.recurrence.cells.weight_hh_l0"])
    assert told["time.linear.weight"] == "all"
    assert "embedding.table.category" not in told


def test_what_does_not_agree_stays_fresh_and_is_told(log: Store, trained: NetworkPredictor) -> None:
    wide = network_params("gru", width=24, heads={"item": 1.0})
    told = carry(SequenceModel(config_of(wide, log.encoding)), log.encoding, trained.as_origin(log.encoding, "x"))
    assert all(one.startswith("fresh") for one in told.values())
    assert told[ITEMS] == "fresh: rows of (16,) there, of (24,) here"
    other = network_params("transformer", heads={"item": 1.0, "category": 0.1})
    told = carry(SequenceModel(config_of(other, log.encoding)), log.encoding, trained.as_origin(log.encoding, "x"))
    assert told["category.linear.weight"] == "fresh: the other has none"
    assert told[ITEMS] == "20 of 20 rows"


def test_another_log_shares_what_is_not_of_the_log(trained: NetworkPredictor, log: Store) -> None:
    other = toy_store(n_users=20, n_items=30, seed=5)
    words = {
        **other.encoding.vocabularies,
        "item": Vocabulary.of([f"thing{n}" for n in range(30)]),
    }
    other = replace(other, encoding=replace(other.encoding, vocabularies=words))
    fresh = predictor("gru", loop={"epochs": 1}, item_bias=True)
    fresh.origin = trained.as_origin(log.encoding, "x")
    fresh.fit(Window(other, "train"), Window(other, "tune"), NoTracker())
    assert fresh.began_with is not None
    assert fresh.began_with["taken"][ITEMS] == "0 of 30 rows"
    assert fresh.began_with["taken"]["encoder.recurrence.cells.weight_hh_l0"] == "all"


def test_it_begins_better_than_nothing(log: Store, trained: NetworkPredictor) -> None:
    def first(origin: bool) -> float:
        one = predictor("gru", loop={"epochs": 1, "optimiser": {"learning_rate": 1e-5}}, item_bias=True)
        one.origin = trained.as_origin(log.encoding, "x") if origin else None
        fitted(log, one)
        return max(row["tune_ndcg@10"] for row in one.curves if "tune_ndcg@10" in row)

    assert first(origin=True) > first(origin=False) + 0.05


def workspace(log: Store, trained: NetworkPredictor, root: Path) -> Path:
    log.save(root / "data" / "features")
    trained.save(root / "models" / "gru")
    return root


def test_a_folder_of_a_workspace_is_an_origin(log: Store, trained: NetworkPredictor, tmp_path: Path) -> None:
    root = workspace(log, trained, tmp_path)
    one = predictor("gru", loop={"epochs": 1}, item_bias=True)
    one.start_from = root / "models" / "gru"
    fitted(log, one)
    one.save(tmp_path / "saved")
    again = NetworkPredictor.load(tmp_path / "saved")
    assert again.began_with == one.began_with
    assert again.began_with is not None
    assert again.began_with["taken"][ITEMS] == "20 of 20 rows"
    again.save(tmp_path / "twice")
    assert (tmp_path / "twice" / "config.json").read_bytes() == (tmp_path / "saved" / "config.json").read_bytes()


def test_an_origin_that_is_none_is_told(log: Store, trained: NetworkPredictor, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.models\.gru\.start_from"):
        origin_of(tmp_path / "nowhere", "gru")
    trained.save(tmp_path / "a" / "b" / "c" / "d" / "lost")
    with pytest.raises(ConfigError, match="vocabulary"):
        origin_of(tmp_path / "a" / "b" / "c" / "d" / "lost", "gru")
    root = workspace(log, trained, tmp_path / "other")
    toy_store(n_users=20, n_items=21).save(root / "data" / "features")
    with pytest.raises(IntegrityError, match="another vocabulary"):
        origin_of(root / "models" / "gru", "gru")


def test_other_numbers_are_not_taken(log: Store, trained: NetworkPredictor) -> None:
    scales = dict(reversed(list(log.encoding.scales.items())))
    encoding = replace(toy_encoding(), scales=scales)
    told = carry(SequenceModel(config_of(trained.network, encoding)), encoding, trained.as_origin(log.encoding, "x"))
    assert told["embedding.numbers.weight"] == "fresh: other numbers"
