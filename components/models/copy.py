"""The copy head: the next item as one of the user's own history, weighted event by event.

Each of H heads spreads its probability over the visible events with a known item, by

    score(t, j) = q_t · k_j / sqrt(d_h) + Σ_f bias_f[bucket_f(t, j)]

where k_j sees event j and the state before it (what came *after* a like moment is copied: induction), and the
buckets f are how long ago, how many events ago, the distance of the hours of day and whether both are weekend days,
the distance between the places, whether the event, or the one before it, is of the item that was last, and, where the
time of the request is known, how unlike the pause before it is to the pause before the event. With these a head can
become any of the habits that counters know (frequency, recency, hour, own transitions, near ones), and what no counter
knows. Ideas: pointer networks (Vinyals et al. 2015), CopyNet / RepeatNet (Ren et al. 2019). Never reads an event
behind t, and says nothing of items that the user has not met.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.models.config import SequenceConfig
from components.models.pointers import Asked, Pointers
from components.models.sphere import EARTH_KM, chords, located
from components.models.tokens import Request, Tokens

_AGES = 32  # half powers of two of minutes: up to a month; more of them gained nothing
_RANKS = 20  # half powers of two of events: up to about 700
_HOURS = 2 * 13  # 0..12 hours apart, of unlike days or of like ones
_PAUSES = 16  # half powers of e of the ratio of two pauses: up to about 1,100; the first: unknown
NEAR_KM = 0.05  # where the buckets of distances begin
_PLACES = 18  # half powers of two of distances: up to about 10 km; then far, and unknown


class CopyHead(nn.Module):
    """Questions and histories → log-probabilities over the events of the history, per head."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        d = config.width
        self.heads = config.copy_heads
        self.size = max(4, d // config.copy_heads)
        self.query = nn.Linear(d, self.heads * self.size)
        self.key = nn.Linear(2 * d, self.heads * self.size)
        self.clocked = "clock" in config.inputs
        self.timed = self.clocked or config.request_clock
        self.placed = bool(config.cells)
        self.age = nn.Embedding(_AGES, self.heads) if self.timed else None
        self.hour = nn.Embedding(_HOURS, self.heads) if self.clocked else None
        self.pause = nn.Embedding(2 * _PAUSES, self.heads) if config.request_clock else None
        self.place = nn.Embedding(_PLACES, self.heads) if self.placed else None
        self.rank = nn.Embedding(_RANKS, self.heads)
        self.same = nn.Embedding(4, self.heads)
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.zeros_(module.weight)
            elif isinstance(module, nn.Linear):
                nn.init.xavier_normal_(module.weight, gain=0.5)
                nn.init.zeros_(module.bias)

    def forward(self, asked: Asked, states: Tensor, events: Tensor, tokens: Tokens) -> Pointers:
        """Distributions over the events of the history, one for each head.

        Parameters
        ----------
        asked : the questions
        states : (B, L, d) of the encoder
        events : (B, L, d) vectors of the tokens
        tokens : (B, L)
        """
        B, T, _ = asked.states.shape
        L = events.shape[1]
        before = torch.cat([torch.zeros_like(states[:, :1]), states[:, :-1]], dim=1)  # (B, L, d)
        q = self.query(asked.states).view(B, T, self.heads, self.size).transpose(1, 2)
        k = self.key(torch.cat([events, before], dim=2)).view(B, L, self.heads, self.size).transpose(1, 2)
        score = (q @ k.transpose(2, 3) / math.sqrt(self.size)).float()  # (B, H, T, L)
        score = score + self._biases(asked, tokens).permute(0, 3, 1, 2)
        visible = self.visible(asked, tokens)[:, None]  # (B, 1, T, L)
        score = score.masked_fill(~visible, -torch.inf)
        total = torch.logsumexp(score, 3, keepdim=True)
        share = torch.where(visible, score - torch.nan_to_num(total, neginf=0.0), score)
        support = visible[:, 0].sum(2, keepdim=True).float().log1p()  # (B, T, 1)
        return Pointers(tokens.codes["item"][:, None, None], share, support)

    @staticmethod
    def visible(asked: Asked, tokens: Tokens) -> Tensor:
        """(B, T, L) whether event j may be copied at question t: seen by then, and of a known item."""
        known = tokens.mask & (tokens.codes["item"] > 1)  # the start token has item 0
        j = torch.arange(known.shape[1], device=known.device)
        return known[:, None] & (j <= asked.at[:, :, None])

    def _biases(self, asked: Asked, tokens: Tokens) -> Tensor:
        """(B, T, L, H) sum of the buckets' biases."""
        item = tokens.codes["item"]
        L = item.shape[1]
        j = torch.arange(L, device=item.device)
        steps = (asked.at[:, :, None] - j).clamp_min(0).float()  # (B, T, L)
        bias: Tensor = self.rank(_bucket(steps + 1, _RANKS))
        previous = torch.cat([torch.zeros_like(item[:, :1]), item[:, :-1]], dim=1)
        last = item.gather(1, asked.at)[:, :, None]  # (B, T, 1)
        follows = previous[:, None] == last  # (B, T, L)
        bias = bias + self.same((item[:, None] == last).long() + 2 * follows.long())
        if self.pause is not None and asked.request is not None:
            bias = bias + self.pause(_pauses(asked, asked.request, tokens.time_s) + _PAUSES * follows)
        if self.age is not None:
            bias = bias + self.age(_bucket(self._age_min(asked, tokens) + 1, _AGES))
        if self.hour is not None:
            bias = bias + self.hour(self._hours(asked, tokens))
        if self.place is not None and tokens.point is not None:
            bias = bias + self.place(_places(asked, tokens.point))
        return bias

    @staticmethod
    def _age_min(asked: Asked, tokens: Tokens) -> Tensor:
        """(B, T, L) minutes from event j to the request; to the last visible event where the request's is unknown."""
        time = tokens.time_s
        age = (time.gather(1, asked.at)[:, :, None] - time[:, None]).clamp_min(0).float()
        if asked.request is not None:
            gap = torch.expm1(asked.request.log_gap) * asked.request.known
            age = age + gap.view(asked.at.shape)[:, :, None]
        return age / 60

    @staticmethod
    def _hours(asked: Asked, tokens: Tokens) -> Tensor:
        """(B, T, L) bucket of the distance of the hours and of like days; of the last event where nothing is given."""
        hour, day = tokens.codes["hour"], tokens.codes["weekday"]
        own_hour, own_day = hour.gather(1, asked.at), day.gather(1, asked.at)  # (B, T)
        if asked.request is not None:
            known = asked.request.known.view(asked.at.shape)
            own_hour = torch.where(known, asked.request.hour.view(asked.at.shape), own_hour)
            own_day = torch.where(known, asked.request.weekday.view(asked.at.shape), own_day)
        apart = (own_hour[:, :, None] - hour[:, None]).abs()
        alike = (own_day[:, :, None] >= 5) == (day[:, None] >= 5)
        return torch.minimum(apart, 24 - apart) + 13 * alike.long()


def _bucket(x: Tensor, size: int) -> Tensor:
    """Half powers of two of x ≥ 1, the last bucket open."""
    return (2 * torch.log2(x)).floor().clamp(0, size - 1).long()


def _pauses(asked: Asked, request: Request, time_s: Tensor) -> Tensor:
    """(B, T, L) bucket of how unlike the pause before event j is to the pause before the request; 0 where unknown.

    The first event of a history came at once, as the time of the start token has it.
    """
    gap = torch.log1p((time_s[:, 1:] - time_s[:, :-1]).clamp_min(0).float())  # (B, L - 1)
    apart = (request.log_gap.view(asked.at.shape)[:, :, None] - gap[:, None]).abs()  # (B, T, L - 1)
    bucket = 1 + (2 * apart).long().clamp_max(_PAUSES - 2)
    known = request.known.view(asked.at.shape)[:, :, None]
    return F.pad(torch.where(known, bucket, 0), (1, 0))


def _places(asked: Asked, point: Tensor) -> Tensor:
    """(B, T, L) bucket of the distance between event j's place and that of the last visible event."""
    here = point.gather(1, asked.at[:, :, None].expand(-1, -1, 3))  # (B, T, 3)
    km = EARTH_KM * chords(here, point)  # (B, T, L)
    known = located(here)[:, :, None] & located(point)[:, None]
    return torch.where(known, _bucket((km / NEAR_KM).clamp_min(1), _PLACES - 1), _PLACES - 1)
