"""Conditioning by rotation: lengths stay, clocks turn, what is unknown turns nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from components.errors import ConfigError
from components.models.config import config_of
from components.models.rotation import RotationConditioning, rotated
from components.models.tokens import Request
from tests.networks import network_params
from tests.toy import toy_encoding


def conditioning(**changes: object) -> RotationConditioning:
    torch.manual_seed(0)
    params = network_params("gru", target_time="given", conditioning="rotation", **changes)
    return RotationConditioning(config_of(params, toy_encoding())).eval()


def request(n: int = 6) -> Request:
    torch.manual_seed(1)
    hour = torch.arange(n) * 3 % 24
    return Request(
        hour=hour,
        weekday=torch.arange(n) % 7,
        minute_of_day=hour.float() * 60 + 7,
        log_gap=torch.ones(n),
        known=torch.ones(n, dtype=torch.bool),
    )


def test_a_rotation_keeps_lengths_and_adds_up() -> None:
    torch.manual_seed(0)
    states, a, b = torch.randn(5, 8), torch.randn(5, 4), torch.randn(5, 4)
    torch.testing.assert_close(rotated(states, a).norm(dim=1), states.norm(dim=1))
    torch.testing.assert_close(rotated(rotated(states, a), b), rotated(states, a + b))
    torch.testing.assert_close(rotated(states, torch.full((5, 4), torch.pi)), -states)


def test_hour_and_weekday_turn_the_state() -> None:
    one, states, asked = conditioning(), torch.randn(6, 16), request()
    before = one(states, asked)
    assert (before - states).abs().max() > 0.1
    for changed in (replace(asked, minute_of_day=asked.minute_of_day + 60), replace(asked, weekday=6 - asked.weekday)):
        assert (one(states, changed) - before).abs().max() > 1e-3
    within = replace(asked, minute_of_day=asked.minute_of_day + 5)  # the same quarter of an hour
    assert one(states, within).equal(before)


def test_an_unknown_clock_turns_nothing() -> None:
    asked = replace(request(), known=torch.arange(6) < 3)
    states = torch.randn(6, 16)
    found = conditioning()(states, asked)
    assert found[3:].equal(states[3:])
    assert not found[:3].equal(states[:3])


def test_an_odd_width_is_refused() -> None:
    with pytest.raises(ConfigError, match="even width"):
        conditioning(width=15)
