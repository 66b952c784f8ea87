"""A champion learns what is new: its networks go on from their weights, its counts are counted again.

Networks learn the new days and a sample of the older ones (`training.replay`), in few epochs with a lower rate; rows of
ids that the champion did not know are fresh (`training.transfer`). What counts is counted anew over all that is
training now, in seconds. A blend, an ensemble or a ranker is fitted again over its renewed parts, on the blend window
of now. Never here: who the champion is, and whether its update is better.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from components import learners
from components.errors import ConfigError, NoUpdate
from components.evaluation.protocol import Protocol
from components.features.encoding import Encoding
from components.features.store import WINDOWS, Store
from components.params import Params
from components.predictor import Predictor, Tracker, Window
from components.ranking.blend import BlendPredictor
from components.ranking.stage import blend_of
from components.training.network import NetworkPredictor
from components.training.replay import Replay
from components.training.transfer import summary

logger = logging.getLogger(__name__)
_RETRAIN = "Train from nothing: `chronotope run`."


@dataclass
class Renewal:
    """How one champion is renewed.

    Attributes
    ----------
    params : as they stand now; `update` says how much is learned again
    store : the log of now
    encoding : of the champion
    digest : of its artifact
    since_s : the last second (UTC) of its training window
    tracker : is told of the curves
    told : what became of each network: events that were new, older, learned again; tensors that were taken
    """

    params: Params
    store: Store
    encoding: Encoding
    digest: str
    since_s: int
    tracker: Tracker
    told: dict[str, Any] = field(default_factory=dict)

    def of(self, champion: Predictor) -> Predictor:
        """The champion, renewed; the one that is given is not changed.

        Raises
        ------
        NoUpdate
            Nothing new is there to learn, or params describe another model than the champion.
        """
        train = np.asarray(self.store["window"]) == WINDOWS["train"]
        if not (np.asarray(self.store["time_s"])[train] > self.since_s).any():
            raise NoUpdate(
                "training events that the champion has not learned",
                found="none since its own training window ended",
                do="Wait for more days: new ones are tune, blend and test windows first.",
            )
        return self._renewed(champion)

    def _renewed(self, one: Predictor) -> Predictor:
        if isinstance(one, BlendPredictor):
            return self._mixed(one)
        fresh = self._fresh(one.name)
        if isinstance(one, NetworkPredictor):
            if not isinstance(fresh, NetworkPredictor) or fresh.network != one.network:
                raise _another(one.name, "a network of another shape")
            self._prepare(fresh, one)
        elif type(fresh) is not type(one):
            raise _another(one.name, f"a {type(fresh).__name__}, not a {type(one).__name__}")
        history = self.params.evaluation.history
        fresh.fit(Window(self.store, "train", history), Window(self.store, "tune", history), self.tracker)
        if isinstance(fresh, NetworkPredictor):
            self.told[one.name]["weights"] = summary(fresh.began_with["taken"] if fresh.began_with else {})
        return fresh

    def _fresh(self, name: str) -> Predictor:
        try:
            return learners.build(name, self.params)
        except ConfigError as error:
            raise _another(name, error.found) from error

    def _prepare(self, fresh: NetworkPredictor, one: NetworkPredictor) -> None:
        wanted = self.params.update
        optimiser = fresh.loop.optimiser.model_copy(update={"learning_rate": wanted.learning_rate})
        changed = {"epochs": wanted.epochs, "patience": wanted.epochs, "optimiser": optimiser}
        fresh.loop = fresh.loop.model_copy(update=changed)
        fresh.origin, fresh.start_from = one.as_origin(self.encoding, self.digest), None
        fresh.replay = Replay(self.since_s, wanted.replay)
        events = fresh.replay.counts(self.store, fresh.network.max_history, fresh.seed)
        self.told[one.name] = {"events": events}
        logger.info("%s learns %d new events and %d again", one.name, events["new"], events["again"])

    def _mixed(self, one: BlendPredictor) -> Predictor:
        wanted = self.params.training.mixed.get(one.name)
        if wanted is None or set(wanted.parts) != set(one.parts):
            raise _another(one.name, "other parts, or none of that name")
        parts = {name: self._renewed(part) for name, part in one.parts.items()}
        made = blend_of(one.name, parts, self.params, Protocol.of(self.params.evaluation))
        if type(made) is not type(one):
            raise _another(one.name, f"a {type(made).__name__}, not a {type(one).__name__}")
        made.fit_weights(Window(self.store, "blend", self.params.evaluation.history))
        return made


def _another(name: str, found: str) -> NoUpdate:
    return NoUpdate(f"`{name}` in params.yaml as the champion has it", found=found, do=_RETRAIN)
