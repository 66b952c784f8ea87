"""How much of a language model learns: all of it, adapters of low rank beside some of its matrices, or nothing.

Source of the adapters: Hu et al., LoRA (2022), by peft. They are merged into the matrices when training has ended, so
what is kept is a plain model. Never trains anything itself.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

from torch import nn

from components.errors import ConfigError

TUNINGS = ("frozen", "lora", "full")


def adapted(module: nn.Module, tuning: str, rank: int, alpha: int, targets: str) -> nn.Module:
    """The module, with the weights that are to learn marked so.

    Parameters
    ----------
    module : plain
    tuning : of TUNINGS
    rank : of the adapters (lora)
    alpha : they are scaled by alpha / rank (lora)
    targets : names of the matrices beside which they stand, with commas between them; `all-linear`; or `auto`, what
        peft knows of the family (lora)

    Returns
    -------
    nn.Module
        Called like the plain one.

    Raises
    ------
    ConfigError
        The extra is not installed, or the model has no such matrices.
    """
    if tuning != "lora":
        return module.requires_grad_(tuning == "full")
    try:
        peft: Any = importlib.import_module("peft")
    except ImportError as error:
        raise ConfigError(
            "the extra `text` for adapters", found=str(error), do="Run: pip install 'chronotope[text]'"
        ) from error
    named = None if targets == "auto" else targets if targets == "all-linear" else targets.split(",")
    turned = any(type(part).__name__ == "Conv1D" for part in module.modules())  # GPT-2 keeps its matrices transposed
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=named, bias="none", fan_in_fan_out=turned)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # between peft and transformers, about a name of theirs
            result: nn.Module = peft.get_peft_model(module, config)
    except ValueError as error:
        raise ConfigError(
            f"matrices `{targets}` in a {type(module).__name__}",
            found=f"{error!s:.200}",
            do="Mend `encoder.options.targets` in params.yaml; `all-linear` fits every model.",
        ) from error
    return result


def merged(module: nn.Module) -> nn.Module:
    """The plain module, adapters merged into its matrices."""
    merge = getattr(module, "merge_and_unload", None)
    return module if merge is None else merge()
