"""The simulated city: a log of any size with known truth, and the embedded default data of `make run`.

`simulate` and `catalogue` are what the source adapter reads; `truth` shows what is hidden. The predictors that know
the city are `components.observers`.
"""

from components.events.simulator.catalogue import catalogue
from components.events.simulator.log import simulate
from components.events.simulator.truth import truth

__all__ = ["catalogue", "simulate", "truth"]
