"""Reading an encoder's options: every one is required, none is unknown. Never holds defaults."""

from __future__ import annotations

import math
from collections.abc import Sequence

from components.errors import ConfigError
from components.models.config import SequenceConfig

_LARGEST = 1024  # of layers, heads, multiples: what a file may ask for before its weights are seen
_MEND = "Mend `encoder.options` in params.yaml."


def positive_integers(config: SequenceConfig, *names: str, others: Sequence[str] = ()) -> tuple[int, ...]:
    """Values of the options `names`, each an integer in 1..1024; with `others` they must be exactly those given.

    Raises
    ------
    ConfigError
        An option is missing, unknown, or not an integer in 1..1024.
    """
    values = tuple(config.options.get(name) for name in names)
    sound = all(isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _LARGEST for value in values)
    if set(config.options) != {*names, *others} or not sound:
        beside = f" (and {', '.join(others)})" if others else ""
        raise ConfigError(
            f"options {', '.join(names)} of the encoder {config.encoder}, integers in 1..{_LARGEST}{beside}",
            found=f"{dict(config.options)}",
            do=_MEND,
        )
    return tuple(int(value) for value in values if value is not None)


def choice(config: SequenceConfig, name: str, among: Sequence[str]) -> str:
    """Value of an option that is one of `among`.

    Raises
    ------
    ConfigError
        It is another, or missing.
    """
    value = config.options.get(name)
    if value not in among:
        raise ConfigError(
            f"the option {name} of the encoder {config.encoder} among {', '.join(among)}", found=f"{value!r}", do=_MEND
        )
    return str(value)


def rate(config: SequenceConfig, name: str) -> float:
    """Value of an option that is a learning rate, above 0.

    Raises
    ------
    ConfigError
        It is missing, no number, or not above 0.
    """
    value = config.options.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise ConfigError(f"the option {name} of the encoder {config.encoder} above 0", found=f"{value!r}", do=_MEND)
    return float(value)


def share(config: SequenceConfig, name: str) -> float:
    """Value of an option that is a share, above 0 and below 1.

    Raises
    ------
    ConfigError
        It is out of range, missing, or no number.
    """
    value = config.options.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1:
        raise ConfigError(
            f"the option {name} of the encoder {config.encoder} between 0 and 1", found=f"{value!r}", do=_MEND
        )
    return float(value)


def head_width(config: SequenceConfig, heads: int) -> int:
    """Width of one attention head.

    Raises
    ------
    ConfigError
        The number of heads does not divide the width.
    """
    if config.width % heads:
        raise ConfigError(
            "a width that the number of heads divides",
            found=f"width {config.width}, heads {heads}",
            do="Mend `width` or `encoder.options.heads` in params.yaml.",
        )
    return config.width // heads
