"""Events as token ids: a table of wordings for each piece of the template, from which histories are put together.

The tables are weights of the model, so a saved one needs no tokenizer. An event's text is cut to a number of tokens
that the longest history of such texts fits into, so what a state has read does not depend on what came later.
Never calls a language model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from components.errors import IntegrityError
from components.features.encoding import UNKNOWN, Encoding
from components.language.wording import DAYPARTS, GAP_EDGES_S, GAPS, HOURS, WEEKDAYS, Piece, pieces
from components.models.config import SequenceConfig
from components.models.tokens import Tokens

_NOTHING = -1  # stands where a wording has no further token
_UNKNOWN = "unknown"


class EventTexts(nn.Module):
    """Tables (codes, longest) int32 of token ids, one for each piece of the template."""

    edges: Tensor

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        assert config.language is not None
        sizes = {"item": config.items, "action": config.actions, "device": config.devices}
        sizes |= {"hour": len(HOURS), "weekday": len(WEEKDAYS), "gap": len(GAPS)}
        self.pieces = pieces(str(config.options["template"]), bool(config.language["timed"]))
        self.longest, self.first = int(config.options["tokens"]), int(config.language["first"])
        self.vocabulary = int(config.language["architecture"]["vocab_size"])
        for at, piece in enumerate(self.pieces):
            empty = torch.full((sizes[piece.column], self.longest), _NOTHING, dtype=torch.int32)
            self.register_buffer(f"piece_{at}", empty)
        self.register_buffer("edges", torch.tensor(GAP_EDGES_S, dtype=torch.int64))

    def tables(self) -> list[tuple[Piece, Tensor]]:
        """Pieces and their tables, in the order in which they are read."""
        return [(piece, self.get_buffer(f"piece_{at}")) for at, piece in enumerate(self.pieces)]

    def write(self, encoding: Encoding, tokenise: Callable[[Sequence[str]], list[list[int]]]) -> None:
        """Fill the tables; each distinct wording is tokenised once."""
        words = words_of(encoding)
        for piece, table in self.tables():
            texts = piece.wordings({field: words[field] for _, field in piece.parts})
            distinct = list(dict.fromkeys(texts))
            ids = dict(zip(distinct, tokenise(distinct), strict=True))
            blank = [_NOTHING] * self.longest
            rows = [(ids[text] + blank)[: self.longest] for text in texts]
            table.copy_(torch.tensor(rows, dtype=torch.int32))

    def check(self) -> None:
        """Refuse tables that a file may have brought and that name tokens which do not exist.

        Raises
        ------
        IntegrityError
            An id is out of range.
        """
        for _, table in self.tables():
            if bool(((table < _NOTHING) | (table >= self.vocabulary)).any()):
                raise IntegrityError(
                    f"token ids below {self.vocabulary:,}",
                    found="one out of range in the weights",
                    do="Train the model again.",
                )

    def forward(self, tokens: Tokens) -> tuple[Tensor, Tensor]:
        """Histories as text.

        Returns
        -------
        ids : (B, T) int64 of the first token and the events' own; any where a row has ended
        at : (B, L) int64 place in `ids` of the last token of the history up to each token of the sequence
        """
        place = torch.arange(tokens.mask.shape[1], device=tokens.mask.device)
        event = tokens.mask & ~((place == 0) & tokens.begins[:, None])  # (B, L): the start has no text
        found = torch.cat([table[self._codes(piece.column, tokens)] for piece, table in self.tables()], dim=2)
        there = (found >= 0) & event[..., None]  # (B, L, pieces · longest)
        there = there & (there.cumsum(2) <= self.longest)
        at = there.sum(2).cumsum(1)  # (B, L)
        to = there.flatten(1)
        to = to.cumsum(1) * to  # what is no token goes to place 0, which is written last
        ids = torch.zeros(len(at), int(at.max()) + 1, dtype=torch.int64, device=at.device)
        ids.scatter_(1, to, found.flatten(1).long().clamp_min(0))
        ids[:, 0] = self.first
        return ids, at

    def _codes(self, column: str, tokens: Tokens) -> Tensor:
        """(B, L) codes of a column."""
        if column != "gap":
            return tokens.codes[column]
        gap_s = tokens.time_s.diff(dim=1, prepend=tokens.time_s[:, :1])  # (B, L)
        known = torch.arange(gap_s.shape[1], device=gap_s.device) > tokens.begins[:, None].long()
        return torch.where(known, 1 + torch.bucketize(gap_s, self.edges, right=True), 0)


def words_of(encoding: Encoding) -> Mapping[str, Sequence[str]]:
    """Field of a template → its words by code; nothing for padding, and for what is not known."""
    named = {kind: [*("", ""), *map(str, words.ids[2:])] for kind, words in encoding.vocabularies.items()}
    items, catalogue = named["item"], encoding.catalogue
    category = named.get("category", ["", ""])
    unknown = [_UNKNOWN if code == UNKNOWN else "" for code in range(len(items))]
    return {
        "title": [str(one) or else_ for one, else_ in zip(catalogue.title, unknown, strict=True)],
        "category": [category[code] for code in catalogue.category.tolist()],
        "tags": [str(one).replace("\n", ", ") for one in catalogue.tags],
        "text": [str(one) for one in catalogue.text],
        "item": [one or else_ for one, else_ in zip(items, unknown, strict=True)],
        "action": named["action"],
        "device": named.get("device", ["", ""]),
        "hour": HOURS,
        "daypart": DAYPARTS,
        "weekday": WEEKDAYS,
        "gap": GAPS,
    }
