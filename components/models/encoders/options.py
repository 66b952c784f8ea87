"""Reading an encoder's options: every one is required, none is unknown. Never holds defaults."""

from __future__ import annotations

from components.errors import ConfigError
from components.models.config import SequenceConfig

_LARGEST = 1024  # of layers, heads, multiples: what a file may ask for before its weights are seen


def positive_integers(config: SequenceConfig, *names: str) -> tuple[int, ...]:
    """Values of the options `names`, which must be exactly those given, each an integer in 1..1024.

    Raises
    ------
    ConfigError
        An option is missing, unknown, or not an integer in 1..1024.
    """
    values = tuple(config.options.get(name) for name in names)
    sound = all(isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _LARGEST for value in values)
    if set(config.options) != set(names) or not sound:
        raise ConfigError(
            f"options {', '.join(names)} of the encoder {config.encoder}, integers in 1..{_LARGEST}",
            found=f"{dict(config.options)}",
            do="Mend `encoder.options` in params.yaml.",
        )
    return tuple(int(value) for value in values if value is not None)
