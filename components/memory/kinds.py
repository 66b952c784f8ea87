"""The counters by their kind, as `memory.components.<name>.kind` of the params names them."""

from __future__ import annotations

from collections.abc import Mapping

from components.errors import ConfigError
from components.memory.counter import Counter, World
from components.memory.habits import Frequency, Hour, Trajectory
from components.memory.nearby import Gravity, Near, NearAtHour, OwnNear
from components.memory.popular import AllTime, AtThisHour, OfLate
from components.memory.transitions import Habit, Markov
from components.params import ComponentParams

KINDS: Mapping[str, type[Counter]] = {
    counter.kind: counter
    for counter in (
        AllTime,
        OfLate,
        AtThisHour,
        Markov,
        Habit,
        Frequency,
        Hour,
        Trajectory,
        Near,
        NearAtHour,
        Gravity,
        OwnNear,
    )
}


def make_counter(name: str, params: ComponentParams, world: World) -> Counter:
    """An empty counter.

    Raises
    ------
    ConfigError
        The kind does not exist, or its options are not those of its formula.
    """
    if params.kind not in KINDS:
        raise ConfigError(
            f"a kind of counter among {sorted(KINDS)}",
            found=f"{params.kind!r} at memory.components.{name}",
            do="Mend the name.",
        )
    return KINDS[params.kind](params.options, world)
