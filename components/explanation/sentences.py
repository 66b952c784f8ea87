"""Reasons in plain sentences: "Because you went to the Blue Café on Friday evenings (5 times, last on 7 March 2025)."

Made of the record of reasons alone. A habit is told only where it was seen, a rhythm only where two thirds of at least
three events keep it. Never here: numbers for machines.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from components.explanation.counters import Said
from components.explanation.reasons import ItemReason, Reasons
from components.features.encoding import RESERVED, UNKNOWN, Encoding
from components.features.store import Store

#: What is worth less than this (nats; a twentieth of the probability) is not told.
TOLD = 0.05
#: A counter with less than this share of the probability is not told.
SHARE = 0.15
MOST = 3  # events, and counters, that are told
_RHYTHM_EVENTS, _RHYTHM_SHARE = 3, 2 / 3
#: What people did, by action; others are told by their name.
VERBS: Mapping[str, str] = {
    "view": "you looked at {}",
    "pv": "you looked at {}",
    "like": "you liked {}",
    "fav": "you marked {}",
    "cart": "you put {} into the cart",
    "purchase": "you bought {}",
    "buy": "you bought {}",
    "play": "you played {}",
    "listen": "you listened to {}",
    "watch": "you watched {}",
    "search": "you searched for {}",
    "rate": "you rated {}",
    "checkin": "you went to {}",
    "check-in": "you went to {}",
    "visit": "you went to {}",
    "event": "you chose {}",
}
#: What a counter of everybody's doings means, by kind; {} is the last item of the history.
EVERYBODY: Mapping[str, str] = {
    "popularity": "It is popular with everybody.",
    "recent_popularity": "It is popular at present.",
    "item_hour": "It is popular at this hour.",
    "markov": "Others often choose it after {}, your last.",
    "near": "It is near where you are.",
    "gravity": "It is popular and not far from where you are.",
}
#: What a counter of the user's own habits means, by kind.
OWN: Mapping[str, str] = {
    "user_frequency": "You come back to it.",
    "user_hour": "It is one of your habits at about this hour.",
    "user_markov": "You have chosen it after {} before.",
    "trajectory": "It belongs to what you are just doing.",
    "user_near": "It is one of your own places near here.",
}
_PARTS = ("night", "morning", "afternoon", "evening")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def sentences(reasons: Reasons, store: Store) -> list[str]:
    """What to tell the user about one item, the most telling first.

    Parameters
    ----------
    reasons : of the item
    store : of the question: its events, and the names of their items

    Returns
    -------
    list of str
        Never empty.
    """
    told = [*_events(reasons, store), *_counters(reasons.said, _last_item(reasons, store))]
    if told:
        return told
    if not reasons.events_seen:
        return ["Nothing is known of you yet: it is chosen by what others do."]
    if reasons.log_probability - reasons.without_history > TOLD:
        return ["It fits the whole of what you did lately; no single event decides."]
    return [f"It is chosen by what others do: your own {_times(reasons.events_seen, 'event')} hardly matter."]


def title_of(encoding: Encoding, code: int) -> str:
    """The title of an item, else its category and id."""
    name, category = encoding.catalogue.title[code], int(encoding.catalogue.category[code])
    if name:
        return str(name)
    kind = f"{encoding.vocabularies['category'].ids[category]} " if category > UNKNOWN else ""
    return f"{kind}{encoding.vocabularies['item'].ids[code]}"


def _events(reasons: Reasons, store: Store) -> Iterator[str]:
    """What carried the item; where nothing would be missed, for there is more of the same, the most telling of it."""
    missed = [one for one in reasons.items if one.effect >= TOLD and one.worth >= TOLD]
    for one in missed[:MOST] or [one for one in reasons.items if one.worth >= TOLD][:1]:
        instead = ""
        if one.effect >= TOLD:
            before, after = (np.exp(x) for x in (reasons.log_probability - one.effect, reasons.log_probability))
            them = "it" if len(one.rows) == 1 else "them"
            instead = f"; without {them} {per_cent(before)} instead of {per_cent(after)}"
        yield f"Because {_deed(one, store)}{_when(np.array(one.rows), store, instead)}."


def _deed(one: ItemReason, store: Store) -> str:
    names = store.encoding.vocabularies["action"].ids
    codes = np.asarray(store["action"])[list(one.rows)]
    commonest = str(names[np.bincount(codes).argmax()])
    title = title_of(store.encoding, one.item)
    if commonest in VERBS:
        return VERBS[commonest].format(title)
    return f"of {title}" if commonest in RESERVED else f"of {title} (“{commonest}”)"


def _when(rows: NDArray[np.int64], store: Store, more: str) -> str:
    """Rhythm, number of times and last date, e.g. " on Friday evenings (5 times, last on 7 March 2025; …)"."""
    kind = store.encoding.settings["time_kind"]
    last = "" if kind == "ordinal" else _date(store, int(rows[-1]))
    if len(rows) == 1:
        return f"{f' on {last}' if last else ''} (once{more})"
    rhythm = f" {found}" if kind == "real" and (found := _rhythm(rows, store)) else ""
    return f"{rhythm} ({len(rows)} times{f', last on {last}' if last else ''}{more})"


def _rhythm(rows: NDArray[np.int64], store: Store) -> str:
    """The part of the day, and the day, that two thirds of at least three events share."""
    if len(rows) < _RHYTHM_EVENTS:
        return ""
    part = np.bincount(np.asarray(store["local_hour"])[rows] // 6, minlength=4)
    days = np.asarray(store["local_weekday"])[rows]
    day = np.bincount(days, minlength=7)
    enough = _RHYTHM_SHARE * len(rows)
    at = _PARTS[int(part.argmax())] if part.max() >= enough else ""
    if day.max() >= enough:
        return f"on {_DAYS[int(day.argmax())]}{f' {at}s' if at else 's'}"
    hours = "" if not at else "by night" if at == "night" else f"in the {at}"
    weekend = "at weekends" if int((days >= 5).sum()) >= enough else ""
    return ", ".join(one for one in (weekend, hours) if one)


def _date(store: Store, row: int) -> str:
    """The local date of an event, e.g. 7 March 2025."""
    local_s = int(store["time_s"][row]) + 60 * int(store["utc_offset_min"][row])
    day = dt.datetime.fromtimestamp(local_s, dt.UTC)
    return f"{day.day} {day:%B %Y}"


def _counters(said: Sequence[Said], last: str | None) -> Iterator[str]:
    """What the counters that gave most mean, each kind once."""
    told: set[str] = set()
    for one in said:
        text = EVERYBODY.get(one.kind or "") or OWN.get(one.kind or "")
        if text is None or one.share * one.own < SHARE or text in told or ("{}" in text and last is None):
            continue
        told.add(text)
        yield text.format(last)
        if len(told) == MOST:
            return


def _last_item(reasons: Reasons, store: Store) -> str | None:
    """Title of the newest item of the history that is known."""
    newest = max(reasons.items, key=lambda one: one.rows[-1], default=None)
    return None if newest is None else title_of(store.encoding, newest.item)


def _times(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' if n != 1 else ''}"


def per_cent(probability: float) -> str:
    """A probability for people: 12 %, 3.4 %, 0.05 %, or less than 0.01 %."""
    share = 100 * float(probability)
    if share >= 9.95:
        return f"{share:.0f} %"
    if share >= 0.095:
        return f"{share:.1f} %"
    return f"{share:.2f} %" if share >= 0.01 else "less than 0.01 %"
