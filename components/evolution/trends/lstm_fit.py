"""Training the global LSTM on windows of many series, and asking it; seeded, on the CPU.

Windows are drawn from all series alike, at any origin, so that a short series counts as much as a long one. Training
sees the panel it is given and nothing after it. Never here: the network (`lstm`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from components.errors import ConfigError, TrainingError
from components.evolution.trends.lstm import LstmConfig, Network, pinball, scaled
from components.evolution.trends.methods import Method
from components.evolution.trends.panel import Floats, Panel

_CLIP = 1.0
_WARM = 0.05
_FASTER = 10.0


@dataclass(frozen=True)
class Lstm:
    """A trained forecaster.

    Attributes
    ----------
    networks : one for each member
    config, horizon, seasons : what it was trained for
    """

    networks: Sequence[Network]
    config: LstmConfig
    horizon: int
    seasons: tuple[int, ...]

    def quantiles(self, panel: Panel, regressors: Floats | None = None) -> Floats:
        """(N, H, Q) quantiles of what follows a panel, not below 0 where the series never are.

        Parameters
        ----------
        regressors : (T + H, K) what is known of every step of the panel and of those ahead
        """
        window = torch.from_numpy(_window(panel.values, self.config.lookback))
        read = scaled(window, self.horizon, self.seasons)
        ahead = None
        if regressors is not None:
            ahead = torch.from_numpy(np.asarray(regressors[panel.steps :], np.float32)).expand(panel.n, -1, -1)
        with torch.no_grad():
            answers = [network.eval()(read.window, ahead) for network in self.networks]
        found = read.back(torch.stack(answers).mean(0)).numpy().astype(np.float64)
        return np.maximum(found, 0.0) if np.nanmin(panel.values) >= 0 else found

    def point(self, panel: Panel, regressors: Floats | None = None) -> Floats:
        """(N, H) the medians."""
        return self.quantiles(panel, regressors)[:, :, self.config.levels.index(0.5)]


def as_method(model: Lstm, regressors: Floats | None = None) -> Method:
    """A trained network as a method: it answers for any panel like its own, up to its horizon, without learning."""

    def points(panel: Panel, horizon: int) -> Floats:
        if horizon > model.horizon:
            raise ConfigError(
                f"at most {model.horizon} steps ahead", found=f"{horizon}", do="Train the LSTM for a longer horizon."
            )
        return model.point(panel, regressors)[:, :horizon]

    return points


def fit_lstm(panel: Panel, horizon: int, config: LstmConfig, seed: int, regressors: Floats | None = None) -> Lstm:
    """Train on a panel.

    Parameters
    ----------
    panel : what may be seen
    horizon : H steps that are answered at once
    seed : of weights, windows and dropout; members take the following ones
    regressors : (T + H or more, K) float of calendar steps, such as holidays; those of the horizon are used

    Raises
    ------
    ConfigError
        The lookback is no multiple of the patch, or .5 is no level.
    TrainingError
        No series is long enough, or the loss is not finite.
    """
    if config.lookback % config.patch or 0.5 not in config.levels or config.lookback <= panel.seasons[0]:
        raise ConfigError(
            "a lookback of whole patches, longer than a cycle, and .5 among the levels",
            found=f"lookback {config.lookback}, patch {config.patch}, levels {config.levels}",
            do="Change the LSTM's settings.",
        )
    length = panel.length
    least = panel.seasons[0] + 1  # what is missing of a window is filled with its first value
    if not (length >= least + horizon).any():
        raise TrainingError(
            f"a series of {least + horizon} steps", found=f"at most {int(length.max())}", do="Shorten the horizon."
        )
    networks = [_fit_one(panel, horizon, config, seed + member, regressors) for member in range(config.members)]
    return Lstm(networks, config, horizon, panel.seasons)


def _fit_one(panel: Panel, horizon: int, config: LstmConfig, seed: int, regressors: Floats | None) -> Network:
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(config, horizon, 0 if regressors is None else regressors.shape[1])
        optimiser = torch.optim.AdamW(_groups(network, config), lr=config.rate, weight_decay=config.decay)
        plan = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _height(step, config.rounds))
        levels = torch.tensor(config.levels)
        draw = _Windows(panel, horizon, config, rng)
        network.train()
        for _ in range(config.rounds):
            window, target, origin = draw()
            read = scaled(window, horizon, panel.seasons)
            goal = (target - read.level) / read.scale - read.season
            ahead = None
            if regressors is not None:
                ahead = torch.from_numpy(regressors[origin[:, None] + np.arange(horizon)].astype(np.float32))
            loss = pinball(network(read.window, ahead), goal, levels)
            if not torch.isfinite(loss):
                raise TrainingError("a finite loss", found="NaN or infinity", do="Lower the rate or check the series.")
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
            optimiser.step()
            plan.step()
    return network


def _groups(network: Network, config: LstmConfig) -> list[dict[str, Any]]:
    """Weights with their rates: those of the calendar are few, and have far to go from 0."""
    known = list(network.known.parameters()) if network.known is not None else []
    others = [weight for name, weight in network.named_parameters() if not name.startswith("known.")]
    return [{"params": others}, {"params": known, "lr": _FASTER * config.rate}]


def _height(step: int, rounds: int) -> float:
    """Share of the highest rate: up in a line over the first steps, down along a cosine."""
    warm = max(1, round(_WARM * rounds))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, rounds - warm)))


class _Windows:
    """Draws (B, L) windows, the (B, H) that follow, and the (B,) steps of their origins."""

    def __init__(self, panel: Panel, horizon: int, config: LstmConfig, rng: np.random.Generator) -> None:
        self.horizon, self.config, self.rng = horizon, config, rng
        start = panel.steps - panel.length
        self.first = start + panel.seasons[0] + 1  # the earliest origin
        if config.recent is not None:
            self.first = np.maximum(self.first, panel.steps - config.recent)
        self.last = panel.steps - horizon
        self.rows = np.flatnonzero(self.first <= self.last)
        filled = _filled(panel.values)
        pad = np.repeat(filled[:, :1], config.lookback, axis=1)
        self.values = np.concatenate([pad, filled], axis=1).astype(np.float32)

    def __call__(self) -> tuple[Tensor, Tensor, NDArray[np.int64]]:
        row = self.rng.choice(self.rows, self.config.batch)
        origin = self.rng.integers(self.first[row], self.last + 1)
        at = origin[:, None] + np.arange(self.config.lookback + self.horizon)  # the padding shifts by a lookback
        both = torch.from_numpy(self.values[row[:, None], at])
        return both[:, : self.config.lookback], both[:, self.config.lookback :], origin


def _filled(values: Floats) -> Floats:
    """(N, T) with each series' first value before its beginning."""
    first = np.isnan(values).sum(1)
    return np.where(np.isnan(values), values[np.arange(len(values)), first][:, None], values)


def _window(values: Floats, lookback: int) -> NDArray[np.float32]:
    """(N, L) the last steps, filled before the beginning."""
    filled = _filled(values)
    short = max(0, lookback - filled.shape[1])
    padded = np.concatenate([np.repeat(filled[:, :1], short, axis=1), filled], axis=1)
    return np.ascontiguousarray(padded[:, -lookback:], np.float32)
