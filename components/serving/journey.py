"""Where a user is on their way: what they care about, whether they are drifting off, when they come next.

As of the question's time: none of the user's events dated after it counts. Interests are shares of categories of late
against those before; the life-cycle state judges the silence by the user's own rhythm
(`components.evolution.lifecycle`), learned from the histories that the artifact holds. Nothing is learned here, and
nothing of another user is told.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.errors import DataError
from components.evolution.lifecycle.occasions import Occasions, occasions_of
from components.evolution.lifecycle.rhythm import Rhythm, fit_rhythm
from components.evolution.lifecycle.states import STATES, states_at
from components.features.encoding import UNKNOWN
from components.features.store import Store
from components.features.time import DAY_S, MINUTE_S
from components.params import Params
from components.serving.question import Answer, NextTime, Question


@dataclass(frozen=True)
class Interest:
    """A category's share of the user's events of late, and how much more (or less) that is than before."""

    category: str
    share: float
    change: float


@dataclass(frozen=True)
class Journey:
    """Where a user is.

    Attributes
    ----------
    user_id : whose
    time : as of when
    events : of the history that is kept, up to then
    last : time of the newest one; None: there is none
    interests : largest share first; `evolve.interests.window_days` up to the last event, against all before
    state : absent, new, active, lapsing, dormant, churned or returning; None where the log is too small to tell
    next_visit : when the next event comes; None where the model does not say
    segment : new, active or returning, by which the policy's rules are chosen; None where nothing is known
    """

    user_id: str
    time: dt.datetime
    events: int
    last: dt.datetime | None
    interests: Sequence[Interest]
    state: str | None
    next_visit: NextTime | None
    segment: str | None


def interests(store: Store, window_days: int) -> list[Interest]:
    """Shares of categories in the newest days of one user's history; items without a category are left out."""
    encoding = store.encoding
    kind = np.asarray(encoding.catalogue.category)[np.asarray(store["item"])]
    told = kind > UNKNOWN
    if not told.any():
        return []
    time_s = np.asarray(store["time_s"])
    late = time_s > time_s[-1] - window_days * DAY_S
    size = len(encoding.vocabularies["category"])
    now, then = (np.bincount(kind[told & part], minlength=size).astype(float) for part in (late, ~late))
    share, before = now / max(now.sum(), 1.0), then / max(then.sum(), 1.0)
    change = share - before if then.sum() else np.zeros(size)
    names = encoding.vocabularies["category"].ids
    found = [Interest(str(names[k]), float(share[k]), float(change[k])) for k in np.flatnonzero(now + then).tolist()]
    return sorted(found, key=lambda one: (-one.share, one.category))


def rhythm_of(histories: Store, params: Params) -> Rhythm | None:
    """What everybody's pauses are like; None where too few have ended, or the log has no clock."""
    if histories.encoding.settings["time_kind"] == "ordinal" or not histories.n_events:
        return None
    one = params.evolve.lifecycle
    occasions = occasions_of(histories, one.unit_s)
    try:
        return fit_rhythm(occasions, occasions.end, one.limits)
    except DataError:
        return None


def state_of(store: Store, rhythm: Rhythm, now: dt.datetime, params: Params) -> str:
    """Where one user stands by their own rhythm; today (by their own clock) counts as soon as anything happened."""
    if not store.n_events:
        return STATES[0]
    one = params.evolve.lifecycle
    occasions: Occasions = occasions_of(store, one.unit_s)
    local_s = int(now.timestamp()) + MINUTE_S * int(store["utc_offset_min"][-1])
    moment = max(local_s // one.unit_s, int(occasions.unit[-1]) + 1)
    return STATES[int(states_at(occasions, np.array([moment]), rhythm, one.fresh)[0, 0])]


def standing(question: Question, store: Store, found: Answer, rhythm: Rhythm | None, params: Params) -> Journey:
    """Where a user is at the time of a question.

    Parameters
    ----------
    question : who, and as of when
    store : their history up to then
    found : the model's answer to the question
    rhythm : of everybody, where the log is large enough to tell
    params : of the workspace
    """
    return Journey(
        user_id=str(question.user_id),
        time=question.time,
        events=store.n_events,
        last=dt.datetime.fromtimestamp(int(store["time_s"][-1]), dt.UTC) if store.n_events else None,
        interests=interests(store, params.evolve.interests.window_days),
        state=None if rhythm is None else state_of(store, rhythm, question.time, params),
        next_visit=found.next_event,
        segment=found.segment,
    )
