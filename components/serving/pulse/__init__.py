"""What is happening in the live service, for people to watch: counts (`Pulse`) and their stream (`Broadcast`)."""

from components.serving.pulse.broadcast import Broadcast
from components.serving.pulse.cells import shape
from components.serving.pulse.pulse import Pulse
from components.serving.pulse.source import Item, Source, item_in, model_of, places_in

__all__ = ["Broadcast", "Item", "Pulse", "Source", "item_in", "model_of", "places_in", "shape"]
