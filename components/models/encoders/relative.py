"""How long ago and how far away, for each pair of tokens: buckets, and learned scalars for them.

A scalar is added to the attention of token i for token j by how far their times, or their places, lie apart
(HSTU's time bias; the spatio-temporal biases of STAN, 2021). The time and place of row i are those of event i, which
has happened: never those of event i + 1, the answer's, whatever a model is told of its request elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from components.models.sphere import chords, great_circle_km, located
from components.models.tokens import Carried, Tokens

BIASES = ("none", "time", "space", "both")
_TIMES = 72  # buckets of ln(seconds) / .301 (HSTU's width): the last begins after 60 years
_STEP = 0.301
_DISTANCES = 40  # 0 = unknown, then half octaves from 100 m: the last holds the far side of the Earth
_NEAR_KM = 0.1


@dataclass(frozen=True)
class Pairs:
    """Buckets of each pair of tokens; None = not asked for. time, space : (B, M, L) int64, row i, column j."""

    time: Tensor | None
    space: Tensor | None


def pairs_of(tokens: Tokens, bias: str) -> Pairs:
    """Buckets of all tokens against all, for a bias of BIASES."""
    return pairs_between(tokens.time_s, tokens.point, tokens.time_s, tokens.point, bias)


def pairs_between(time_s: Tensor, point: Tensor | None, other_s: Tensor, other: Tensor | None, bias: str) -> Pairs:
    """Buckets of (B, M) tokens, the rows, against (B, L) others, the columns."""
    timed, placed = bias in ("time", "both"), bias in ("space", "both")
    return Pairs(
        time=time_buckets(time_s[:, :, None] - other_s[:, None, :]) if timed else None,
        space=space_buckets(point, other) if placed and point is not None and other is not None else None,
    )


def moments(tokens: Tokens, carried: Carried | None = None) -> Carried:
    """Times and places of tokens, after those that were carried so far: what a bias asks of the columns."""
    found = {"time_s": tokens.time_s} | ({} if tokens.point is None else {"point": tokens.point})
    return {name: one if carried is None else torch.cat([carried[name], one], dim=1) for name, one in found.items()}


def time_buckets(gap_s: Tensor) -> Tensor:
    """(…) int64 seconds, of either sign → (…) int64 bucket in 0..71, logarithmic."""
    return (gap_s.abs().clamp_min(1).float().log() / _STEP).long().clamp_max(_TIMES - 1)


def space_buckets(point: Tensor, other: Tensor) -> Tensor:
    """(B, M, 3), (B, L, 3) unit vectors → (B, M, L) int64 bucket of the distance, 0..39; 0 where a place is unknown."""
    bucket = 1 + _half_octaves(chords(point, other))
    return torch.where(located(point)[:, :, None] & located(other)[:, None, :], bucket, 0)


def _half_octaves(chord: Tensor) -> Tensor:
    """(…) straight distances on the unit sphere → (…) int64 bucket, 0..38."""
    octaves = torch.log2(1 + great_circle_km(chord) / _NEAR_KM)
    return (2 * octaves).long().clamp_max(_DISTANCES - 2)


def time_edges() -> NDArray[np.int64]:
    """(71,) the least gap, in seconds, of bucket 1, 2, … of `time_buckets`: for a search in place of a logarithm."""
    return _least(time_buckets, _TIMES - 1, 1 << 40)


def space_edges() -> NDArray[np.float32]:
    """(38,) the least straight distance on the unit sphere of `space_buckets` 2, 3, …; infinity: none is so far."""
    most = np.float32(4.0).view(np.int32)  # beyond the sphere

    def buckets(bits: Tensor) -> Tensor:
        return _half_octaves(bits.to(torch.int32).view(torch.float32))

    found = _least(buckets, _DISTANCES - 2, int(most)).astype(np.int32).view(np.float32)
    return np.where(found > 2.0, np.float32(np.inf), found).astype(np.float32)


def _least(buckets: Callable[[Tensor], Tensor], count: int, high: int) -> NDArray[np.int64]:
    """(count,) the least integer of bucket 1, 2, …, by bisection between 0 and `high`; buckets never fall."""
    wanted = torch.arange(1, count + 1)
    below, above = torch.zeros(count, dtype=torch.int64), torch.full((count,), high)
    while bool((above - below > 1).any()):
        middle = (below + above) // 2
        reached = buckets(middle) >= wanted
        below, above = torch.where(reached, below, middle), torch.where(reached, middle, above)
    found: NDArray[np.int64] = above.numpy()
    return found


class RelativeBias(nn.Module):
    """Pairs → (B, heads, L, L): one learned scalar per bucket and head, N(0, .02); None where nothing was asked for."""

    def __init__(self, heads: int, bias: str) -> None:
        super().__init__()
        self.time = nn.Embedding(_TIMES, heads) if bias in ("time", "both") else None
        self.space = nn.Embedding(_DISTANCES, heads) if bias in ("space", "both") else None
        for table in (self.time, self.space):
            if table is not None:
                nn.init.normal_(table.weight, std=0.02)

    def forward(self, pairs: Pairs) -> Tensor | None:
        """(B, heads, L, L)."""
        parts = []
        if self.time is not None and pairs.time is not None:
            parts.append(self.time(pairs.time))
        if self.space is not None and pairs.space is not None:
            parts.append(self.space(pairs.space))
        return torch.stack(parts).sum(0).permute(0, 3, 1, 2) if parts else None

    def causal(self, pairs: Pairs, later: Tensor) -> Tensor | None:
        """The same with -inf where `later` (L, L): of one history read once, a table's scalars are laid out by head."""
        tables = ((self.time, pairs.time), (self.space, pairs.space))
        parts = [
            table.weight.T.index_select(1, bucket.flatten()).view(-1, *bucket.shape)
            for table, bucket in tables
            if table is not None and bucket is not None
        ]  # (heads, B, L, L) each
        if not parts:
            return None
        bias = parts[0] if len(parts) == 1 else parts[0] + parts[1]
        return bias.masked_fill_(later, -torch.inf).transpose(0, 1)


def far_first(length: int, device: torch.device) -> Tensor:
    """(L, L) bool, True where column j lies behind row i: what a causal row must not see."""
    return torch.ones(length, length, dtype=torch.bool, device=device).triu(1)


def offsets(length: int, largest: int, device: torch.device) -> Tensor:
    """(L, L) int64 i - j, at most `largest` either way."""
    at = torch.arange(length, device=device)
    return (at[:, None] - at[None, :]).clamp(-largest, largest)
