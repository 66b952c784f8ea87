"""Training batches, straight from the memory-mapped store: what the plan of an epoch is, and what step i sees.

Shifted sequences: one sample trains every position of a stretch of at most L tokens, never one prefix at a time.
Stretches of like length share a batch, so little is padded; a batch holds at most `tokens_per_batch` places. The
plan depends on (seed, epoch) alone and a batch on its place in the plan, so a run resumes anywhere. Never reads a
row behind the user's last training event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from components.errors import TrainingError
from components.features.baskets import basket_begin
from components.features.encoding import UNKNOWN
from components.features.store import WINDOWS, Store
from components.models.config import SequenceConfig
from components.models.sequence import Basket, Targets
from components.models.tokens import Request, Tokens
from components.predictor import Window
from components.training.gather import Slices, request_of, tokens_of
from components.training.masking import asked, draw, hide

Crops = Literal["last", "chunks", "rolling"]
Answered = Literal["all", "in_session"]


@dataclass(frozen=True)
class Batch:
    """What one step trains on.

    Attributes
    ----------
    tokens, targets : see components.models
    count : head → number of its targets, host side
    """

    tokens: Tokens
    targets: Targets
    count: Mapping[str, int]


class Corpus:
    """The training part of each user's history, cut into stretches.

    Parameters
    ----------
    window : what is learned from
    config : of the model that will read it
    crops : which stretches of users longer than L an epoch has: the last; all, cut from the end; all, cut anew
        each epoch
    tokens_per_batch : places (padding included) of a batch, at least those of one stretch
    seed : of the order of batches and of the cuts
    open_intervals : whether silence until the end of training is an answer to the time head
    targets : events that are answers: all of the window, or those that follow another of the same session
    also : windows right behind `window` that are learned from as well
    only : (N,) of all these, the events that are learned; None: all
    baskets : events of one user and time are one answer, learned from what was there before its first

    Raises
    ------
    TrainingError
        The window has no event to learn from.
    """

    def __init__(
        self,
        window: Window,
        config: SequenceConfig,
        crops: Crops,
        tokens_per_batch: int,
        seed: int,
        open_intervals: bool = True,
        targets: Answered = "all",
        also: Sequence[str] = (),
        only: NDArray[np.bool_] | None = None,
        baskets: bool = False,
    ) -> None:
        self.store, self.config, self.crops = window.store, config, crops
        self.tokens_per_batch, self.seed = tokens_per_batch, seed
        store = window.store
        self.trained = np.isin(np.asarray(store["window"]), [WINDOWS[name] for name in (window.name, *also)])  # (N,)
        rows = np.flatnonzero(self.trained)
        self.answered = self.trained if targets == "all" else self.trained & _follows(store)
        if only is not None:
            self.answered = self.answered & only
        self._sizes: NDArray[np.int64] | None = None  # (N,) events of the basket that a row begins
        if baskets:
            begin = basket_begin(store)
            self._sizes = np.bincount(begin, minlength=store.n_events)
            self.answered = self.answered & (begin == np.arange(store.n_events))
        if not np.any(np.asarray(store["item"])[self.answered] > 1):
            raise TrainingError(
                "events with a known item in the training window" + (", in a session" if targets != "all" else ""),
                found=f"{len(rows):,} events, {int(self.answered.sum()):,} that may be learned, none with one",
                do="Ingest more of the log, or make the windows after training shorter.",
            )
        users = store.user[rows]
        last = np.flatnonzero(np.append(np.diff(users) != 0, True))
        self.begin = np.asarray(store.offsets, np.int64)[users[last]]  # (U,) first row
        self.end = rows[last].astype(np.int64) + 1  # (U,) behind the last training row
        self.until_s = int(np.asarray(store["time_s"])[rows].max())
        self.tails = (
            open_intervals
            and targets == "all"  # gaps within sessions and silences between them are not of one kind
            and "time" in config.heads
            and _ends_with_training(store, self.end, users[last], self.until_s)
        )

    def stretches(self, epoch: int) -> Slices:
        """All stretches of an epoch, by user, newest first."""
        L = self.config.max_history
        answers = self.end - self.begin  # (U,) tokens that answer: token i answers event i
        pieces = np.ones(len(answers), np.int64)
        shift = np.zeros(len(answers), np.int64)
        if self.crops == "rolling":
            shift = np.random.default_rng([self.seed, epoch, 1]).integers(0, L, len(answers))
            shift = np.where(answers > L, shift, 0)
        if self.crops != "last":
            pieces = -(-(answers + shift) // L)
        user = np.repeat(np.arange(len(answers)), pieces)
        piece = np.arange(len(user)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        edge = answers[user] + shift[user] - piece * L
        stop, first = np.minimum(edge, answers[user]), np.maximum(edge - L, 0)
        count = stop - first
        tail = (piece == 0) & self.tails  # one more token, which only knows that nothing came since
        pieces_of = Slices(self.begin[user], first, count + tail, count)
        known = np.concatenate([[0], np.cumsum(self.answered)])
        return pieces_of[known[self.begin[user] + stop] > known[self.begin[user] + first]]

    def plan(self, epoch: int) -> list[Slices]:
        """Batches of an epoch, in the order of its steps."""
        rng = np.random.default_rng([self.seed, epoch, 0])
        pieces = self.stretches(epoch)
        pieces = pieces[rng.permutation(len(pieces))]
        band = max(1, self.config.max_history // 25)  # like lengths mix; at most `band` places of a row are padding
        pieces = pieces[np.argsort(pieces.length // band, kind="stable")]
        longest = np.maximum.accumulate(pieces.length)
        batches, start = [], 0
        while start < len(pieces):
            ahead = longest[start : start + self.tokens_per_batch]
            cost = np.arange(1, len(ahead) + 1) * ahead
            size = max(1, int(np.searchsorted(cost, self.tokens_per_batch, side="right")))
            batches.append(pieces[slice(start, start + size)])
            start += size
        return [batches[i] for i in rng.permutation(len(batches))]

    def batch(self, slices: Slices) -> Batch:
        """Tokens and targets of one batch."""
        store, config = self.store, self.config
        hidden = None
        if config.mask_share is not None:
            slices, hidden = draw(slices, config.mask_share, self.seed)
        tokens = tokens_of(store, slices, config)
        if hidden is not None:
            tokens = hide(tokens, torch.from_numpy(hidden))
        L = tokens.mask.shape[1]
        token = slices.first[:, None] + np.arange(L)  # (B, L)
        row = slices.begin[:, None] + token  # (B, L) row of the answer
        answers = np.arange(L) < slices.answers[:, None]
        place = np.flatnonzero(answers if hidden is None else answers & asked(slices, hidden))  # (n,) flat
        place = place[self.answered[row.ravel()[place]]]
        row = row.ravel()[place]
        item, action = _codes(store, "item", row), _codes(store, "action", row)
        item = np.where(item < config.trained, item, UNKNOWN)  # others are no answers that can be learned
        cells, coarse = (
            _codes(store, f"cell_{config.cells[at][0]}", row) if head in config.heads else np.zeros_like(item)
            for head, at in (("place", -1), ("place_coarse", 0))
        )
        gap = np.asarray(store["gap_s"])[row].astype(np.float64)
        gap[gap < 0] = np.nan
        tail = np.flatnonzero(slices.length > slices.answers)
        last = slices.begin[tail] + slices.first[tail] + slices.answers[tail] - 1  # row of the user's last event
        since = self.until_s - np.asarray(store["time_s"])[last]
        known = ~np.isnan(gap)
        targets = Targets(
            at=torch.from_numpy(place),
            item=torch.from_numpy(item),
            action=torch.from_numpy(action),
            place=torch.from_numpy(cells),
            place_coarse=torch.from_numpy(coarse),
            log_gap=torch.from_numpy(np.log1p(gap).astype(np.float32)),
            open_at=torch.from_numpy(tail * L + slices.answers[tail]),
            open_log_gap=torch.from_numpy(np.log1p(since).astype(np.float32)),
            request=self._request(row),
            basket=None if self._sizes is None else self._basket(row, self._sizes[row]),
        )
        category = np.asarray(store.encoding.catalogue.category)[item] if "category" in config.heads else item
        counts = {"item": item, "action": action, "place": cells, "place_coarse": coarse, "category": category}
        count = {head: int(np.sum(counts[head] > 1)) for head in config.heads if head in counts}
        if targets.basket is not None:
            count["item"] = len(torch.unique(targets.basket.query))
        if "time" in config.heads:
            count["time"] = int(known.sum()) + len(tail)
        return Batch(tokens, targets, count)

    def _basket(self, row: NDArray[np.int64], size: NDArray[np.int64]) -> Basket:
        """What is in the baskets that begin at rows (n,), as far as training knew it."""
        query = np.repeat(np.arange(len(row)), size)
        member = np.arange(len(query)) + np.repeat(row - (np.cumsum(size) - size), size)
        item = _codes(self.store, "item", member)
        keep = self.trained[member] & (item > UNKNOWN) & (item < self.config.trained)
        pair = np.unique(query[keep] * self.config.items + item[keep])  # an item counts once
        query, item = pair // self.config.items, pair % self.config.items
        each = np.bincount(query, minlength=len(row))[query]
        return Basket(
            torch.from_numpy(query), torch.from_numpy(item), torch.from_numpy((1.0 / each).astype(np.float32))
        )

    def _request(self, row: NDArray[np.int64]) -> Request | None:
        """When the answers came, for a model that asks."""
        config, store = self.config, self.store
        if not config.request_clock:
            return None
        time_s = np.asarray(store["time_s"])[row]
        gap = np.maximum(np.asarray(store["gap_s"])[row], 0)
        offset = np.asarray(store["utc_offset_min"])[row]
        return request_of(time_s, offset, time_s - gap, np.ones(len(row), bool))

    def log_gaps(self) -> NDArray[np.float64]:
        """Log(1 + gap_s) of the events that are learned, those with a predecessor."""
        gap = np.asarray(self.store["gap_s"])[self.answered]
        return np.log1p(gap[gap >= 0].astype(np.float64))


def _codes(store: Store, name: str, row: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(store[name])[row].astype(np.int64)


def _follows(store: Store) -> NDArray[np.bool_]:
    """(N,) whether an event follows another of the same user's same session."""
    session, user = np.asarray(store["session"]), store.user
    same = (session[1:] == session[:-1]) & (user[1:] == user[:-1])
    return np.concatenate([np.zeros(min(1, len(session)), bool), same])


def _ends_with_training(store: Store, end: NDArray[np.int64], user: NDArray, until_s: int) -> bool:
    """Whether nobody has an event between his last training event and the end of training.

    True where windows are cut by time; under leave-one-out an interval is not open at the end of training.
    """
    following = end < np.asarray(store.offsets)[user + 1]
    return bool(np.all(np.asarray(store["time_s"])[end[following]] >= until_s))
