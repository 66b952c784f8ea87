"""Reading an encoder's options: every one is required, none is unknown. Never holds defaults."""

from __future__ import annotations

from components.errors import ConfigError
from components.models.config import SequenceConfig


def positive_integers(config: SequenceConfig, *names: str) -> tuple[int, ...]:
    """Values of the options `names`, which must be exactly those given, each an integer ≥ 1.

    Raises
    ------
    ConfigError
        An option is missing, unknown, or not an integer ≥ 1.
    """
    values = tuple(config.options.get(name) for name in names)
    sound = all(isinstance(value, int) and not isinstance(value, bool) and value >= 1 for value in values)
    if set(config.options) != set(names) or not sound:
        raise ConfigError(
            f"options {', '.join(names)} of the encoder {config.encoder}, integers ≥ 1",
            found=f"{dict(config.options)}",
            do="Mend `encoder.options` in params.yaml.",
        )
    return tuple(int(value) for value in values if value is not None)
