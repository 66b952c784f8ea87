"""The models that follow the live log: the champion, one to come, the one before, and a challenger; each counted once.

Who fails beside the champion is followed no more, so that it never stands in the champion's way. Who serves no more is
let go. Thread-safe. Never here: how a model counts (`serving.follow`), or who serves (`serving.watch`).
"""

from __future__ import annotations

import logging
import threading

from components.errors import ServiceError, StorageError
from components.params import Params
from components.serving.beside import Beside
from components.serving.champion import Champion
from components.serving.follow import ALONE, BESIDE, Followed
from components.serving.state.protocol import State
from components.serving.watch import Alone, Watch

logger = logging.getLogger(__name__)


class Followers:
    """What each model in use has taken of a log.

    Parameters
    ----------
    watch : holds the champion, the one to come and the one before
    state : the log
    params : of the workspace

    Attributes
    ----------
    beside : holds a challenger, where one is on trial
    """

    def __init__(self, watch: Watch | Alone, state: State, params: Params) -> None:
        self._watch, self._state, self._params = watch, state, params
        self._lock = threading.RLock()
        self._followed: list[Followed] = []
        self.beside: Beside | None = None

    def prepare(self, champion: Champion, gently: bool = False) -> Followed:
        """Catch a model up with the log, and keep it so as long as it serves, or is about to.

        `gently`: others are answered meanwhile.

        Raises
        ------
        TrainingError
            It fails at what came in.
        """
        with self._lock:  # a model is counted by one alone: two would count everything twice
            known = self._known(champion)
            if known is None:
                known = Followed(champion, self._state, self._params)
                self._followed.append(known)
        known.follow(gently=gently, batch=BESIDE if gently else ALONE)
        known.ready = True
        return known

    def loaded(self) -> list[Champion]:
        """The champion, the ones to come and before it, and the challenger, as far as there are such."""
        watch = self._watch
        coming = watch.coming  # read first: it becomes the champion, never the other way
        beside = None if self.beside is None else self.beside.challenger
        return [one for one in (coming, watch.champion, watch.previous, beside) if one is not None]

    def _known(self, champion: Champion) -> Followed | None:
        predictor = champion.artifact.predictor
        return next((one for one in self._followed if one.champion.artifact.predictor is predictor), None)

    def of(self, champion: Champion) -> Followed:
        """What a model that serves has taken of the log.

        Raises
        ------
        ServiceError
            It was let go, or lost: another answers.
        """
        known = self._known(champion)
        if known is None and any(one.artifact.predictor is champion.artifact.predictor for one in self.loaded()):
            known = self.prepare(champion)
        if known is None or known.lost:
            raise ServiceError("a model that follows the live log", found="one that was let go", do="Ask again.")
        return known

    def followed(self) -> list[Followed]:
        """All models that are kept up with the log, or are being caught up."""
        return [one for one in self._followed if not one.lost]

    def follow(self, serving: Followed) -> None:
        """Keep those beside the champion up as far as they can follow, and let go of those that serve no more.

        Parameters
        ----------
        serving : the champion's, which has followed already; it is the caller's concern
        """
        with self._lock:
            self._follow(serving)

    def _follow(self, serving: Followed) -> None:
        loaded = {id(one.artifact.predictor) for one in self.loaded()}
        self._followed = [one for one in self._followed if id(one.champion.artifact.predictor) in loaded]
        for other in self._followed:
            if other is serving or not other.ready or other.lost:
                continue
            try:
                other.follow()
            except (ServiceError, StorageError, OSError):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it throws, the champion goes on
                logger.error("a model beside the champion does not follow: %s", type(error).__name__)
                self._lose(other)

    def _lose(self, other: Followed) -> None:
        """A challenger answers nobody any more, one before is loaded anew by who goes back; one to come tries again."""
        coming, previous = (
            one is not None and one.artifact.predictor is other.champion.artifact.predictor
            for one in (self._watch.coming, self._watch.previous)
        )
        other.lost = not coming
        if previous and not coming:
            self._watch.previous = None
