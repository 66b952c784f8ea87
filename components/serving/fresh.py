"""Items that came after the model was trained: it knows them only as "unknown", so they are counted here, beside it.

Three counts say which of them comes next: what the user did with them, what of them follows the user's last item, what
of them is popular of late. How much of the probability they have together is the recent share of all events that fell
on them, drawn towards the user's own; the champion keeps the rest, in its own order. Without such items nothing
changes.

Counts are sums over events, so the order in which they come does not matter, and what is forgotten is taken back; only
where more items come than are kept (`live.fresh.max_items`) does it matter which came first.
Never here: the champion, its counts, or what an answer looks like (`serving.blended`).
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.features.encoding import PADDING, UNKNOWN
from components.features.store import WINDOWS, Store
from components.features.time import DAY_S
from components.params.live import FreshParams
from components.serving.histories import History

#: Events' worth of doubt: of there being new items at all, and of this user being different from everybody.
_PRIOR, _PULL = 10.0, 5.0
#: Events' worth of what is popular, behind what follows the last item; and of that, behind the user's own.
_BEHIND = 1.0
_SPAN = 400.0  # half-lives after which sums are scaled anew; 2^400 is far inside float64


@dataclass(frozen=True)
class Offered:
    """New items that may come next.

    Attributes
    ----------
    share : of the probability that they have together, in [0, live.fresh.most_share]
    names : (F,) their ids
    probability : (F,) of each among them; sums to 1, or nothing is offered
    place : (F, 2) latitude and longitude where each was met last, degrees, NaN = nowhere
    own : (F,) decayed events of this user
    count : (F,) events of everybody
    """

    share: float
    names: tuple[str, ...]
    probability: NDArray[np.float64]
    place: NDArray[np.float64]
    own: NDArray[np.float64]
    count: NDArray[np.int64]


def _nothing() -> Offered:
    none = np.zeros(0)
    return Offered(0.0, (), none, np.zeros((0, 2)), none, np.zeros(0, np.int64))


class Fresh:
    """Counts of new items.

    Parameters
    ----------
    params : half-life, largest share, most items
    """

    def __init__(self, params: FreshParams) -> None:
        self._params = params
        self._half_life_s = params.half_life_days * DAY_S
        self._lock = threading.Lock()
        self._slot: dict[str, int] = {}
        self._names: list[str] = []
        self._listed: tuple[tuple[str, ...], dict[str, int]] | None = None  # what readers hold on to
        self._mass, self._newest_s = np.zeros(0), np.zeros(0)
        self._count = np.zeros(0, np.int64)
        self._place = np.zeros((0, 2))
        self._after: dict[str, Counter[str]] = {}
        self._all = 0.0  # Σ 2^((t - since) / half-life) over all events with an item
        self._since_s: float | None = None

    def __len__(self) -> int:
        return len(self._slot)

    def begin(self, store: Store, rows: NDArray[np.int64]) -> None:
        """Take events that came after the training window: new items among them have no names any more."""
        time_s = np.asarray(store["time_s"])[rows[np.asarray(store["item"])[rows] != PADDING]].astype(np.float64)
        if len(time_s):
            with self._lock:
                self._since(float(time_s.max()))
                self._all += float(np.exp2((time_s - self._since_of()) / self._half_life_s).sum())

    def count(self, history: History, rows: NDArray[np.int64], sign: int) -> None:
        """Add (+1) or take back (-1) events of a history, each with the one before it; none of the training window."""
        item, window = history.store["item"], history.store["window"]
        with self._lock:
            for row in rows.tolist():
                if item[row] == PADDING or (not history.offset[row] and window[row] <= WINDOWS["train"]):
                    continue
                time_s = float(history.time_us[row]) / 1e6
                self._since(time_s)
                weight = sign * float(np.exp2((time_s - self._since_of()) / self._half_life_s))
                self._all = max(self._all + weight, 0.0)
                name = new_item(history, row)
                if name is not None:
                    self._add(name, weight, sign, time_s, history, row)
            self._trim()

    def _add(self, name: str, weight: float, sign: int, time_s: float, history: History, row: int) -> None:
        slot = self._slot.get(name)
        if slot is None:
            slot = self._slot[name] = len(self._names)
            self._listed = None
            self._names.append(name)
            self._grow(slot + 1)
        self._mass[slot] = max(self._mass[slot] + weight, 0.0)
        self._count[slot] += sign
        if sign > 0 and time_s >= self._newest_s[slot]:
            self._newest_s[slot] = time_s
            place = [float(history.store[one][row]) for one in ("latitude", "longitude")]
            if place[0] == place[0]:
                self._place[slot] = place
        before = history.item_id(row - 1) if row else None
        if before is not None:
            self._after.setdefault(before, Counter())[name] += sign

    def _grow(self, size: int) -> None:
        """Room for `size` items."""
        if size <= len(self._mass):
            return
        more = max(2 * len(self._mass), 64) - len(self._mass)
        self._mass = np.pad(self._mass, (0, more))
        self._count = np.pad(self._count, (0, more))
        self._newest_s = np.pad(self._newest_s, (0, more), constant_values=-np.inf)
        self._place = np.pad(self._place, ((0, more), (0, 0)), constant_values=np.nan)

    def _trim(self) -> None:
        """Drop items that nobody did after all, and the least recent beyond the limit (some at once: it costs)."""
        n, most = len(self._names), self._params.max_items
        gone = self._count[:n] <= 0
        left = n - int(gone.sum())
        if left > most:
            order = np.argsort(np.where(gone, -np.inf, self._newest_s[:n]), kind="stable")
            gone[order[: n - most + most // 10]] = True
        if not gone.any():
            return
        self._listed = None
        keep = np.flatnonzero(~gone)
        lost = {self._names[slot] for slot in np.flatnonzero(gone).tolist()}
        self._names = [self._names[slot] for slot in keep.tolist()]
        self._slot = {name: slot for slot, name in enumerate(self._names)}
        self._mass, self._count = self._mass[keep], self._count[keep]
        self._newest_s, self._place = self._newest_s[keep], self._place[keep]
        for before in list(self._after):
            rest = Counter({name: n for name, n in self._after[before].items() if n > 0 and name not in lost})
            if rest:
                self._after[before] = rest
            else:
                del self._after[before]

    def _since_of(self) -> float:
        return self._since_s or 0.0

    def _since(self, time_s: float) -> None:
        """Sums are kept relative to one instant, which moves when the present has left it far behind."""
        if self._since_s is None:
            self._since_s = time_s
        elif (time_s - self._since_s) / self._half_life_s > _SPAN:
            factor = float(np.exp2((self._since_s - time_s) / self._half_life_s))
            self._mass *= factor
            self._all *= factor
            self._since_s = time_s

    def offered(self, history: History | None, now_s: float) -> Offered:
        """What new items may come next, for a user with this history (None: of whom nothing is known).

        Parameters
        ----------
        history : events that are visible
        now_s : UTC seconds of the question
        """
        with self._lock:
            n = len(self._names)
            if not n:
                return _nothing()
            mass = self._mass[:n].copy()
            fade = float(np.exp2(min(max((self._since_of() - now_s) / self._half_life_s, -1000.0), 1000.0)))
            self._listed = self._listed or (tuple(self._names), dict(self._slot))
            names, slots = self._listed
            places, count = self._place[:n].copy(), self._count[:n].copy()
            last = history.item_id(len(history) - 1) if history is not None and len(history) else None
            follows = dict(self._after.get(last, {})) if last is not None else {}
            everything = self._all
        if mass.sum() <= 0:
            return _nothing()
        ours = mass.sum() * fade / (everything * fade + _PRIOR)
        own, seen = np.zeros(n), 0.0
        if history is not None:
            own, seen = self._own(history, now_s, slots)
        share = min((own.sum() + _PULL * ours) / (seen + _PULL), self._params.most_share)
        after = np.zeros(n)
        for name, times in follows.items():
            if name in slots:
                after[slots[name]] = max(times, 0)
        likely = (after + _BEHIND * mass / mass.sum()) / (after.sum() + _BEHIND)
        likely = (own + _BEHIND * likely) / (own.sum() + _BEHIND)
        return Offered(float(share), names, likely, places, own, count)

    def _own(self, history: History, now_s: float, slots: dict[str, int]) -> tuple[NDArray[np.float64], float]:
        """Decayed events of the user with each new item (F,), and with any item."""
        age_s = np.maximum(now_s - history.time_us / 1e6, 0.0)
        weight = np.exp2(-age_s / self._half_life_s)
        item = np.asarray(history.store["item"])
        own = np.zeros(len(slots))
        for row in np.flatnonzero(item == UNKNOWN).tolist():
            name = new_item(history, row)
            if name in slots:
                own[slots[name]] += weight[row]
        return own, float(weight[item != PADDING].sum())


def new_item(history: History, row: int) -> str | None:
    """Id of an event's item where the model does not know it and the log has its name."""
    return history.names[row] if history.store["item"][row] == UNKNOWN else None
