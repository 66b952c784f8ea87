"""Those who know the simulated city, as predictors: what the models' scores on it are to be measured against.

The oracle sees the hidden state: no model can be better but by luck. The observer knows the generator and the city's
items, but of people only what the log shows: what a model could reach that had nothing else left to learn.
"""

from __future__ import annotations

from components.observers.observer import CityObserver
from components.observers.oracle import CityOracle
from components.params import SimulationParams

__all__ = ["CityObserver", "CityOracle", "observers"]


def observers(simulation: SimulationParams, seed: int) -> tuple[CityObserver, CityOracle]:
    """The observer and the oracle of the city of this seed, for the judge's table."""
    return CityObserver(simulation, seed), CityOracle(simulation, seed)
