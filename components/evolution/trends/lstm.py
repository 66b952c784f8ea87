"""A global LSTM forecaster: one small network for all series, each window scaled and without its season.

The network reads the last cycles of a series as patches, a cycle at a time, and answers all steps of the horizon at
once by quantiles; a linear path from the window to the answer runs beside it, an autoregression that all series share.
One network serves a whole panel: M4's recurrent benchmark, one network for each series, lost to repeating the last
value. Never here: how it is trained (`lstm_fit`).

References: Hochreiter, Schmidhuber (1997), Long short-term memory; Lai et al. (2018), LSTNet (the linear path);
Salinas et al. (2020), DeepAR (one network for all, scaled); Wen et al. (2017), MQ-RNN (direct, by quantiles).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor, nn

from components.params.section import Fraction, Section


class LstmConfig(Section):
    """Shape and training of the network; every number changes the result.

    Attributes
    ----------
    patch : steps that one step of the recurrence reads, usually the shortest cycle
    lookback : steps of the window; a multiple of `patch`
    hidden, layers : of the recurrence
    dropout : of its states, 0..1
    rounds : steps of the optimiser
    batch : windows of a step
    rate : learning rate at its height
    decay : of weights
    levels : (Q,) quantiles of the answer, ascending, .5 among them
    members : networks of different seeds whose answers are averaged
    recent : origins are drawn from so many last steps of each series; None: from all
    """

    patch: int = Field(ge=1)
    lookback: int = Field(ge=2)
    hidden: int = Field(ge=1)
    layers: int = Field(ge=1)
    dropout: float = Fraction
    rounds: int = Field(ge=1)
    batch: int = Field(ge=1)
    rate: float = Field(gt=0.0)
    decay: float = Field(ge=0.0)
    levels: tuple[float, ...] = Field(min_length=1)
    members: int = Field(ge=1)
    recent: int | None = Field(ge=1)


@dataclass(frozen=True)
class Scaled:
    """Windows without level, size and season.

    Attributes
    ----------
    window : (B, L) what the network reads
    season : (B, H) what is added to its answer, in the window's scale
    level, scale : (B, 1) of the window, in counts
    """

    window: Tensor
    season: Tensor
    level: Tensor
    scale: Tensor

    def back(self, answer: Tensor) -> Tensor:
        """(B, H, Q) in counts."""
        return (answer + self.season[..., None]) * self.scale[..., None] + self.level[..., None]


def scaled(window: Tensor, horizon: int, seasons: tuple[int, ...]) -> Scaled:
    """Scale windows (B, L) and take the mean of each slot of their cycles away.

    The level is the mean of the last shortest cycle, the scale the mean absolute change over that cycle (as MASE's).
    A cycle is taken away where the window holds two of them. Only the window is looked at.
    """
    size, length = window.shape
    m = seasons[0]
    level = window[:, -m:].mean(1, keepdim=True)
    change = (window[:, m:] - window[:, :-m]).abs().mean(1, keepdim=True)
    spread = (window - window.mean(1, keepdim=True)).abs().mean(1, keepdim=True)
    scale = torch.maximum(change, 0.05 * spread)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    rest = (window - level) / scale
    season = torch.zeros(size, horizon)
    for cycle in (one for one in seasons if one > 1 and 2 * one <= length):
        whole = length // cycle
        slots = rest[:, -cycle * whole :].view(size, whole, cycle)
        profile = slots.mean(1) - slots.mean((1, 2))[:, None]  # (B, cycle)
        slot = torch.arange(-length, 0) % cycle
        rest = rest - profile[:, slot]
        season = season + profile[:, torch.arange(horizon) % cycle]
    return Scaled(rest, season, level, scale)


class Network(nn.Module):
    """(B, L) scaled windows and (B, H, K) what is known of the days ahead → (B, H, Q) scaled quantiles, ascending."""

    def __init__(self, config: LstmConfig, horizon: int, regressors: int) -> None:
        super().__init__()
        self.config, self.horizon = config, horizon
        levels = len(config.levels)
        self.recurrent = nn.LSTM(
            config.patch, config.hidden, config.layers, batch_first=True, dropout=config.dropout * (config.layers > 1)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.hidden, horizon * levels)
        self.linear = nn.Linear(config.lookback, horizon)
        self.known = nn.Linear(regressors, levels, bias=False) if regressors else None
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        if self.known is not None:
            nn.init.zeros_(self.known.weight)
        nn.init.normal_(self.head.weight, std=0.01)
        start = torch.linspace(-1.0, 1.0, levels).repeat(horizon)
        with torch.no_grad():
            self.head.bias.copy_(start)

    def forward(self, window: Tensor, ahead: Tensor | None = None) -> Tensor:
        size = len(window)
        squeezed = torch.asinh(window)  # a peak does not drown the rest
        patches = squeezed.view(size, -1, self.config.patch)  # (B, L / patch, patch)
        states, _ = self.recurrent(patches)
        answer = self.head(self.dropout(states[:, -1])).view(size, self.horizon, -1)
        answer = answer + self.linear(window)[..., None]
        if self.known is not None and ahead is not None:
            answer = answer + self.known(ahead)
        return answer.sort(dim=-1).values


def pinball(answer: Tensor, target: Tensor, levels: Tensor) -> Tensor:
    """Mean quantile loss of (B, H, Q) against (B, H), levels (Q,) (Koenker, Bassett 1978)."""
    error = target[..., None] - answer
    return torch.maximum(levels * error, (levels - 1) * error).mean()
