"""The arms in the service: who is answered by which model, what is logged of it, and what happens when one fails.

    answer → the user's arm → that model, or the champion where the challenger fails → the exposure log
    watch  → a thread: follows the log of experiments, loads and drops the challenger, and turns a bad one off

A challenger only ever adds: without it, or with a broken one, the champion answers as if no experiment were. Where it
fails once, the champion answers and the list still counts for the challenger's arm (what it costs users is its doing);
where it fails again and again, this worker rests: nothing is logged for either arm. Never here: how a model answers.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.errors import ChronotopeError
from components.experiments.assignment import arm_of
from components.experiments.challenger import load_challenger
from components.experiments.exploration import explored
from components.experiments.exposure import impressions, list_id_of
from components.experiments.log import Active, Follow
from components.experiments.plan import Arm, Plan
from components.experiments.results import told
from components.experiments.silent import Heard, Silent
from components.experiments.switch import switch_off
from components.experiments.tally import Tally
from components.serving.champion import Champion
from components.serving.question import Answer, Question
from components.serving.rounds import FOR_GOOD, Tries, every, plainly
from components.serving.state.protocol import State
from components.serving.watch import warm
from components.workspace import Workspace

logger = logging.getLogger(__name__)
Ask = Callable[[Champion], Answer]
_NOW_S = 300.0  # a question about a time as far from the service's clock as this is not about what is shown now
_STRIKES = 5  # failures one after the other, with which the challenger has lost this worker's trust


@dataclasses.dataclass
class _Trial:
    """An experiment that this worker takes part in."""

    active: Active
    challenger: Champion
    tally: Tally
    silent: Silent | None
    strikes: int = 0
    looked_us: int = 0


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Arms:
    """Who answers whom.

    Parameters
    ----------
    root : the workspace
    state : the live log: exposure goes there, evidence comes from there
    prepare : called with a challenger before it answers anybody: catches it up with the log
    clock : aware time of the service

    Attributes
    ----------
    heard : told of each list that a silent challenger makes, and whose
    error : why this worker does not take part in the experiment under way; None: it does, or there is none
    counts : answers by (arm, model that answered), and "failed", "unlogged", and "unlooked": looks that could not be
        taken
    """

    def __init__(
        self,
        root: Path,
        state: State,
        prepare: Callable[[Champion], object],
        clock: Callable[[], dt.datetime] = _now,
    ) -> None:
        self._root, self._state, self._prepare, self._clock = root, state, prepare, clock
        self._follow = Follow(root)
        self._trial: _Trial | None = None
        self._loaded: Champion | None = None
        self._tries = Tries()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.heard: Heard = lambda *_: None
        self.error: str | None = None
        self.counts: Counter[str] = Counter()

    @property
    def challenger(self) -> Champion | None:
        """The model beside the champion, where an experiment is under way."""
        return self._loaded

    @property
    def plan(self) -> Plan | None:
        """The experiment that this worker takes part in."""
        trial = self._trial
        return None if trial is None else trial.active.plan

    def status(self) -> dict[str, Any]:
        """What the service may tell of it: no user, no list."""
        trial = self._trial
        silent = None if trial is None or trial.silent is None else trial.silent
        return {
            "experiment": None if trial is None else trial.active.plan.name,
            "mode": None if trial is None else trial.active.plan.mode,
            "challenger": None if trial is None else trial.challenger.entry.digest,
            "error": self.error,
            "answers": dict(self.counts),
            "silent": None if silent is None else {n: getattr(silent, n) for n in ("asked", "left_out", "failed")},
        }

    def answer(self, champion: Champion, question: Question, ask: Ask) -> Answer:
        """Answer a question by the arm that its user is in.

        Parameters
        ----------
        champion : that serves now
        question : of a known user; any other is the champion's, and no part of the experiment
        ask : asks a model
        """
        trial, user_id = self._of(champion, question), question.user_id
        if trial is None or user_id is None:
            return ask(champion)
        plan, time_us = trial.active.plan, int(question.time.timestamp() * 1e6)
        shown = question.shown and abs((question.time - self._clock()).total_seconds()) <= _NOW_S
        if trial.silent is not None:
            if not shown:
                return ask(champion)
            return self._beside(trial, trial.silent, champion, question, ask)
        arm = arm_of(plan, user_id)
        found, by = self._asked(trial, arm, champion, ask)
        if self._trial is not trial:
            return found
        if not shown:
            return dataclasses.replace(found, arm=plan.label(arm))
        return self._shown(plan, arm, list_id_of(plan, question), user_id, time_us, found, by)

    def model(self, champion: Champion, question: Question) -> Champion:
        """Who is to answer a question: the model of the user's arm; nothing is noted."""
        trial, user_id = self._of(champion, question), question.user_id
        if trial is None or user_id is None or trial.silent is not None:
            return champion
        return trial.challenger if arm_of(trial.active.plan, user_id) == "challenger" else champion

    def _of(self, champion: Champion, question: Question) -> _Trial | None:
        """The experiment that a question is part of."""
        trial = self._trial
        if trial is None or question.user_id is None or trial.active.plan.champion != champion.entry.digest:
            return None
        return trial

    def _beside(self, trial: _Trial, silent: Silent, champion: Champion, question: Question, ask: Ask) -> Answer:
        """The champion's answer, and the challenger's some time."""
        try:
            asked = self._state.head()
        except (ChronotopeError, OSError):  # without its place in the log a list could not be scored, nor forgotten
            return ask(champion)
        shown = ask(champion)
        name, time_us = list_id_of(trial.active.plan, question), int(question.time.timestamp() * 1e6)
        silent.offer(str(question.user_id), time_us, asked, shown, lambda: ask(trial.challenger), name)
        return shown

    def _asked(self, trial: _Trial, arm: Arm, champion: Champion, ask: Ask) -> tuple[Answer, Champion]:
        if arm == "champion":
            return ask(champion), champion
        try:
            found = ask(trial.challenger)
        except Exception as error:  # noqa: BLE001 - whatever a challenger throws, its user is answered
            found = ask(champion)  # a question that is wrong in itself is refused here, and is no failure
            self._failed(trial, error)
            return found, champion
        trial.strikes = 0
        return found, trial.challenger

    def _failed(self, trial: _Trial, error: Exception) -> None:
        trial.strikes += 1
        self.counts["failed"] += 1
        # Never its words: they may name users.
        logger.warning("the challenger failed (%d): %s", trial.strikes, type(error).__name__)
        if trial.strikes >= _STRIKES and self._trial is trial:
            self._rest(trial.active, f"the challenger failed {_STRIKES} times in a row: {type(error).__name__}")

    def _shown(
        self, plan: Plan, arm: Arm, list_id: str, user_id: str, time_us: int, found: Answer, by: Champion
    ) -> Answer:
        items, chances = explored(found.items, plan.settings.explore, list_id)
        answer = dataclasses.replace(found, items=items, arm=plan.label(arm), list_id=list_id, chances=chances)
        self.counts[f"{arm} by {'challenger' if by.entry.digest == plan.challenger else 'champion'}"] += 1
        if plan.settings.expose:
            try:
                self._state.append(
                    impressions(
                        plan, arm, user_id, answer, list_id=list_id, time_us=time_us,
                        received_us=int(self._clock().timestamp() * 1e6), probabilities=chances,
                        answered_by=by.entry.digest,
                    )
                )  # fmt: skip
            except (ChronotopeError, OSError) as error:
                self.counts["unlogged"] += 1
                logger.error("a list was shown and not logged: %s", type(error).__name__)
        return answer

    def check(self) -> bool:
        """Follow the log of experiments: load a new challenger, drop one that has ended; whether anything changed."""
        try:
            under_way = self._follow.active()
        except (ChronotopeError, OSError) as error:
            self._rest(None, str(error))
            return False
        trial = self._trial
        if under_way is None:
            self._tries = Tries()
            self._rest(None, None)
            return trial is not None
        if trial is not None and trial.active.sequence == under_way.sequence:
            return False
        if not self._tries.due(under_way.sequence):
            return False
        self._rest(None, None)
        try:
            # Known as the one beside the champion before it is caught up: whoever follows the log must not let it go.
            self._loaded = challenger = load_challenger(self._root, under_way.plan.challenger)
            self._prepare(challenger)
            warm(challenger)
        except Exception as error:  # noqa: BLE001 - whatever a challenger throws, the champion goes on
            self._rest(under_way, plainly(error), for_good=isinstance(error, FOR_GOOD))
            return False
        plan = under_way.plan
        silent = None
        if plan.mode == "shadow":
            folder = Workspace(self._root).shadows / plan.name
            settings, heard = plan.settings, lambda *told: self.heard(*told)
            silent = Silent(folder, settings.waiting, settings.k, self._state.head, heard, plan.offset)
        self._trial = _Trial(under_way, challenger, Tally(plan), silent)
        logger.info("experiment %s: %s beside the champion, %s", plan.name, plan.challenger[:12], plan.mode)
        return True

    def _rest(self, under_way: Active | None, error: str | None, for_good: bool = True) -> None:
        """Take no part (any more) in an experiment; with `under_way`, until its log goes on, or another try is due."""
        trial, self._trial, self._loaded = self._trial, None, None
        self.error = error
        if under_way is not None:
            self._tries.failed(under_way.sequence, for_good)
        if error is not None:
            logger.error("no experiment on this worker: %s", error)
        if trial is not None and trial.silent is not None:
            trial.silent.close()

    def look(self) -> bool:
        """Read what came of the experiment, and turn the challenger off if it is surely worse; whether it was."""
        trial = self._trial
        if trial is None:
            return False
        if trial.silent is not None:
            trial.silent.honour(self._state)
            return False
        trial.tally.follow(self._state)
        found = told(trial.active.plan, *trial.tally.outcomes(int(self._clock().timestamp() * 1e6)))
        entry = switch_off(self._root, trial.active, found)
        self.check()
        return entry is not None

    def start(self, poll_s: float) -> None:
        """Take part from now on: load what is under way, then look every `poll_s` seconds in a thread until `stop`."""
        self.check()

        def once() -> None:
            self.check()
            self._look_if_due()

        self._thread = every(poll_s, self._stop, once, "experiments")

    def _look_if_due(self) -> None:
        trial, now_us = self._trial, int(self._clock().timestamp() * 1e6)
        if trial is None or now_us - trial.looked_us < trial.active.plan.settings.check_s * 1e6:
            return
        trial.looked_us = now_us
        try:
            self.look()
        except Exception:  # whatever it is, it is counted here and ends at the edge of the thread
            self.counts["unlooked"] += 1
            raise

    def stop(self) -> None:
        """End the thread and let the challenger go."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=30)
        self._rest(None, None)
