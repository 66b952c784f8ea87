"""The champion in memory: a verified artifact, ready to answer, and how a question finds its history in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.errors import IntegrityError
from components.features.encoding import Encoding
from components.features.pack import pack_history
from components.features.store import Store
from components.features.time import offset_minutes
from components.once import made_once
from components.predictor import Predictor, Queries
from components.registry.artifact import LoadedArtifact, load_artifact
from components.registry.promotions import Entry
from components.serving.carried import Carried
from components.serving.question import Question

UNKNOWN_USER = "this user is not known: answered from what is popular now, at this hour and place"


@dataclass(frozen=True)
class Champion:
    """A promoted model, loaded.

    Attributes
    ----------
    entry : its entry in the promotion log
    artifact : what the verified loader returned
    """

    entry: Entry
    artifact: LoadedArtifact

    @property
    def predictor(self) -> Predictor:
        return self.artifact.predictor

    @property
    def encoding(self) -> Encoding:
        return self.artifact.encoding

    @made_once
    def carried(self) -> Carried:
        """What it carries of its users between two questions."""
        return Carried(self.artifact.predictor)

    @made_once
    def row_of(self) -> dict[str, int]:
        """User id → row in the stored histories."""
        return {str(name): row for row, name in enumerate(self.artifact.histories.users)}

    def queries(self, question: Question, known: Store | None = None) -> tuple[Queries, str]:
        """One query over the history that the question means, and what to tell people about it.

        Parameters
        ----------
        question : what is asked
        known : the user's history as it is now (one user, this encoding), where it is followed live
        """
        if known is not None and question.history is None:
            return self._query(known, 0, question), _told(known, question)
        if question.history is not None:
            store, row = pack_history(question.history, self.encoding, user_id=question.user_id or "inline"), 0
            reason = f"answered from the {store.n_events} events of the request"
        elif question.user_id in self.row_of:
            store, row = self.artifact.histories, self.row_of[question.user_id]
            reason = "answered from the user's stored history"
        else:
            store, row = pack_history([], self.encoding, user_id=str(question.user_id)), 0
            reason = UNKNOWN_USER
        return self._query(store, row, question), reason

    @property
    def time_given(self) -> bool:
        """Whether the model was judged with the time of the answer; it is served as it was judged."""
        return self.artifact.lineage["protocol"]["target_time"] == "given"

    @property
    def seen_kept(self) -> bool:
        """Whether the model was judged with the items of the history in its ranking."""
        return self.artifact.lineage["protocol"]["seen"] == "kept"

    def _query(self, store: Store, row: int, question: Question) -> Queries:
        asked_s = int(question.time.timestamp())
        # What is dated after the request has not happened yet; a log of mere order has no dates to compare.
        start, stop = int(store.offsets[row]), int(store.offsets[row + 1])
        if self.encoding.settings["time_kind"] != "ordinal":
            stop = start + int(np.searchsorted(store["time_s"][start:stop], asked_s, side="right"))
        last = stop - 1 if stop > start else None
        time_s = asked_s if self.time_given or last is None else int(store["time_s"][last])
        return Queries(
            store=store,
            user=np.array([row], np.int32),
            start=np.array([start], np.int64),
            stop=np.array([stop], np.int64),
            time_s=np.array([time_s], np.int64),
            utc_offset_min=np.array([self._offset(store, last, question, time_s)], np.int16),
            latitude=np.array([np.nan if question.latitude is None else question.latitude], np.float32),
            longitude=np.array([np.nan if question.longitude is None else question.longitude], np.float32),
            time_given=self.time_given,
        )

    def _offset(self, store: Store, last: int | None, question: Question, time_s: int) -> int:
        """The request's own offset, else that of the last event, else that of the workspace's time zone."""
        if question.utc_offset_min is not None:
            return question.utc_offset_min
        if last is not None:
            return int(store["utc_offset_min"][last])
        return int(offset_minutes(np.array([time_s]), str(self.encoding.settings["timezone"]))[0])


def _told(known: Store, question: Question) -> str:
    """What a live history holds at the time of the question, for people."""
    asked_s = int(question.time.timestamp())
    time_s = np.asarray(known["time_s"])
    ordinal = known.encoding.settings["time_kind"] == "ordinal"
    count = len(time_s) if ordinal else int(np.searchsorted(time_s, asked_s, side="right"))
    if not count:
        return UNKNOWN_USER
    events = f"answered from {count:,} event{'s' if count > 1 else ''}"
    return events if ordinal else f"{events}, the last {_ago(asked_s - int(time_s[count - 1]))} ago"


def _ago(seconds: int) -> str:
    """A length of time in its largest whole unit: 4 s, 12 min, 3 h, 8 days."""
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3_600:
        return f"{seconds // 60} min"
    if seconds < 172_800:
        return f"{seconds // 3_600} h"
    return f"{seconds // 86_400} days"


def load_champion(entry: Entry, folder: Path) -> Champion:
    """Verify and load the artifact of a promotion.

    Raises
    ------
    IntegrityError, UnsafeFileError
        The artifact is not what was promoted, or asks for something that a model file may not.
    """
    artifact = load_artifact(folder, entry.digest)
    if "protocol" not in artifact.lineage:
        raise IntegrityError(
            "the protocol of its judgement in the lineage of an artifact", found=f"none in {folder}", do="Train again."
        )
    return Champion(entry, artifact)
