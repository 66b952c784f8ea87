"""Weights in int8 on disk: every matrix row by row, symmetric, beside one float32 scale for each row.

    w[i, j] ≈ code[i, j] · scale[i],   code in -127..127,   scale[i] = max_j |w[i, j]| / 127

A tensor `x` of two or more dimensions is stored as `x` (I8) and `x.scale` (F32); vectors, counts and codes stay as they
are. A file is believed only after names, shapes, types and ranges were checked against the model that asks; nothing
in it is executed. Source: Krishnamoorthi, Quantizing deep convolutional networks (2018).
Never chooses what to store so.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from components.errors import IntegrityError
from components.models.weights import check_like, load_tensors, save_tensors

_LARGEST = 127  # -128 has no counterpart
_SCALE = ".scale"


def rounded(rows: Tensor) -> tuple[Tensor, Tensor]:
    """(n, …) floats → (n, …) int8 codes and (n,) float32 scales; a row of zeros has the scale 1.

    Examples
    --------
    >>> code, scale = rounded(torch.tensor([[0.5, -1.0], [0.0, 0.0]]))
    >>> code.tolist(), [round(one, 5) for one in scale.tolist()]
    ([[64, -127], [0, 0]], [0.00787, 1.0])
    """
    largest = rows.detach().abs().flatten(1).amax(1).float()  # (n,)
    scale = torch.where(largest > 0, largest / _LARGEST, 1.0)
    wide = scale.view(-1, *[1] * (rows.ndim - 1))
    return (rows.detach().float() / wide).round().clamp(-_LARGEST, _LARGEST).to(torch.int8), scale


def restored(code: Tensor, scale: Tensor) -> Tensor:
    """What `rounded` stands for, in float32."""
    return code.float() * scale.view(-1, *[1] * (code.ndim - 1))


def matrices(model: nn.Module) -> set[str]:
    """Names of the parameters that are stored in int8: all of two or more dimensions. Counts and codes are buffers."""
    return {name for name, weight in model.named_parameters() if weight.ndim >= 2}


def save_int8(path: Path, model: nn.Module) -> None:
    """Write a model's weights in int8, atomically; the same weights give the same bytes."""
    chosen, stored = matrices(model), {}
    for name, tensor in model.state_dict().items():
        if name in chosen:
            stored[name], stored[name + _SCALE] = rounded(tensor)
        else:
            stored[name] = tensor
    save_tensors(path, stored)


def load_int8(path: Path, model: nn.Module) -> dict[str, Tensor]:
    """The float32 weights that a file of `save_int8` stands for.

    Parameters
    ----------
    model : whose names and shapes the file must have; may hold no numbers (device meta)

    Raises
    ------
    DataError, UnsafeFileError, IntegrityError
        There is none; it is none; or a name, shape, type, code or scale is not what was written.
    """
    found, chosen = load_tensors(path), matrices(model)
    check_like(found, _layout(model.state_dict(), chosen), str(path))
    for name in sorted(chosen):
        sound = bool((found[name + _SCALE] > 0).all()) and int(found[name].min()) >= -_LARGEST
        if not sound:
            raise IntegrityError(
                f"positive scales and codes in ±{_LARGEST} for `{name}` in {path}",
                found="one out of range",
                do="Bring the file back from DVC, or make the model again.",
            )
    plain = {name: tensor for name, tensor in found.items() if not name.endswith(_SCALE) and name not in chosen}
    return plain | {name: restored(found[name], found[name + _SCALE]) for name in chosen}


def _layout(state: Mapping[str, Tensor], chosen: set[str]) -> dict[str, Tensor]:
    """Shapes and types of the tensors of a file, without numbers."""
    expected = {name: tensor.to("meta") for name, tensor in state.items()}
    for name in chosen:
        expected[name + _SCALE] = torch.empty(len(state[name]), device="meta")
        expected[name] = expected[name].to(torch.int8)
    return expected
