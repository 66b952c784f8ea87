"""Where to train and in which precision: chosen by what the machine has, never by what it is called.

On CUDA training runs in bfloat16 autocast. On a CPU whose cores multiply bfloat16 (AMX or AVX512-BF16) only the
products with the catalogue do: the rest is too small to gain. Elsewhere float32. Answers are float32 everywhere:
bfloat16 cannot tell neighbours in a ranking apart. Never changes a result behind the user's back: what was chosen is
said in the log.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import torch

from components.errors import ConfigError


@dataclass(frozen=True)
class Precision:
    """How a model computes.

    Attributes
    ----------
    device : where
    body : dtype of autocast for encoder and heads; float32 = no autocast
    logits : dtype of the products with the catalogue in training
    """

    device: torch.device
    body: torch.dtype
    logits: torch.dtype

    def autocast(self) -> contextlib.AbstractContextManager[None]:
        """Context in which the model is trained."""
        if self.body == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.body)

    def __str__(self) -> str:
        names = [str(dtype).removeprefix("torch.") for dtype in (self.body, self.logits)]
        return f"{self.device}, {names[0]} (logits {names[1]}), {torch.get_num_threads()} threads"


def choose(device: Literal["auto", "cpu", "cuda"], precision: Literal["auto", "float32", "bfloat16"]) -> Precision:
    """Device and precision for `training.loop.device` and `.precision`.

    Raises
    ------
    ConfigError
        CUDA is asked for and is not there.
    """
    cuda = torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise ConfigError(
            "a CUDA device", found="none that torch can use", do="Set `training.loop.device: auto`, or install CUDA."
        )
    if cuda and device != "cpu":
        torch.backends.cudnn.allow_tf32 = False  # of recurrences and convolutions: float32 is float32
        low = torch.float32 if precision == "float32" else torch.bfloat16
        return Precision(torch.device("cuda"), low, low)
    gains = precision == "bfloat16" or (precision == "auto" and cpu_multiplies_bfloat16())
    return Precision(torch.device("cpu"), torch.float32, torch.bfloat16 if gains else torch.float32)


@cache
def cpu_multiplies_bfloat16() -> bool:
    """Whether this CPU has AMX-BF16 or AVX512-BF16; elsewhere bfloat16 products are emulated, and slow."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return any(flag in flags for flag in ("amx_bf16", "avx512_bf16"))
