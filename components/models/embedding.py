"""Events as vectors: the sum of what an event is (item, action, place, device, category), when, and how much.

The item table (an id's own vector, plus that of its category, plus that of what is known of it) is shared with the item
head (tied weights).
Never looks at another event: everything between events is the encoder's.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.errors import IntegrityError
from components.features.encoding import UNKNOWN
from components.models.config import SequenceConfig
from components.models.content import Content
from components.models.dropout import Dropout
from components.models.heads import RESERVED, item_operands
from components.models.tokens import Tokens

_CLOCK = {"hour": 24, "weekday": 7, "holiday": 2}


class ItemTable(nn.Module):
    """Vectors of the catalogue: one per item and, when `category` is an input, one per category added to it.

    An item that was not trained (its code is `trained` or more) has no vector of its own. With content it is answered
    by that; without, it is read as unknown and never answered.
    """

    category: Tensor

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        self.items, self.trained = config.items, config.trained
        self.item = nn.Embedding(config.trained, config.width, padding_idx=0)
        self.categories = (
            nn.Embedding(config.categories, config.width, padding_idx=0) if "category" in config.inputs else None
        )
        self.register_buffer("category", torch.zeros(config.items, dtype=torch.int32))  # code of each item's category
        self.content = Content(config) if config.vectors else None
        self.kept: Tensor | None = None  # (trained, 1) items whose id this step of training shows
        self._answered: Tensor | None = None  # what `all` gave, while nothing is learned

    def train(self, mode: bool = True) -> ItemTable:
        """Turn training on or off; what was kept of other weights is forgotten."""
        self.kept = self._answered = None
        return super().train(mode)

    def draw(self) -> None:
        """Choose the items whose id the next step of training shows."""
        self.kept = self.content.draw() if self.content is not None and self.content.drop and self.training else None

    def check(self) -> None:
        """Refuse categories that do not exist: a loaded table must not index beyond itself.

        Raises
        ------
        IntegrityError
            A code is out of range, or a vector is no sound one.
        """
        if self.content is not None:
            self.content.check()
        size = self.categories.num_embeddings if self.categories is not None else (1 << 31) - 1
        if bool(((self.category < 0) | (self.category >= size)).any()):
            raise IntegrityError(
                f"category codes below {size}", found="one out of range in the weights", do="Train the model again."
            )

    def forward(self, item: Tensor) -> Tensor:
        """(…) codes → (…, d)."""
        known = item if self.trained == self.items else torch.where(item < self.trained, item, UNKNOWN)
        vector: Tensor = self.item(known)
        if self.content is not None:
            shown = (item < self.trained)[..., None].to(vector.dtype)
            vector = vector * (shown if self.kept is None else shown * self.kept[known])
            vector = vector + self.content(self.content.vectors[item])
        if self.categories is not None:
            vector = vector + self.categories(self.category[item].long())
        return vector

    def learned(self) -> Tensor:
        """(trained, d) vectors of what training may answer with."""
        return self._rows(self.trained)

    def all(self) -> Tensor:
        """(ranked, d) vectors of all items that can be answered: those of training, and with content every one."""
        if self.content is None:
            return self._rows(self.trained)
        if self.training or torch.is_grad_enabled():
            return self._rows(self.items)
        if self._answered is None:
            self._answered = self._rows(self.items)
        return self._answered

    def _rows(self, count: int) -> Tensor:
        """(count, d) vectors of the first codes."""
        rows = self.item.weight if self.kept is None else self.item.weight * self.kept
        if self.content is not None:
            rows = F.pad(rows, (0, 0, 0, count - self.trained)) + self.content(self.content.vectors[:count])
        if self.categories is not None:
            rows = rows + self.categories(self.category[:count].long())
        return rows

    def logits(self, bias: Tensor, count: int) -> Tensor:
        """(trained - 2,) logits of the items' own → (count - 2,) with what their content adds; hidden with the id."""
        if self.content is None or self.content.logit is None:
            return bias
        own = bias if self.kept is None else bias * self.kept[RESERVED:, 0]
        told: Tensor = self.content.logit(self.content.vectors[RESERVED:count])[:, 0]
        return F.pad(own, (0, count - self.trained)) + told

    def product(
        self, states: Tensor, temperature: float | None, vectors: Tensor | None = None
    ) -> Callable[[slice], Tensor]:
        """Rows of (n, d) states → (m, rows - 2) logits of `vectors` (`all` or `learned`); see `item_operands`."""
        left, right = item_operands(states, self.all() if vectors is None else vectors, temperature)
        return lambda part: left[part] @ right.T


class EventEmbedding(nn.Module):
    """Tokens → (B, L, d). Look-ups are scaled by sqrt(d) (SASRec); positions count from the end (0 = newest)."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        d, inputs = config.width, config.inputs
        self.scale = math.sqrt(d)
        self.table = ItemTable(config)
        sizes: dict[str, int] = {}
        if "action" in inputs:
            sizes["action"] = config.actions
        if "device" in inputs:
            sizes["device"] = config.devices
        if "clock" in inputs:
            sizes |= _CLOCK
        if "cells" in inputs:
            sizes |= {f"cell_{resolution}": size for resolution, size in config.cells}
        self.reads_item = "item" in inputs
        self.lookups = nn.ModuleDict({name: nn.Embedding(size, d) for name, size in sizes.items()})
        self.numbers = nn.Linear(2 * config.numbers, d, bias=False) if "numbers" in inputs else None
        self.positions = nn.Embedding(config.max_history, d) if "position" in inputs else None
        self.start = nn.Parameter(torch.empty(d))
        self.dropout = Dropout(config.dropout)
        self.reset()

    def reset(self) -> None:
        """Draw fresh weights: N(0, .02) for look-ups (HSTU), 1/sqrt(d) for what is not scaled."""
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
                if module.padding_idx is not None:
                    nn.init.zeros_(module.weight[module.padding_idx])
        nn.init.normal_(self.start, std=1.0 / self.scale)
        if self.positions is not None:
            nn.init.normal_(self.positions.weight, std=1.0 / self.scale)
        if self.numbers is not None:
            nn.init.normal_(self.numbers.weight, std=0.02)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the codes that are read."""
        return (*(("item",) if self.reads_item else ()), *self.lookups)

    def forward(self, tokens: Tokens) -> Tensor:
        """Vectors of the tokens, (B, L, d); what stands at padded places is not defined."""
        parts = [self.table(tokens.codes["item"])] if self.reads_item else []
        parts += [lookup(tokens.codes[name]) for name, lookup in self.lookups.items()]
        if parts:
            x = torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]  # (B, L, d)
            x = x * self.scale
        else:
            x = self.start.new_zeros(*tokens.mask.shape, len(self.start))
        if self.numbers is not None and tokens.numbers is not None:
            x = x + self.numbers(tokens.numbers)  # (B, L, 2F) → (B, L, d)
        first = torch.where(tokens.begins[:, None], self.start.to(x.dtype), x[:, 0])  # (B, d)
        x = torch.cat([first[:, None], x[:, 1:]], dim=1)
        if self.positions is not None:
            x = x + self.positions(tokens.position)
        dropped: Tensor = self.dropout(x)
        return dropped
