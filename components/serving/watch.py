"""Follow the promotion log: load the new champion beside the old one, warm it, swap, keep the old one at hand.

A champion that cannot be verified or warmed never takes over; the one that serves goes on serving. Where its bytes or
the log are wrong it is refused for good; else it is tried again, soon and then more seldom.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from components.errors import PromotionError
from components.params import PolicyParams
from components.predictor import carries
from components.registry.promotions import Entry, current
from components.serving.answer import answer
from components.serving.champion import Champion, load_champion
from components.serving.question import Question, plain
from components.serving.rounds import FOR_GOOD, Tries, every, plainly
from components.serving.settle import beside_others, settle
from components.workspace import Workspace

logger = logging.getLogger(__name__)
_WARM_UP_QUESTIONS = 20
_FIRST_EVENTS = 2


def warm(champion: Champion, policy: PolicyParams | None = None) -> None:
    """Ask a few questions of every kind, so that the first real one finds caches filled and loops compiled."""
    users = [None, *list(champion.row_of)[: _WARM_UP_QUESTIONS - 1]]
    for user in users:
        _ask(champion, user)
    any(_go_on(champion, user) for user in users if user is not None)  # the first who has enough events
    if policy is not None:
        for rule in policy.rules.values():
            for user in users[:2]:
                _ask(champion, user, policy.model_copy(update={"rules": dict.fromkeys(policy.rules, rule)}))


def _go_on(champion: Champion, user: str) -> bool:
    """Ask after a user's first events and after one more: a state is carried on; False where they are too few."""
    predictor, row = champion.predictor, champion.row_of[user]
    start, stop = (int(one) for one in champion.artifact.histories.offsets[row : row + 2])
    if not carries(predictor) or stop - start < _FIRST_EVENTS + 1:
        return False
    queries, _ = champion.queries(_question(user))
    carried = None
    for last in (start + _FIRST_EVENTS, start + _FIRST_EVENTS + 1):
        one = replace(queries, start=np.array([start]), stop=np.array([last]))
        _, carried = predictor.carry(one, carried)
    return True


def meet(champion: Champion, users: Sequence[str]) -> None:
    """Read the histories of users who will ask soon, so that not all of them are read at once when it takes over."""
    if not carries(champion.predictor):
        return
    for user in users:
        with beside_others():
            _ask(champion, user)


def _ask(champion: Champion, user: str | None, policy: PolicyParams | None = None) -> None:
    answer(champion, _question(user), policy)


def _question(user: str | None) -> Question:
    return plain(user, dt.datetime.now(dt.UTC), 10)


class Alone:
    """Holds one champion and follows nothing: what a replay serves from."""

    def __init__(self, champion: Champion) -> None:
        self.champion = champion
        self.previous: Champion | None = None
        self.coming: Champion | None = None
        self.last_error: str | None = None
        self.prepare: Callable[[Champion], object] | None = None


class Watch:
    """Holds the champion that serves; `start` follows the log in a thread.

    Parameters
    ----------
    root : the workspace
    poll_s : how often the log is looked at
    policy : whose rules are tried before a champion serves

    Attributes
    ----------
    champion : the model that serves now; requests take the reference once and keep it
    previous : the one before, still loaded, for a quick way back
    coming : one that is being prepared, until it has taken over or was refused
    last_error : why the newest promotion could not be taken over, or None
    prepare : called with a champion before it takes over, in the thread that follows the log: what it must know first
    """

    def __init__(self, root: Path, poll_s: float, policy: PolicyParams | None = None) -> None:
        self._root, self._poll_s, self._policy = root, poll_s, policy
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._tries = Tries()
        self.previous: Champion | None = None
        self.coming: Champion | None = None
        self.last_error: str | None = None
        self.prepare: Callable[[Champion], object] | None = None
        entry = current(root)
        if entry is None:
            raise PromotionError("a champion to serve", found=f"no promotion in {root}", do="Run `chronotope run`.")
        self.champion = self._load(entry)

    def _load(self, entry: Entry) -> Champion:
        if self.previous is not None and self.previous.entry.digest == entry.digest:
            return Champion(entry, self.previous.artifact)
        champion = load_champion(entry, Workspace(self._root).artifact(entry.digest))
        warm(champion, self._policy)
        return champion

    def _newest(self) -> int:
        """Number of the last entry, by the names of the files alone: the log is read only when it has grown."""
        return max((int(path.stem) for path in Workspace(self._root).promotions.glob("[0-9]*.json")), default=0)

    def check(self) -> bool:
        """Take over a new entry of the log if there is one; whether it did."""
        newest = self._newest()
        if newest == self.champion.entry.sequence or not self._tries.due(newest):
            return False
        try:
            entry = current(self._root)
            if entry is None:
                raise PromotionError("the promotion log", found="nothing", do="Bring promotions/ back from git.")
            self.coming = fresh = self._load(entry)
            if self.prepare is not None:
                self.prepare(fresh)
            meet(fresh, self.champion.carried.users)
            self.previous, self.champion, self.last_error = self.champion, fresh, None
        except Exception as error:  # noqa: BLE001 - whatever a new model throws, the one that serves goes on
            self._tries.failed(newest, for_good=isinstance(error, FOR_GOOD))
            self.last_error, serves = plainly(error), self.champion.entry.sequence
            logger.error("promotion %d cannot be served, %d goes on: %s", newest, serves, self.last_error)
            return False
        finally:
            self.coming = None
        logger.info("promotion %d serves: %s %s", entry.sequence, entry.model, entry.digest[:12])
        return True

    def start(self, on_swap: Callable[[], None] | None = None) -> None:
        """Follow the log until `stop`."""

        def follow() -> None:
            if self.check():
                settle(first=False)
                if on_swap is not None:
                    on_swap()

        settle(first=True)
        self._thread = every(self._poll_s, self._stop, follow, "promotion-watch")

    def stop(self) -> None:
        """Stop following; the champion stays."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
