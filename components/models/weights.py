"""Weights on disk: safetensors, written in one order, read only after every claim of the file has been checked.

Nothing in a file is executed or believed: its header must be small, plain and consistent, and names, shapes and
types must be exactly those of the model that asks. Never reads pickles.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from components.errors import DataError, IntegrityError, UnsafeFileError
from components.files import write_with

_MAX_HEADER = 1 << 24  # bytes; a model of 100,000 tensors needs less
_AGAIN = "Bring the file back from DVC, or train the model again."


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors atomically; the same tensors give the same bytes."""
    plain = {name: tensors[name].detach().to("cpu").contiguous().clone() for name in sorted(tensors)}
    write_with(path, lambda temporary: save_file(plain, temporary))


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises
    ------
    DataError
        There is no such file.
    UnsafeFileError
        It is no safetensors file (a pickle, an archive), or its header is larger than any model needs.
    IntegrityError
        It is torn: bytes are missing, or its header contradicts its content.
    """
    _check_header(path)
    try:
        return load_file(path, device="cpu")
    except (SafetensorError, ValueError, KeyError) as error:
        raise IntegrityError(f"a whole safetensors file at {path}", found=str(error), do=_AGAIN) from error


def _check_header(path: Path) -> None:
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(9)
    except FileNotFoundError as error:
        raise DataError(f"weights at {path}", found="nothing there", do="Train the model.") from error
    length = int.from_bytes(head[:8], "little")
    if len(head) < 9 or head[8:] != b"{":
        raise UnsafeFileError(
            f"a safetensors file at {path}", found=f"another format (it begins with {head[:4]!r})", do=_AGAIN
        )
    if length > _MAX_HEADER:
        raise UnsafeFileError(f"a small header in {path}", found=f"one of {length:,} bytes", do=_AGAIN)
    if length + 8 > size:
        raise IntegrityError(f"a whole file at {path}", found=f"{size:,} bytes, fewer than its header says", do=_AGAIN)


def check_like(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], where: str) -> None:
    """Refuse tensors whose names, shapes or types are not those of `expected`, or that hold NaN or infinity.

    Raises
    ------
    IntegrityError
        Naming the first tensor that differs.
    """
    names = sorted(set(found) ^ set(expected))
    if names:
        raise IntegrityError(f"the model's own tensors in {where}", found=f"missing or unknown `{names[0]}`", do=_AGAIN)
    for name, tensor in expected.items():
        one = found[name]
        if one.shape != tensor.shape or one.dtype != tensor.dtype:
            raise IntegrityError(
                f"`{name}` as {tuple(tensor.shape)} {tensor.dtype} in {where}",
                found=f"{tuple(one.shape)} {one.dtype}",
                do=_AGAIN,
            )
        if one.is_floating_point() and not bool(torch.isfinite(one).all()):
            raise IntegrityError(f"finite numbers in `{name}` of {where}", found="NaN or infinity", do=_AGAIN)
