"""What one process of the service holds: the live system, its counters, and the threads beside the loop that answers.

Opening it verifies, loads and warms the champion; until then nothing is answered. Never here: HTTP.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bento.metrics.gauges import Gauges
from bento.metrics.metrics import Metrics
from bento.readiness import Readiness
from bento.schemas.evolution import checked
from components.experiments.arms import Arms
from components.params import Params
from components.serving.collect import let_go
from components.serving.evolved import Evolved
from components.serving.live import Live, Taken
from components.serving.pulse import Broadcast, Pulse, Source, item_in, model_of
from components.serving.rounds import every
from components.serving.state.open import open_state
from components.serving.state.protocol import State
from components.serving.state.record import Kind
from components.serving.watch import Watch

Found = TypeVar("Found")
STATE = "CHRONOTOPE_STATE"
_ON_THE_LOOP = 20  # records that are taken without handing them to a thread
_INTAKE_THREADS = 4  # commits that wait for a disk or a server at once
_EXPIRE_S = 3600.0


def _experiment(arms: Arms | None) -> dict[str, object]:
    """Which experiment is under way, for people."""
    plan = None if arms is None else arms.plan
    return {"experiment": None if plan is None else {"name": plan.name, "mode": plan.mode}}


class Worker:
    """The state of one serving process.

    Attributes
    ----------
    params, policy : of the workspace
    live, watch, state : the live system, who holds the champion, and where records are kept
    arms : the experiment under way, if there is one; None: there can be none
    metrics, pulse, broadcast : what is counted, and for whom
    readiness : whether questions are answered
    waiting, explaining, streams : requests that wait for their turn, for reasons, that follow the stream
    evolved : the newest report of how behaviour evolves; None: there can be none
    slow : the one thread that works out reasons
    closing : set when the service is about to end
    """

    def __init__(
        self,
        params: Params,
        live: Live,
        watch: Watch,
        state: State,
        arms: Arms | None = None,
        expire: Callable[[int], int] | None = None,
        evolved: Evolved | None = None,
    ) -> None:
        self.params, self.policy = params, params.policy
        self.policy_json = params.policy.model_dump_json().encode()
        self.live, self.watch, self.state, self.arms = live, watch, state, arms
        live.beside = arms
        self.evolved = evolved
        self._let_go = expire or state.expire
        self.metrics = Metrics()
        self.readiness = Readiness(live)
        self.pulse = Pulse(
            Source(
                item=lambda item_id: item_in(live.champion, item_id),
                model=lambda: model_of(watch.champion, watch.previous, watch.last_error) | _experiment(arms),
                sizes=state.sizes,
                timezone=params.events.timezone,
            )
        )
        self.broadcast = Broadcast(self.pulse, params.guard.max_streams)
        self.waiting = self.explaining = self.streams = 0
        self.slow = ThreadPoolExecutor(1, thread_name_prefix="reasons")
        self.closing = asyncio.Event()
        self._intake = ThreadPoolExecutor(_INTAKE_THREADS, thread_name_prefix="intake")
        self._answers = ThreadPoolExecutor(_INTAKE_THREADS, thread_name_prefix="answers")
        self._remote = bool(os.environ.get(STATE))
        self._waits = params.live.durability == "fsync" or self._remote
        self._gauges = Gauges(self)
        self._stop = threading.Event()
        self._keeper: threading.Thread | None = None
        live.listeners.append(self.metrics.applied)
        live.listeners.append(self.pulse.applied)
        if arms is not None:
            arms.heard = partial(self.pulse.shown, "challenger")

    async def take(self, kind: Kind, records: Sequence[Mapping[str, Any]]) -> Taken:
        """Take records into the live log: here where that is quick, in a thread where it waits or is long."""
        if len(records) <= _ON_THE_LOOP and not self._waits:
            return self.live.take(kind, records)
        return await self.beside(self.live.take, kind, records)

    async def beside(self, work: Any, *arguments: Any) -> Any:
        """Do what waits for a disk or a server in a thread, so that others are answered meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._intake, work, *arguments)

    async def asked(self, work: Callable[..., Found], *arguments: Any) -> Found:
        """Answer: here, or in a thread where a server is asked, or a disk waited for (which logs what is shown)."""
        if not self._remote and not (self._waits and self.arms is not None and self.arms.plan is not None):
            return work(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self._answers, partial(work, *arguments))

    def page(self) -> bytes:
        """What `/metrics` shows."""
        return self.metrics.page(self._gauges)

    def behind(self) -> int:
        """Records of the log that this worker has not counted yet."""
        return max(self.state.head() - self.live.offset, 0)

    def degraded(self) -> list[str]:
        """What is not as it should be though it answers, in fixed words."""
        arms = self.arms
        found = {
            "questions fail": self.readiness.suspect,
            "the newest promotion was refused": self.watch.last_error is not None,
            "what comes in is not counted": self.live.failing,
            "the experiment rests": arms is not None and arms.error is not None,
        }
        return [words for words, so in found.items() if so]

    def start(self) -> None:
        """Follow the log of promotions, and what other workers take; let what is too old go."""
        self.watch.start(on_swap=self.metrics.swapped)
        self.live.start()
        if self.arms is not None:
            self.arms.start(self.params.serving.poll_s)
        self._keeper = every(_EXPIRE_S, self._stop, self._expire, "retention")

    def _expire(self) -> None:
        oldest = dt.datetime.now(dt.UTC) - dt.timedelta(days=self.params.live.retention_days)
        self._let_go(int(oldest.timestamp() * 1e6))

    def stop(self) -> None:
        """Stop following and release the state; twice is once."""
        self._stop.set()
        if self._keeper is not None:
            self._keeper.join(timeout=5)
        if self.arms is not None:
            self.arms.stop()
        self.watch.stop()
        self.live.stop()
        self._intake.shutdown(wait=True)
        self._answers.shutdown(wait=True)
        self.slow.shutdown(wait=False, cancel_futures=True)
        self.state.close()


def open_worker(root: Path, params: Params) -> Worker:
    """Open the state and the champion of a workspace, warm, and follow both.

    Raises
    ------
    PromotionError
        Nothing was promoted yet.
    IntegrityError, StorageError, ServiceError
        The champion or the state is not to be used.
    """
    watch = Watch(root, params.serving.poll_s, params.policy)
    state = open_state(root, params.live, os.environ.get(STATE), params.workspace.name)
    live = Live(watch, state, params)
    evolved = Evolved(root / "reports" / "evolution" / "summary.json", checked)
    arms = Arms(root, state, live.prepare)
    worker = Worker(params, live, watch, state, arms, partial(let_go, root, state), evolved)
    worker.start()
    return worker
