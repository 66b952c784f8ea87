"""Augmentation: off it is nothing at all; on it changes inputs as said, the same for the same seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from components.features.encoding import Vocabulary
from components.features.place import cell_codes, cell_name, cells_of, parents, to_e7
from components.features.store import Store
from components.models.config import config_of
from components.params import AugmentParams
from components.predictor import Window
from components.training.augment import Augmentation, tie_order
from components.training.batches import Batch, Corpus
from tests.networks import OFF, fitted, network_params, predictor, with_columns
from tests.toy import toy_store


def corpus(store: Store, target_time: str = "given") -> Corpus:
    config = config_of(network_params("gru", target_time=target_time), store.encoding)
    return Corpus(Window(store, "train"), config, "chunks", 256, 0)


def augmented(store: Store, epoch: int = 0, seed: int = 0, **changes: object) -> list[tuple[Batch, Batch]]:
    """(plain, changed) batches of an epoch."""
    one = corpus(store)
    augmentation = Augmentation(one, AugmentParams.model_validate(OFF | changes), seed)
    return [(one.batch(part), augmentation.batch(part, epoch, at)) for at, part in enumerate(one.plan(epoch))]


def same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return bool(torch.equal(torch.nan_to_num(a), torch.nan_to_num(b)))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if hasattr(a, "__dict__") and hasattr(b, "__dict__"):
        return same(vars(a), vars(b))
    return a == b


def tied_store() -> Store:
    """Every second event has the time of the one before it."""
    store = toy_store()
    time_s = np.asarray(store["time_s"]).copy()
    time_s[1::2] = time_s[::2]
    gap_s = np.diff(time_s, prepend=0)
    gap_s[store.offsets[:-1]] = -1
    return with_columns(store, time_s=time_s, gap_s=gap_s)


def placed_store() -> Store:
    """The tied store with the H3 cells of its places."""
    store = tied_store()
    at = (to_e7(np.asarray(store[axis], np.float64)) for axis in ("latitude", "longitude"))
    cells, index = cells_of(*at, 8)
    vocabularies, columns = dict(store.encoding.vocabularies), {}
    for resolution in (6, 8):
        here = parents(cells, resolution)
        vocabularies[f"cell_{resolution}"] = Vocabulary.of([cell_name(int(cell)) for cell in np.unique(here)])
        columns[f"cell_{resolution}"] = cell_codes(here, vocabularies[f"cell_{resolution}"])[index]
    return replace(with_columns(store, **columns), encoding=replace(store.encoding, vocabularies=vocabularies))


def test_off_it_is_the_corpus_itself() -> None:
    for plain, shown in augmented(tied_store()):
        assert same(plain, shown)


def test_off_the_weights_are_those_of_a_loop_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    store = tied_store()
    one = fitted(store, predictor("gru", loop={"epochs": 1}))
    monkeypatch.setattr(Augmentation, "batch", lambda self, part, epoch, at: self._corpus.batch(part))
    two = fitted(store, predictor("gru", loop={"epochs": 1}))
    for name, tensor in one.model.state_dict().items():
        assert two.model.state_dict()[name].equal(tensor), name


@pytest.mark.parametrize(
    "changes",
    [{"mask": 0.3}, {"reorder_ties": True}, {"time_noise_s": 600.0}, {"place_noise_km": 1.0}, {"time_hidden": 0.3}],
)
def test_what_is_drawn_depends_on_seed_epoch_and_place_alone(changes: dict[str, object]) -> None:
    store = placed_store()
    one, again = augmented(store, 1, **changes), augmented(store, 1, **changes)
    assert all(same(a[1], b[1]) for a, b in zip(one, again, strict=True))
    assert not all(same(plain, shown) for plain, shown in one)
    assert not all(same(a[1], b[1]) for a, b in zip(one, augmented(store, 1, seed=5, **changes), strict=True))


def test_a_share_of_the_items_is_hidden_and_nothing_else_changes() -> None:
    hidden = events = 0
    for plain, shown in augmented(toy_store(), mask=0.3):
        before, after = plain.tokens.codes["item"], shown.tokens.codes["item"]
        assert set(after[before != after].tolist()) == {1}
        hidden += int((before != after).sum())
        events += int((before > 1).sum())
        assert same(plain, replace(shown, tokens=replace(shown.tokens, codes=plain.tokens.codes)))
        others = {name: code for name, code in shown.tokens.codes.items() if name != "item"}
        assert all(same(code, plain.tokens.codes[name]) for name, code in others.items())
    assert hidden / events == pytest.approx(0.3, abs=0.05)


def test_a_share_of_the_requests_comes_without_its_time_and_nothing_else_changes() -> None:
    told = []
    for plain, shown in augmented(toy_store(), time_hidden=0.3):
        assert plain.targets.request is not None
        assert shown.targets.request is not None
        assert bool(plain.targets.request.known.all())
        told += shown.targets.request.known.tolist()
        request = replace(shown.targets.request, known=plain.targets.request.known)
        assert same(plain, replace(shown, targets=replace(shown.targets, request=request)))
    assert 1 - np.mean(told) == pytest.approx(0.3, abs=0.05)


def test_without_the_time_there_is_nothing_to_hide() -> None:
    one = corpus(toy_store(), "hidden")
    augmentation = Augmentation(one, AugmentParams.model_validate(OFF | {"time_hidden": 0.3}), 0)
    assert all(same(one.batch(part), augmentation.batch(part, 0, at)) for at, part in enumerate(one.plan(0)))


def test_ties_are_shuffled_within_their_time_and_anew_each_epoch() -> None:
    store = tied_store()
    one = corpus(store)
    order = tie_order(store, one.trained, np.random.default_rng(0))
    assert np.array_equal(np.sort(order), np.arange(store.n_events))
    assert np.array_equal(np.asarray(store["time_s"])[order], np.asarray(store["time_s"]))
    assert np.array_equal(store.user[order], store.user)
    assert 0.2 < np.mean(order != np.arange(store.n_events)) < 0.8
    assert np.array_equal(order[~one.trained], np.flatnonzero(~one.trained))
    first, second = (
        np.concatenate([shown.targets.item.numpy() for _, shown in augmented(store, epoch, reorder_ties=True)])
        for epoch in (0, 1)
    )
    assert not np.array_equal(np.sort(first), first)
    assert np.array_equal(np.bincount(first), np.bincount(second))
    for plain, shown in augmented(store, reorder_ties=True):
        assert same(plain.targets.log_gap, shown.targets.log_gap)  # a pause stays before its group
        assert same(plain.tokens.time_s, shown.tokens.time_s)
        assert not same(plain.targets.item, shown.targets.item)


def test_without_ties_shuffling_changes_nothing() -> None:
    for plain, shown in augmented(toy_store(), reorder_ties=True):
        assert same(plain, shown)


def test_times_move_by_the_noise_and_stay_in_order() -> None:
    moved = []
    for plain, shown in augmented(toy_store(), time_noise_s=1_800.0):
        a, b, mask = plain.tokens.time_s, shown.tokens.time_s, plain.tokens.mask
        assert bool(((b[:, 1:] >= b[:, :-1]) | ~mask[:, 1:]).all())
        moved += (b - a)[mask].tolist()
        hour = shown.tokens.codes["hour"]
        assert int(hour.max()) <= 23
        assert (hour != plain.tokens.codes["hour"]).sum() > 0
        assert shown.tokens.numbers is not None
        assert plain.tokens.numbers is not None
        assert not shown.tokens.numbers[..., 0].equal(plain.tokens.numbers[..., 0])
        assert shown.tokens.numbers[..., 1:].equal(plain.tokens.numbers[..., 1:])
        assert same(plain.targets, shown.targets)
    assert 900 < np.std(moved) < 2_400


def test_no_noise_in_time_is_the_clock_of_the_store() -> None:
    """A noise that rounds to nothing recomputes the columns that the store holds."""
    for plain, shown in augmented(toy_store(), time_noise_s=1e-9):
        assert same(plain.tokens.codes, shown.tokens.codes)
        assert same(plain.tokens.time_s, shown.tokens.time_s)
        assert plain.tokens.numbers is not None
        assert shown.tokens.numbers is not None
        torch.testing.assert_close(plain.tokens.numbers, shown.tokens.numbers)


def test_places_move_to_cells_nearby_and_nothing_else_changes() -> None:
    stayed = []
    for plain, shown in augmented(placed_store(), place_noise_km=0.2):
        before, after = plain.tokens.codes, shown.tokens.codes
        assert {name for name in before if not before[name].equal(after[name])} <= {"cell_6", "cell_8"}
        event = before["cell_8"] > 0
        assert bool(((after["cell_8"] > 0) == event).all())
        stayed += (before["cell_8"] == after["cell_8"])[event].tolist()
        assert same(plain.targets, shown.targets)
    assert 0.2 < np.mean(stayed) < 0.95  # a cell of resolution 8 is about a kilometre wide


def test_without_noise_a_place_has_the_cell_of_the_store() -> None:
    for plain, shown in augmented(placed_store(), place_noise_km=1e-7):
        assert same(plain.tokens.codes, shown.tokens.codes)
