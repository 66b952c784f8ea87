"""The item head with copies and distances: one distribution, the same trained and asked, and blind to what is later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from components.errors import ConfigError
from components.models import losses
from components.models.config import SequenceConfig, config_of
from components.models.copy import CopyHead
from components.models.distance import DistanceBias
from components.models.item import Read
from components.models.losses import target_log_probability
from components.models.pointers import Asked
from components.models.sequence import SequenceModel
from components.models.tokens import Request, Tokens
from components.training.gather import Slices, tokens_of
from components.training.successors import count_successors
from tests.networks import network_params
from tests.toy import toy_encoding, toy_store

MIXES = [
    {"copy_heads": 2},
    {"distance": True},
    {"item_bias": True},
    {"copy_heads": 3, "item_bias": True, "distance": True},
    {"transitions": {"lags": 2, "successors": 6}},
    {"copy_heads": 2, "transitions": {"lags": 1, "successors": 6}, "item_bias": True, "distance": True},
]


def config(**changes: object) -> SequenceConfig:
    return config_of(network_params("gru", **changes), toy_encoding())


def model(**changes: object) -> SequenceModel:
    torch.manual_seed(1)
    one = SequenceModel(config(**changes)).eval()
    if one.item.distance is not None:
        one.item.distance.points.copy_(F.normalize(torch.randn(one.config.items, 3), dim=1))
    if one.item.transitions is not None:
        store = toy_store()
        count_successors(store, np.ones(store.n_events, bool), one.item.transitions)
    with torch.no_grad():
        for weight in one.item.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    return one


def tokens(one: SequenceModel, *lengths: int) -> Tokens:
    length = np.array(lengths)
    store = toy_store()
    return tokens_of(
        store, Slices(store.offsets[: len(length)], np.zeros(len(length), int), length, length), one.config
    )


def asked_everywhere(read: Read) -> Asked:
    B, L = read.tokens.mask.shape
    return Asked(read.states, torch.arange(L).expand(B, L), None)


@pytest.mark.parametrize("changes", MIXES)
def test_answers_are_distributions_even_of_nobody(changes: dict[str, object]) -> None:
    one = model(**changes)
    seen = tokens(one, 9, 1, 5)
    answers = one.answer(one.read(seen), torch.tensor([8, 0, 4]), None)
    torch.testing.assert_close(answers.item.exp().sum(1), torch.ones(3))


@pytest.mark.parametrize("changes", MIXES)
def test_the_loss_is_of_the_answers(changes: dict[str, object]) -> None:
    one = model(**changes)
    read = one.read(tokens(one, 9, 6))
    target = torch.randint(2, one.config.items, (2, 9))
    target[1, 6:] = 0
    together = one.item.loss(asked_everywhere(read), read, one.embedding.table, target)
    alone = torch.tensor(0.0)
    for row, at in [(0, t) for t in range(9)] + [(1, t) for t in range(6)]:
        single = one.read(tokens(one, 9, 6))
        answers = one.answer(single, torch.tensor([at, at]), None)
        alone = alone - answers.item[row, target[row, at] - 2]
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("changes", MIXES)
def test_gradients_are_finite_and_reach_every_weight(changes: dict[str, object]) -> None:
    one = model(**changes)
    read = one.read(tokens(one, 9, 1))  # the second has nothing to copy
    target = read.tokens.codes["item"].clone()  # each can be copied
    target[:, 0] = 5
    one.item.loss(asked_everywhere(read), read, one.embedding.table, target).backward()
    for name, weight in one.item.named_parameters():
        assert weight.grad is not None, name
        assert bool(torch.isfinite(weight.grad).all()), name
        assert bool((weight.grad != 0).any()), name


def test_what_comes_later_is_not_copied() -> None:
    one = model(copy_heads=2)
    seen = tokens(one, 9)
    at = torch.tensor([4])
    before = one.answer(one.read(seen), at, None).item
    item = seen.codes["item"].clone()
    item[:, 5:] = 2 + (item[:, 5:] - 1) % (one.config.items - 2)
    later = replace(seen, codes={**seen.codes, "item": item}, time_s=seen.time_s + 999 * (torch.arange(9) > 4))
    torch.testing.assert_close(one.answer(one.read(later), at, None).item, before)
    now = item.clone()
    now[:, 3] = 2 + (now[:, 3] - 1) % (one.config.items - 2)
    assert not torch.allclose(
        one.answer(one.read(replace(seen, codes={**seen.codes, "item": now})), at, None).item, before
    )


def _share(head: CopyHead, one: SequenceModel, seen: Tokens, request: Request | None = None) -> Tensor:
    read = Read(seen, torch.zeros(*seen.mask.shape, 16), torch.zeros(*seen.mask.shape, 16))
    last = seen.mask.sum(1, keepdim=True) - 1
    asked = Asked(torch.zeros(len(last), 1, 16), last, request)
    return head(asked, read.states, read.events, seen).log_share[:, :, 0].exp()


def test_without_learning_a_head_counts_how_often() -> None:
    one = SequenceModel(config(copy_heads=1))
    assert one.item.copy is not None
    seen = tokens(one, 9)
    share = _share(one.item.copy, one, seen)[0, 0]
    known = seen.codes["item"][0] > 1
    torch.testing.assert_close(share, known / known.sum())


@pytest.mark.parametrize(("table", "favoured"), [("rank", 8), ("age", 8)])
def test_a_bias_makes_the_newest_likelier(table: str, favoured: int) -> None:
    one = SequenceModel(config(copy_heads=1))
    assert one.item.copy is not None
    with torch.no_grad():
        getattr(one.item.copy, table).weight[0] = 5.0
    seen = tokens(one, 9)
    seen = replace(seen, time_s=torch.arange(9)[None] * 3600, codes={**seen.codes, "item": torch.arange(9)[None] + 2})
    assert int(_share(one.item.copy, one, seen)[0, 0].argmax()) == favoured


@pytest.mark.parametrize(("pause_s", "known", "favoured"), [(600, True, 2), (40_000, True, 4), (600, False, None)])
def test_what_came_after_a_like_pause_can_be_favoured(pause_s: int, known: bool, favoured: int | None) -> None:
    one = SequenceModel(config(copy_heads=1, target_time="given"))
    assert one.item.copy is not None
    assert one.item.copy.pause is not None
    with torch.no_grad():
        one.item.copy.pause.weight[len(one.item.copy.pause.weight) // 2 + 1] = 5.0  # alike, behind the same item
    seen = replace(tokens(one, 6), time_s=torch.tensor([[0, 0, 660, 90_000, 126_000, 200_000]]))
    seen = replace(seen, codes={**seen.codes, "item": torch.tensor([[0, 5, 6, 5, 7, 5]])})  # 5 → 6 soon, 5 → 7 later
    clock = torch.tensor([0])
    request = Request(clock, clock, clock.float(), torch.log1p(torch.tensor([float(pause_s)])), torch.tensor([known]))
    share = _share(one.item.copy, one, seen, request)[0, 0].detach()
    if favoured is None:
        assert float(share[1:].max() - share[1:].min()) < 1e-6
    else:
        assert int(share.argmax()) == favoured
        assert float(share[favoured]) > 0.9


def test_near_events_differ_from_far_ones_within_a_kilometre() -> None:
    one = SequenceModel(config(copy_heads=1))
    assert one.item.copy is not None
    assert one.item.copy.place is not None
    with torch.no_grad():
        one.item.copy.place.weight[0] = 5.0  # within 50 m
    lat = np.radians(48.85 + np.array([0.0, 0.01, 0.0002, 0.01, 0.0]))
    lon = np.radians(np.full(5, 2.35))
    point = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], 1)
    seen = tokens(one, 5)
    seen = replace(
        seen,
        point=torch.from_numpy(point.astype(np.float32))[None],
        codes={**seen.codes, "item": torch.arange(5)[None] + 2},
    )
    share = _share(one.item.copy, one, seen)[0, 0]
    assert share[[0, 2, 4]].min() > 10 * share[[1, 3]].max()


def test_what_is_near_is_likelier() -> None:
    bias = DistanceBias(config(distance=True))
    angle = torch.tensor([0.0, 0.0, 1e-5, 1e-4, 1e-2])  # 64 m, 640 m, 64 km
    bias.points.zero_()
    bias.points[:5] = torch.stack([angle.cos(), angle.sin(), torch.zeros(5)], 1)
    found = bias(torch.zeros(2, 16), torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    assert found[0, 0] > found[0, 1] > found[0, 2]
    found = found.detach()
    assert float(found[0, 3:].abs().max()) == 0.0  # items without a place
    assert float(found[1].abs().max()) == 0.0  # a request without one


@pytest.mark.parametrize("block", [1 << 6, 1 << 18])
def test_blockwise_log_probability_is_log_softmax(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setitem(losses._BLOCK, "cpu", block)
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(23, 4, generator=generator, requires_grad=True)
    weight = torch.randn(31, 4, generator=generator, requires_grad=True)
    target = torch.randint(0, 31, (23,), generator=generator)
    target[::5] = -1
    factor = torch.rand(23, generator=generator)
    rows = torch.arange(23)
    wanted = torch.log_softmax(states @ weight.T, 1)[rows, target.clamp_min(0)] * (target >= 0)
    found = target_log_probability(lambda part: states[part] @ weight.T, target, 31)
    torch.testing.assert_close(found, wanted)
    for one, other in zip(
        torch.autograd.grad((found * factor).sum(), (states, weight)),
        torch.autograd.grad((wanted * factor).sum(), (states, weight)),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_copies_need_items_to_be_read() -> None:
    with pytest.raises(ConfigError, match="copy heads"):
        config(copy_heads=1, inputs=["action"])
