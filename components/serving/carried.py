"""What a champion carries of each user between two questions: of the newest few hundred users, nothing on a disk.

A state is a few hundred kilobytes (keys and values of what was read), so only who asks again soon is kept. An answer
never rests on it: a predictor looks at the history that it is asked about, and reads anew where that is another.
Never here: what a state is.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from components.predictor import Predictor, Queries, Scores, carries

_USERS = 256


class Carried:
    """States of one champion's users, least lately asked ones let go.

    Parameters
    ----------
    predictor : that answers
    users : states that are kept
    """

    def __init__(self, predictor: Predictor, users: int = _USERS) -> None:
        self._predictor, self._users = predictor, users
        self._held: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()

    def score(self, queries: Queries, user_id: str | None) -> Scores:
        """Answer one query.

        Parameters
        ----------
        queries : one
        user_id : whose it is; None: of nobody who will ask again
        """
        predictor = self._predictor
        if user_id is None:
            return predictor.carry(queries, None)[0] if carries(predictor) else predictor.score(queries)
        with self._lock:
            held = self._held.pop(user_id, None)
        scores, held = predictor.carry(queries, held) if carries(predictor) else (predictor.score(queries), None)
        with self._lock:
            self._held[user_id] = held
            while len(self._held) > self._users:
                self._held.popitem(last=False)
        return scores

    @property
    def users(self) -> list[str]:
        """Who asked last, newest last; of a predictor that carries nothing as well."""
        with self._lock:
            return list(self._held)

    def forget(self, user_id: str) -> None:
        """Let go of what is held of a user."""
        with self._lock:
            self._held.pop(user_id, None)

    def __len__(self) -> int:
        return len(self._held)
