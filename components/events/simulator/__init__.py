"""The simulated city: a log of any size with known truth, and the embedded default data of `make run`.

`simulate` and `catalogue` are what the source adapter reads; `truth` shows what is hidden. Those who know the
generator and predict (`observer`, `oracle`) are imported by whoever judges them, never from here.
"""

from components.events.simulator.catalogue import catalogue
from components.events.simulator.log import simulate

__all__ = ["catalogue", "simulate"]
