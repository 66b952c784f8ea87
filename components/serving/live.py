"""The live service as one object: take what comes in, answer from a second ago, follow what other workers took.

    take     → checked, in the log, counted: an answer after it knows it
    answer   → the champion, asked of the user's history as it is now
    follow   → what other workers took, counted here too

Thread-safe: any thread may take and answer. Never here: how a record is kept, checked, packed or counted.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from components.errors import TrainingError
from components.evolution.lifecycle.rhythm import Rhythm
from components.params import Params, PolicyParams
from components.serving.answer import answer
from components.serving.beside import Beside
from components.serving.blended import blended, explained, visible
from components.serving.champion import Champion
from components.serving.explain import Explanation, explain
from components.serving.follow import Followed
from components.serving.followers import Followers
from components.serving.histories import History, nothing
from components.serving.intake import Refusal, check
from components.serving.journey import Journey, rhythm_of, standing
from components.serving.question import Answer, Question
from components.serving.rounds import every
from components.serving.state.protocol import State, Stored
from components.serving.state.record import Kind, Record
from components.serving.timeline import TimelineEvent, timeline
from components.serving.watch import Alone, Watch

logger = logging.getLogger(__name__)
_PART = 1_000  # records that are read at once
Listener = Callable[[Sequence[Stored]], None]


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class Refused:
    """A record that did not enter: its place among those sent, the rule that it breaks, what is needed."""

    index: int
    rule: str
    message: str


@dataclass(frozen=True)
class Taken:
    """What became of the records of one request.

    Attributes
    ----------
    accepted : records that entered the log
    duplicates : records that it had already
    refused : the others
    offset : of the log, after them
    """

    accepted: int
    duplicates: int
    refused: tuple[Refused, ...]
    offset: int


class Live:
    """The champion of a watch, over a state that grows.

    Parameters
    ----------
    watch : holds the champion; a new one is caught up with the log before it takes over
    state : the log; whoever made it closes it
    params : of the workspace
    clock : aware time of the service

    Attributes
    ----------
    listeners : called with the records that were just applied, in the order of the log, each once in this worker
    beside : decides who answers, where a challenger is on trial; None: the champion answers everybody
    failing : the champion failed at what came in last: it is not counted yet
    """

    def __init__(
        self, watch: Watch | Alone, state: State, params: Params, clock: Callable[[], dt.datetime] = _now
    ) -> None:
        self._watch, self.state, self.params, self._clock = watch, state, params, clock
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._followers = Followers(watch, state, params)
        self.listeners: list[Listener] = []
        self.failing = False
        self._rhythm: tuple[str, Rhythm | None] | None = None
        self._told = state.head()
        self.prepare(watch.champion)
        watch.prepare = partial(self.prepare, gently=True)

    @property
    def champion(self) -> Champion:
        """The model that answers now."""
        return self._watch.champion

    @property
    def offset(self) -> int:
        """Everything of the log up to here is known to answers of this worker."""
        return self.of(self.champion).offset

    def prepare(self, champion: Champion, gently: bool = False) -> Followed:
        """Catch a model up with the log before it serves; see `Followers.prepare`."""
        return self._followers.prepare(champion, gently)

    def of(self, champion: Champion) -> Followed:
        """What a model that serves has taken of the log; see `Followers.of`."""
        return self._followers.of(champion)

    @property
    def beside(self) -> Beside | None:
        """Who decides which model answers."""
        return self._followers.beside

    @beside.setter
    def beside(self, beside: Beside | None) -> None:
        self._followers.beside = beside

    def take(self, kind: Kind, records: Sequence[Mapping[str, Any]]) -> Taken:
        """Check records, keep the sound ones, and count them.

        Parameters
        ----------
        kind : of all of them
        records : as HTTP gives them

        Returns
        -------
        Taken
            What is accepted here is in the log for good, and in the next answer.
        """
        now, refused, sound = self._clock(), [], []
        for index, raw in enumerate(records):
            found = check(kind, raw, self.params.events, now)
            if isinstance(found, Refusal):
                refused.append(Refused(index, found.rule, found.message))
            else:
                sound.append(found)
        duplicates = self._keep(sound) if sound else 0
        return Taken(len(sound) - duplicates, duplicates, tuple(refused), self.state.head())

    def _keep(self, records: Sequence[Record]) -> int:
        duplicates = sum(receipt.duplicate for receipt in self.state.append(records))
        self._count()
        return duplicates

    def _count(self) -> None:
        """Apply what the log has gained; where the champion fails at it, answers know of it by the log alone."""
        try:
            self.follow()
        except TrainingError as error:
            logger.error("kept, and not counted yet: %s", error)

    def follow(self) -> int:
        """Apply what the log has gained, the champion first; how many records.

        Raises
        ------
        TrainingError
            The champion fails at them; the next call tries again.
        """
        with self._lock:
            serving = self.of(self.champion)
            known = serving.offset
            try:
                found = serving.follow()
            except TrainingError:
                self.failing = True
                raise
            self.failing = False
            self._followers.follow(serving)
            if known > self._told:  # a champion that took over had taken records that nobody was told of
                found = self._after(self._told, serving.offset)
            fresh = [one for one in found if one.offset > self._told]
            self._told = max(self._told, serving.offset)
            for tomb in (one for one in fresh if one.record.kind == "tombstone"):
                for model in self._followers.loaded():
                    model.carried.forget(tomb.record.user_id)
        if fresh:
            for listener in self.listeners:
                listener(fresh)
        return len(found)

    def _after(self, offset: int, until: int) -> list[Stored]:
        """Records of the log with offsets after one and up to another."""
        found: list[Stored] = []
        while offset < until and (part := self.state.after(offset, _PART)):
            found += [one for one in part if one.offset <= until]
            offset = part[-1].offset
        return found

    def start(self) -> None:
        """Follow the log in a thread until `stop`."""
        self._thread = every(self.params.live.follow_s, self._stop, self.follow, "live-follow")

    def stop(self) -> None:
        """Stop following; answers go on."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def answer(self, question: Question, policy: PolicyParams | None = None) -> Answer:
        """Predict what the user does next from what they did a second ago; see `serving.answer`."""
        if self.beside is None:
            return self._asked(self.champion, question, policy)
        return self.beside.answer(self.champion, question, lambda model: self._asked(model, question, policy))

    def _asked(self, model: Champion, question: Question, policy: PolicyParams | None) -> Answer:
        followed = self.of(model)
        known = self._history(followed, question)
        found = answer(model, question, policy, None if known is None else known.store)
        if not len(followed.fresh):
            return found
        seen = nothing(model.encoding, "inline") if known is None else visible(known, question)
        return blended(found, followed.fresh.offered(seen, question.time.timestamp()), seen, question, policy)

    def _history(self, followed: Followed, question: Question) -> History | None:
        """The user's history as it is now; None where the question brings its own."""
        if question.history is not None or question.user_id is None:
            return None
        return followed.history(question.user_id)

    def explain(
        self,
        question: Question,
        item_ids: Sequence[str] | None,
        max_events: int,
        gradient_steps: int | None = None,
        policy: PolicyParams | None = None,
    ) -> Explanation:
        """Why; see `serving.explain`. Items that came after the training are explained by what was counted of them.

        The model that answers the user explains, and nothing is shown to anybody: no experiment notes a list.
        """
        champion = self.champion if self.beside is None else self.beside.model(self.champion, question)
        followed = self.of(champion)
        known = self._history(followed, question)
        if item_ids is None:
            item_ids = [one.item_id for one in self._asked(champion, question, policy).items]
        seen = nothing(champion.encoding, "inline") if known is None else visible(known, question)
        offered = followed.fresh.offered(seen, question.time.timestamp())
        code_of = champion.encoding.vocabularies["item"].code_of
        new = [name for name in item_ids if name not in code_of and name in offered.names]
        rest = [name for name in item_ids if name not in new]
        found = explain(
            champion, question, rest, max_events, gradient_steps, policy, None if known is None else known.store
        )
        everybody = followed.fresh.offered(None, question.time.timestamp())
        told = {one.item_id: replace(one, probability=one.probability * (1 - offered.share)) for one in found.items}
        told |= {name: explained(name, offered, everybody, seen) for name in new}
        return replace(found, items=[told[name] for name in item_ids])

    def timeline(self, user_id: str, n: int) -> list[TimelineEvent]:
        """A user's newest `n` events, newest first."""
        return timeline(self.of(self.champion).history(user_id), n)

    def journey(self, user_id: str, time: dt.datetime | None = None) -> Journey:
        """What the user cares about at a time (now, where None), where they stand then, and when they come next."""
        champion = self.champion
        question = Question(
            user_id=user_id, history=None, time=time or self._clock(), utc_offset_min=None, latitude=None,
            longitude=None, k=1, seen=True, categories=None, radius_km=None, max_price=None,
        )  # fmt: skip
        known = self.of(champion).history(user_id)
        found = answer(champion, question, self.params.policy, known.store)
        digest = champion.entry.digest
        if self._rhythm is None or self._rhythm[0] != digest:
            self._rhythm = digest, rhythm_of(champion.artifact.histories, self.params)
        return standing(question, visible(known, question).store, found, self._rhythm[1], self.params)

    def forget(self, user_id: str) -> int:
        """Erase a user from the state, their events from memory; offset of the tombstone that later readers honour."""
        self._count()
        models = self._followers.followed()
        try:
            for model in models:
                model.hold(user_id)  # so that exactly what was counted is taken back
            tomb = self.state.forget(user_id)
        except BaseException:
            for model in models:
                model.release(user_id)
            raise
        self._count()
        return tomb.offset
