"""The transition head: the next item as one that followed the user's last items in the histories of all.

For each lag l = 1..n it looks up what came l events after the item that is now l events ago, as counted in the
training window, and gives each successor v a share of count(v)^a · exp(b · state · E_v) with learned a and b: those
that others went on to, weighed by what this user is after. Rare neighbours that a network of vectors smooths away are
kept by heart. While it trains, an answer's own event is taken out of the counts (leave one
out): what happened once tells nothing of itself. What else is counted may have come later than the answer, elsewhere in
the training window; at test everything counted is past. Ideas: the transition map of GETNext (Yang et al. 2022), the
first-order chain of FPMC (Rendle et al. 2010). Never counts: `training.successors` fills the tables.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.errors import IntegrityError
from components.models.config import SequenceConfig
from components.models.embedding import ItemTable
from components.models.heads import RESERVED
from components.models.pointers import Asked, Pointers
from components.models.tokens import Tokens

_START = 1.0  # the shares begin as the counts are
_MOST = 2.0**31


class TransitionHead(nn.Module):
    """Questions and histories → one distribution for each lag."""

    successor: Tensor
    count: Tensor
    total: Tensor

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        self.lags, self.items = config.transition_lags, config.items
        shape = (self.lags, config.items, config.successors)
        self.register_buffer("successor", torch.zeros(shape, dtype=torch.int32))  # item codes, 0 = none
        self.register_buffer("count", torch.zeros(shape))
        self.register_buffer("total", torch.zeros(shape[:2]))  # successors of each item, those not kept too
        self.power = nn.Parameter(torch.full((self.lags,), _START))
        self.taste = nn.Parameter(torch.zeros(self.lags))
        self.temperature = config.temperature

    def check(self) -> None:
        """Refuse successors that do not exist and counts that are none: a loaded table must not point anywhere else.

        Raises
        ------
        IntegrityError
            A code or a count is out of range.
        """
        count, code = self.count, self.successor
        sound = (count >= 0) & (count <= _MOST) & (count == count.round()) & (code >= 0) & (code < self.items)
        sound &= (code >= RESERVED) | (count == 0)
        total = (self.total >= 0) & (self.total <= _MOST)
        if not bool(sound.all() & total.all()):
            raise IntegrityError(
                f"successors in {RESERVED}..{self.items - 1} and whole counts",
                found="one out of range in the weights",
                do="Train the model again.",
            )

    def forward(self, asked: Asked, tokens: Tokens, table: ItemTable, target: Tensor | None) -> Pointers:
        """Distributions of each lag over its K successors.

        Parameters
        ----------
        asked : T questions of each of B histories
        tokens : (B, L)
        table : vectors of the catalogue, which are not taught from here
        target : (B, T) codes of the answers while the model trains, else None
        """
        item = tokens.codes["item"]
        place = asked.at[:, None] - torch.arange(self.lags, device=item.device)[:, None]  # (B, lags, T)
        last = item[:, None].expand(-1, self.lags, -1).gather(2, place.clamp_min(0))
        last = torch.where(place >= 0, last, 0)
        lag = torch.arange(self.lags, device=item.device)[:, None]  # (lags, 1)
        code, count = self.successor[lag, last].long(), self.count[lag, last]  # (B, lags, T, K)
        if target is not None:
            count = count - (code == target[:, None, :, None]).to(count.dtype)
        there = count > 0.5  # counts are whole
        score = self.power[:, None, None] * count.clamp_min(1.0).log()
        score = score + self.taste[:, None, None] * self._liked(asked.states, code, table)
        score = score.masked_fill(~there, -torch.inf)
        whole = torch.logsumexp(score, 3, keepdim=True)
        share = torch.where(there, score - torch.nan_to_num(whole, neginf=0.0), score)
        total = self.total[lag, last]  # (B, lags, T); of an item, whatever the answer is: no hint of it
        if target is not None:
            total = (total - (target > 1)[:, None].to(total.dtype)).clamp_min(0)
        support = total.log1p().permute(0, 2, 1)  # (B, T, lags)
        return Pointers(code, share, support)

    def _liked(self, states: Tensor, code: Tensor, table: ItemTable) -> Tensor:
        """(B, lags, T, K) products of the states (B, T, d) and the vectors of the successors, as in the softmax."""
        with torch.no_grad():
            vectors = table(code).float()  # (B, lags, T, K, d)
        states = states.float()
        if self.temperature is not None:
            states, vectors = F.normalize(states, dim=-1) / self.temperature, F.normalize(vectors, dim=-1)
        with torch.autocast(states.device.type, enabled=False):
            return torch.matmul(vectors, states[:, None, :, :, None])[..., 0]
