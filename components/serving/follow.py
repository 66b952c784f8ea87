"""A model that follows the log: what comes in is counted by its memory, and users' histories grow, offset by offset.

The counts after offset o are those of all events up to o in the order of time, whatever the order in which they came:
an event that lands between two others takes the later one's transition back first (`forget`) and counts both anew. So
workers that followed the same log hold the same counts, but for rounding, and but for

- a model without `forget`, whose late events are only added, and of whom nothing can be taken back;
- a late event older than the newest `serving.history` of its user: it is counted without its neighbours;
- a tombstone that another worker left of a user whom this one no longer holds (`live.histories_mb` of them are): the
  live events stay in its counts until the next champion; the artifact's are taken back always, as far as it keeps them.

One thread at a time counts; answers do not wait for it: one that overlaps sees each table before or after.
Never here: whether a record is allowed, where it is kept, or who is told.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from components.errors import TrainingError
from components.features.store import Store
from components.params import Params
from components.registry.artifact import later
from components.registry.lineage import in_model
from components.serving.champion import Champion
from components.serving.fresh import Fresh
from components.serving.held import Held
from components.serving.histories import History, nothing, of_store
from components.serving.insertion import touched, with_all, with_events
from components.serving.settle import beside_others
from components.serving.state.protocol import State, Stored

#: Records that are counted while the lock is held: of a model that answers; of one that is caught up while others do;
#: of one for which everybody waits. Histories are packed once a batch, so many at once are many times cheaper.
BATCH, BESIDE, ALONE = 256, 2_048, 32_768
#: Users whose histories are packed between two looks at whether others wait.
_FEW = 16
#: Rows of one user's history to be counted.
Part = tuple[History, NDArray[np.int64]]


class Followed:
    """A champion (or a challenger) and what it has taken of the log.

    Parameters
    ----------
    champion : its predictor changes with what comes in
    state : the log
    params : `serving.history` events of a user are kept, of as many users as have room in `live.histories_mb`

    Attributes
    ----------
    offset : everything of the log up to here is counted
    ready : it has been caught up once, and is kept so with the others
    lost : it failed where others went on: it is followed no more, and nobody is to be answered by it
    fresh : counts of the items that the champion does not know
    """

    def __init__(self, champion: Champion, state: State, params: Params) -> None:
        self.champion, self._state, self._keep = champion, state, params.serving.history
        self.watermark = int(champion.artifact.lineage.get("live_offset", 0))
        # A log that was cut by time lacks events that are below its offset: those are looked for from the beginning.
        self.offset = 0 if champion.artifact.lineage.get("until") else self.watermark
        self._held = Held(int(params.live.histories_mb * (1 << 20)))
        self._gone: dict[str, int] = {}
        self._nobody = nothing(champion.encoding, "")
        self._lock = threading.RLock()
        self.ready = self.lost = False
        self.fresh = Fresh(params.live.fresh)
        self.fresh.begin(champion.artifact.histories, later(champion.artifact.histories))

    def follow(self, gently: bool = False, batch: int = BATCH) -> list[Stored]:
        """Take what the log has gained.

        Parameters
        ----------
        gently : others are answered meanwhile, and nobody waits for this
        batch : records that are counted at once

        Returns
        -------
        list of Stored
            The records that were taken, in the order of the log.

        Raises
        ------
        TrainingError
            The model fails at what came in: it is as it was before, and the next call tries again.
        """
        taken: list[Stored] = []
        while True:
            with self._lock:
                found = self._state.after(self.offset, batch)
                for tomb, group in groupby(found, key=lambda one: one.record.kind == "tombstone"):
                    records = list(group)
                    if tomb:
                        self._take_back(records)
                    else:
                        self._count(records, gently)
            taken += found
            if len(found) < batch:
                break
        return taken

    def history(self, user_id: str) -> History:
        """A user's history as the log has it now, also where it is not yet counted."""
        head, offset = self._state.head(), self.offset
        known = self._held.get(user_id)  # read last: it holds at least what is counted up to `offset`
        if known is None and self._lock.acquire(blocking=False):
            try:
                known, offset = self._of(user_id), self.offset
            finally:
                self._lock.release()
        if known is not None and head <= offset:
            return known
        if self._state.forgotten(user_id) > max(self.watermark, self._gone.get(user_id, 0)):
            known = self._nobody.of(user_id)
        return self._and_live(known if known is not None else self._base(user_id))

    def hold(self, user_id: str) -> None:
        """Keep what is counted of a user until their tombstone is taken; waits for whoever counts.

        Once the store is erased nothing else tells what is to be taken back.
        """
        with self._lock:
            self._of(user_id)
            self._held.pin(user_id)

    def release(self, user_id: str) -> None:
        """Hold a user no more: no tombstone comes."""
        with self._lock:
            self._held.unpin(user_id)

    def _of(self, user_id: str) -> History:
        """The history as it is counted."""
        held = self._held.get(user_id)
        if held is None:
            held = self._and_live(self._base(user_id), self.offset)
        self._held.put(user_id, held)
        return held

    def _base(self, user_id: str) -> History:
        """What the artifact holds of a user; nothing once they were forgotten."""
        row = None if user_id in self._gone else self.champion.row_of.get(user_id)
        if row is None:
            return self._nobody.of(user_id)
        return of_store(self.champion.artifact.histories, row, self._keep)

    def _and_live(self, known: History, until: int | None = None) -> History:
        """A history with those live events of the state that it lacks, up to an offset."""
        have = set(known.offset.tolist())
        found = self._state.last(str(known.store.users[0]), self._keep)
        new = found.where(
            lambda offset, time_us: (
                offset not in have and (until is None or offset <= until) and self._lacks(offset, time_us)
            )
        )
        return with_events(known, list(new), self._keep)[0]

    def _lacks(self, offset: int, time_us: int) -> bool:
        """Whether the model was made without an event of the log."""
        return offset > self.watermark or not in_model(time_us, offset, self.champion.artifact.lineage)

    def _count(self, records: Sequence[Stored], gently: bool) -> None:
        """Count live events that come after what is counted, all users at once."""
        before: list[Part] = []
        after: list[Part] = []
        grown: dict[str, History] = {}
        by_user: dict[str, list[Stored]] = {}
        for one in records:
            if one.record.kind == "event" and self._lacks(one.offset, one.record.time_us):
                by_user.setdefault(one.record.user_id, []).append(one)
        users, size = list(by_user), _FEW if gently else len(by_user)
        for at in range(0, len(users), max(size, 1)):
            with beside_others() if gently else nullcontext():
                for user, (was, now, source) in self._grown(users[at : at + size], by_user).items():
                    forget, count = touched(source)
                    before.append((was, forget))
                    after.append((now, count))
                    after += self._alone(user, by_user[user], now)
                    grown[user] = now
        self._tell(before, -1)
        try:
            self._tell(after, 1)
        except TrainingError:
            self._tell(before, 1)
            raise
        for user, now in grown.items():  # only what is counted is held: what failed comes again
            self._held.put(user, now)
        self.offset = records[-1].offset

    def _grown(
        self, users: Sequence[str], by_user: Mapping[str, Sequence[Stored]]
    ) -> dict[str, tuple[History, History, NDArray[np.int64]]]:
        """User → the history before, after, and where each event of it was before (-1 = it is new)."""
        before = [self._of(user) for user in users]
        pairs = zip(users, before, strict=True)
        new = [[one for one in by_user[user] if not history.has(one.offset)] for user, history in pairs]
        after = with_all(list(zip(before, new, strict=True)), self._keep)
        return {user: (was, *made) for user, was, made in zip(users, before, after, strict=True)}

    def _alone(self, user_id: str, new: Sequence[Stored], now: History) -> list[Part]:
        """Events that are older than the history that is kept."""
        late = [one for one in new if not now.has(one.offset)]
        return [(with_events(self._nobody.of(user_id), [one], self._keep)[0], np.zeros(1, np.int64)) for one in late]

    def _take_back(self, tombs: Sequence[Stored]) -> None:
        """Forget users: what was counted of them is counted no more."""
        for one in tombs:
            user = one.record.user_id
            if one.offset > self.watermark:
                known = self._of(user)
                self._tell([(known, np.arange(len(known)))], -1)
                self._gone[user] = one.offset
                self._held.put(user, self._nobody.of(user))
                self._held.unpin(user)
            self.offset = one.offset

    def _tell(self, parts: Sequence[Part], sign: int) -> None:
        """Count (+1) rows of some histories, or take them back (-1) where that can be done."""
        parts = [part for part in parts if len(part[1])]
        predictor = self.champion.predictor
        learn = predictor.update if sign > 0 else getattr(predictor, "forget", None)
        if parts and learn is not None:
            store, rows = join(parts)
            try:
                learn(store, rows)
            except Exception as error:  # whatever a model throws, its caller learns that it was the model
                raise TrainingError(
                    f"a model that counts what comes in ({self.champion.entry.digest[:12]})",
                    found=type(error).__name__,
                    do="It is tried again with the next record; `chronotope rollback` serves the one before.",
                ) from error
        for history, rows in parts:
            self.fresh.count(history, rows, sign)


def join(parts: Sequence[Part]) -> tuple[Store, NDArray[np.int64]]:
    """One store with the rows of several histories that are to be counted, each behind the two before it."""
    starts = [max(int(rows[0]) - 2, 0) for _, rows in parts]
    stops = [int(rows[-1]) + 1 for _, rows in parts]
    pieces = [(one.store, slice(a, b)) for (one, _), a, b in zip(parts, starts, stops, strict=True)]
    ends = np.cumsum([stop - start for start, stop in zip(starts, stops, strict=True)])
    begin = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    users = np.empty(len(parts), dtype=object)
    users[:] = [str(one.store.users[0]) for one, _ in parts]
    first = parts[0][0].store
    store = Store(
        users=users,
        offsets=np.concatenate([[0], ends]).astype(np.int64),
        columns={name: np.concatenate([one[name][part] for one, part in pieces]) for name in first.columns},
        numbers=np.concatenate([one.numbers[part] for one, part in pieces]),
        missing=np.concatenate([one.missing[part] for one, part in pieces]),
        encoding=first.encoding,
    )
    rows = [rows - start + at for (_, rows), start, at in zip(parts, starts, begin.tolist(), strict=True)]
    return store, np.concatenate(rows)
