"""A challenger that nobody hears: it answers the same questions later, in a thread of its own, and its lists are kept.

Questions wait in a bounded queue; where it is full they are left out and counted, so that a slow challenger never
slows an answer. Lists are kept as small files, whole or not at all, each written once, with the offsets of the live log
between which they were made: these tell what a later tombstone takes, and which events the challenger may have counted
already; clocks and the times of questions do not. A kill loses the last unwritten ones, of both models alike. Never
here: which model is better (`experiments.shadow`).
"""

from __future__ import annotations

import logging
import queue
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from components.errors import ChronotopeError
from components.events.tombstones import Tombstones
from components.files import write_bytes
from components.serving.question import Answer
from components.serving.state.protocol import State
from components.workspace import Workspace, hold_file

logger = logging.getLogger(__name__)
Heard = Callable[[str, Sequence[str]], object]
_ROWS = 200  # of a file
_BATCH = 10_000  # records of the log at once
_CLOSE_S = 10.0
_IDLE_S = 2.0  # after so long without a question, what is held is written


@dataclass(frozen=True)
class Pair:
    """What both models would show a user at one moment.

    Attributes
    ----------
    user_id, time_us : of the question
    asked, answered : offsets of the live log before the champion and after the challenger answered
    champion, challenger : ids, best first
    name : of the list; a question that was sent again has that of the one before
    """

    user_id: str
    time_us: int
    asked: int
    answered: int
    champion: tuple[str, ...]
    challenger: tuple[str, ...]
    name: str = ""

    def encode(self) -> bytes:
        """As a line of JSON."""
        return orjson.dumps(
            [self.user_id, self.time_us, self.asked, self.answered, self.champion, self.challenger, self.name]
        )


def pairs(folder: Path) -> Iterator[Pair]:
    """Everything that was kept in a folder, in no order."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            user_id, time_us, asked, answered, champion, challenger, *name = orjson.loads(line)
            yield Pair(user_id, time_us, asked, answered, tuple(champion), tuple(challenger), *name)


def erase_forgotten(root: Path) -> int:
    """Take all who are forgotten, as far as that is collected, out of every experiment's files; pairs that went."""
    gone = Tombstones.read(root).offsets
    return sum(erase(folder, gone) for folder in sorted(Workspace(root).shadows.glob("*")))


def erase(folder: Path, gone: Mapping[str, int]) -> int:
    """Take out of the files what was asked before a user's tombstone (user → its offset); how many pairs."""
    if not folder.is_dir():
        return 0
    went = 0
    with hold_file(folder / "lock", f"the lists of {folder.name}", "erase", timeout_s=30.0):
        for path in sorted(folder.glob("*.jsonl")):
            lines = path.read_bytes().splitlines()
            kept = [line for line in lines if not _before(line, gone)]
            if len(kept) < len(lines):
                went += len(lines) - len(kept)
                write_bytes(path, b"".join(line + b"\n" for line in kept))
    return went


def _before(line: bytes, gone: Mapping[str, int]) -> bool:
    user_id, _, asked, *_ = orjson.loads(line)
    return bool(asked < gone.get(user_id, 0))


class Silent:
    """Asks the challenger behind the answers.

    Parameters
    ----------
    folder : where pairs are kept
    waiting : questions that may wait
    k : items of each list that are kept
    head : offset of the live log now
    heard : told of each list of the challenger's, and whose
    since : offset of the log behind which tombstones count

    Attributes
    ----------
    asked, left_out, failed : questions that were answered, did not fit, and broke the challenger
    """

    def __init__(
        self,
        folder: Path,
        waiting: int,
        k: int,
        head: Callable[[], int],
        heard: Heard = lambda *_: None,
        since: int = 0,
    ) -> None:
        self._folder, self._k, self._head, self._heard = folder, k, head, heard
        self._queue: queue.Queue[tuple[str, int, int, Answer, Callable[[], Answer], str] | None] = queue.Queue(waiting)
        self._gone: dict[str, int] = {}
        self._offset = since
        self._held: list[Pair] = []
        self._lock = threading.Lock()
        self.asked = self.left_out = self.failed = 0
        self._thread = threading.Thread(target=self._run, name="silent-challenger", daemon=True)
        self._thread.start()

    def offer(
        self, user_id: str, time_us: int, asked: int, shown: Answer, ask: Callable[[], Answer], name: str = ""
    ) -> bool:
        """Let the challenger answer too, some time; whether it will. Never waits.

        `asked` is the offset of the log before the champion answered, `name` that of the list.
        """
        try:
            self._queue.put_nowait((user_id, time_us, asked, shown, ask, name))
        except queue.Full:
            self.left_out += 1
            return False
        return True

    def forget(self, gone: Mapping[str, int]) -> int:
        """Drop what waits, is held and is kept of users from before their tombstones; how many pairs were in files."""
        with self._lock:
            self._gone |= gone
            self._held = [one for one in self._held if self._stays(one.user_id, one.asked)]
        return erase(self._folder, gone)

    def honour(self, state: State) -> None:
        """Forget users whose tombstones the log has gained."""
        offset, gone = self._offset, dict[str, int]()
        while batch := state.after(offset, _BATCH):
            gone |= {one.record.user_id: one.offset for one in batch if one.record.kind == "tombstone"}
            offset = batch[-1].offset
        if gone:
            self.forget(gone)
        self._offset = offset  # last: what failed is looked at again

    def _stays(self, user_id: str, asked: int) -> bool:
        return asked >= self._gone.get(user_id, 0)

    def close(self) -> None:
        """Answer what waits, write what is held, and end the thread; a challenger that hangs is left behind."""
        try:
            self._queue.put(None, timeout=_CLOSE_S)
        except queue.Full:
            logger.error("the silent challenger hangs: %d questions of it are lost", self._queue.qsize())
        self._thread.join(timeout=_CLOSE_S)

    def _run(self) -> None:
        while True:
            try:
                job = self._queue.get(timeout=_IDLE_S)
            except queue.Empty:
                self._write()
                continue
            if job is None:
                self._write()
                return
            self._answer(*job)

    def _answer(
        self, user_id: str, time_us: int, asked: int, shown: Answer, ask: Callable[[], Answer], name: str
    ) -> None:
        try:
            found, answered = ask(), self._head()
        except Exception as error:  # noqa: BLE001 - the edge of a thread: whatever a challenger throws ends here
            self.failed += 1
            logger.warning("the silent challenger failed: %s", type(error).__name__)
            return
        with self._lock:
            if not self._stays(user_id, asked):
                return
            self._held.append(Pair(user_id, time_us, asked, answered, self._ids(shown), self._ids(found), name))
            full = len(self._held) >= _ROWS
        self._heard(user_id, self._ids(found))
        self.asked += 1
        if full:
            self._write()

    def _ids(self, answer: Answer) -> tuple[str, ...]:
        return tuple(item.item_id for item in answer.items[: self._k])

    def _write(self) -> None:
        with self._lock:  # until it is on the disk: whoever is forgotten is in what is held, or in a file
            held, self._held = self._held, []
            if held:
                _keep(self._folder, held)


def _keep(folder: Path, held: Sequence[Pair]) -> None:
    """Write pairs to a file of their own, under a name that no other has."""
    try:
        write_bytes(
            folder / f"{held[0].time_us}-{uuid.uuid4().hex[:12]}.jsonl", b"".join(p.encode() + b"\n" for p in held)
        )
    except (ChronotopeError, OSError) as error:
        logger.error("%d silent answers are lost: %s", len(held), type(error).__name__)
