"""Pruning by magnitude: whole units, which makes a model smaller and faster, or single weights, which only zeroes them.

Units of a recurrent encoder are those of the state: one goes with its column of the item table, of every embedding and
of every gate, so the answer's product shrinks as well. Units of a Transformer are those of its feed-forward layers, a
whole multiple of the width at a time. What is left was trained with what is gone: a short training mends it.
Source: Li et al., Pruning filters (2017); Han et al., Learning both weights and connections (2015). Never trains.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from components.errors import ConfigError
from components.models.sequence import SequenceModel

_RECURRENT = ("rnn", "lstm", "gru", "cnn_rnn", "st_lstm")


def without_units(model: SequenceModel, share: float) -> SequenceModel:
    """A smaller model without its weakest units, in training mode.

    Raises
    ------
    ConfigError
        The encoder has no units that can go, or `share` is less than one of them.
    """
    config = model.config
    if config.encoder in _RECURRENT and config.conditioning == "film":
        width = max(4, round(config.width * (1 - share)))
        smaller = replace(config, width=width)
    elif "feedforward" in config.options:
        width = config.width
        multiple = max(1, round(float(config.options["feedforward"]) * (1 - share)))
        smaller = replace(config, options={**config.options, "feedforward": multiple})
    else:
        raise ConfigError(
            "units that can go: a recurrent encoder conditioned by film, or feed-forward layers",
            found=f"the encoder {config.encoder}, {config.conditioning}",
            do="Prune `weights` in `training.compressed`, or distil into a smaller network.",
        )
    if smaller == config:
        raise ConfigError(
            "a share that is at least one unit (of the state, or one multiple of a feed-forward layer)",
            found=f"{share} of {config.encoder} with {config.options}, width {config.width}",
            do="Raise `prune.share`, or prune `weights`.",
        )
    small = SequenceModel(smaller)
    pick = _narrower(model, small) if width < config.width else _shallower(model, small)
    small.load_state_dict(pick)
    return small


def zeroed(model: SequenceModel, share: float) -> dict[str, Tensor]:
    """Set the smallest weights of every matrix to zero, in place; name → bool mask of those that stay."""
    masks = {}
    with torch.no_grad():
        for name, weight in model.named_parameters():
            gone = int(share * weight.numel())
            if weight.ndim >= 2 and gone:
                mask = weight.abs() > weight.abs().flatten().kthvalue(gone).values
                weight.mul_(mask)
                masks[name] = mask
    return masks


def hold(model: SequenceModel, masks: dict[str, Tensor]) -> None:
    """Keep what is zero at zero in training: it gets no gradient, and so no step of an optimiser that begins anew."""
    for name, weight in model.named_parameters():
        if name in masks:
            mask = masks[name].to(weight.device)
            weight.register_hook(lambda slope, mask=mask: slope * mask)  # type: ignore[no-untyped-call]


def _narrower(model: SequenceModel, small: SequenceModel) -> dict[str, Tensor]:
    """Weights of the units of the state that stay, by the shapes of `small`."""
    state, shapes = model.state_dict(), {name: one.shape for name, one in small.state_dict().items()}
    d, width = model.config.width, small.config.width
    worth = torch.zeros(d)
    for name, weight in model.named_parameters():
        for axis in range(weight.ndim):
            blocks = _blocks(weight.shape[axis], shapes[name][axis], d, width)
            if blocks and weight.ndim >= 2 and not name.startswith(_OWN):
                squares = weight.detach().float().square().movedim(axis, 0).flatten(1).sum(1)
                by_unit = squares[: blocks * d].view(blocks, d).sum(0)
                worth += by_unit / by_unit.mean().clamp_min(1e-12)
    stay = worth.topk(width).indices.sort().values
    heads = _inside_copy_heads(model, small)
    found = {}
    for name, tensor in state.items():
        kept = tensor
        for axis in range(tensor.ndim):
            old, new = tensor.shape[axis], shapes[name][axis]
            if old != new:
                own = axis == 0 and name.startswith(_OWN)
                kept = kept.index_select(axis, heads if own else _places(old, new, stay, d))
        found[name] = kept.clone()
    return found


_OWN = ("item.copy.query.", "item.copy.key.")  # their rows are units inside a copy head


def _blocks(old: int, new: int, d: int, width: int) -> int:
    """How many times the state's units stand side by side in an axis of `old` places; 0 where it keeps its length."""
    return (old - new) // (d - width)


def _places(old: int, new: int, stay: Tensor, d: int) -> Tensor:
    """Indices of an axis that stay: the chosen units of each block, and whatever stands behind the blocks."""
    blocks = _blocks(old, new, d, len(stay))
    rest = torch.arange(blocks * d, old)
    return torch.cat([*(stay + block * d for block in range(blocks)), rest])


def _inside_copy_heads(model: SequenceModel, small: SequenceModel) -> Tensor:
    """Rows of query and key that stay: of each copy head those with the largest product of norms."""
    if model.item.copy is None or small.item.copy is None:
        return torch.empty(0, dtype=torch.int64)
    copy, size = model.item.copy, small.item.copy.size
    worth = copy.query.weight.detach().norm(dim=1) * copy.key.weight.detach().norm(dim=1)
    best = worth.view(copy.heads, copy.size).topk(size, dim=1).indices.sort(dim=1).values
    return (best + copy.size * torch.arange(copy.heads)[:, None]).flatten()


def _shallower(model: SequenceModel, small: SequenceModel) -> dict[str, Tensor]:
    """Weights of the hidden units of feed-forward layers that stay, layer by layer."""
    found = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for name, tensor in small.state_dict().items():
        if name.endswith(".down.weight") and tensor.shape != found[name].shape:
            up = name.removesuffix("down.weight") + "up.weight"
            active, linear = found[up].chunk(2)  # (hidden, d) each
            worth = active.norm(dim=1) * linear.norm(dim=1) * found[name].norm(dim=0)
            stay = worth.topk(tensor.shape[1]).indices.sort().values
            found[up] = torch.cat([active[stay], linear[stay]])
            found[name] = found[name][:, stay].contiguous()
    return found
