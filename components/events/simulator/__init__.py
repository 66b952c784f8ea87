"""The simulated city: a log of any size with known truth, and the embedded default data of `make run`.

`simulate` and `catalogue` are what the source adapter reads; `truth` shows what is hidden; `observers` are two
predictors who know the generator, for the judge's table. The observers speak the predictor's protocol, which lies
above `events`: only they import it, and only when they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.events.simulator.catalogue import catalogue
from components.events.simulator.log import simulate
from components.events.simulator.truth import truth
from components.params import SimulationParams

if TYPE_CHECKING:
    from components.predictor import Predictor

__all__ = ["catalogue", "observers", "simulate", "truth"]


def observers(simulation: SimulationParams, seed: int) -> tuple[Predictor, ...]:
    """The observer, who sees the log, and the oracle, who sees the hidden state (`observer`, `oracle`)."""
    from components.events.simulator.observer import CityObserver
    from components.events.simulator.oracle import CityOracle

    return CityObserver(simulation, seed), CityOracle(simulation, seed)
