"""A pretrained language model that reads events as text (BERT- or GPT-like, fine-tuned in full, by adapters or not).

    state t = LN(event vector t + W · h(last token of event t)),   h of [first] text 1 text 2 … text t

The texts of a history are one sequence of tokens; a mask keeps every token from those behind it, so that one pass
gives every state, also of a model that was trained to see both sides (it has to be tuned to that). The event vector
brings what has no words: the item's own vector, numbers, cells; with no inputs the text stands alone. The weights of
the model are its own in the artifact: reading one needs transformers, but no hub, no tokenizer and no base model.
Sources: Devlin et al., BERT (2019); Hu et al., LoRA (2022); Li et al., RecFormer (2023) for items as text.
"""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor, nn

from components.errors import ConfigError
from components.features.encoding import Encoding
from components.language.adapters import TUNINGS, adapted, merged
from components.language.pretrained import bare, load_pretrained, width_of
from components.models.config import SequenceConfig
from components.models.encoders.options import choice, positive_integers, rate
from components.models.texts import EventTexts
from components.models.tokens import Tokens

_AT_ONCE = 1 << 13  # tokens that are read at once where nothing is learned
_OTHERS = ("model", "template", "tuning", "targets", "learning_rate")


class LanguageEncoder(nn.Module):
    """Options: `model`, `layers` (the first so many, at most), `template`, `tokens` (of an event, at most), `tuning`
    (frozen, lora, full), `rank`, `alpha`, `targets` (of lora), `learning_rate` (of what is tuned)."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        if config.language is None:
            raise ConfigError(
                "the encoder lm with the language model that it reads with",
                found="a configuration without one",
                do="Make it by `config_of`, or train the model again.",
            )
        numbers = positive_integers(config, "layers", "tokens", "rank", "alpha", others=_OTHERS)
        self.layers, _, self.rank, self.alpha = numbers
        self.name, self.targets = str(config.options["model"]), str(config.options["targets"])
        self.tuning = choice(config, "tuning", TUNINGS)
        self.learning_rate = rate(config, "learning_rate")
        self.architecture = config.language["architecture"]
        self.texts = EventTexts(config)
        self.language = bare(self.architecture)
        self.project = nn.Linear(width_of(self.architecture), config.width)
        self.norm = nn.LayerNorm(config.width)

    def begin(self, encoding: Encoding) -> None:
        """Take the pretrained weights, write down the wordings, and mark what is to learn.

        Raises
        ------
        ConfigError
            The model cannot be loaded or kept from the future, or has no such matrices to adapt.
        """
        found = load_pretrained(self.name, self.layers)
        self.texts.write(encoding, found.tokens)
        self.language.load_state_dict(found.module.state_dict(), strict=False)
        _check_causal(self.language.eval(), self.texts.vocabulary, self.name)
        self.language = adapted(self.language, self.tuning, self.rank, self.alpha, self.targets)

    def settle(self) -> None:
        """Merge adapters into the matrices that they stand beside."""
        self.language = merged(self.language)

    def materialise(self) -> None:
        """Make a model that was built of shapes alone ready for weights whose shapes have been checked."""
        with torch.random.fork_rng(devices=[]):
            self.language = bare(self.architecture)  # what no file holds (positions, frequencies) is computed here

    def train(self, mode: bool = True) -> Self:
        """As usual, but a frozen language model drops nothing."""
        super().train(mode)
        if self.tuning == "frozen":
            self.language.eval()
        return self

    def forward(self, events: Tensor, tokens: Tokens) -> Tensor:
        """(B, L, d) → (B, L, d)."""
        ids, at = self.texts(tokens)  # (B, T), (B, L)
        learns = torch.is_grad_enabled() and self.tuning != "frozen"
        rows = len(ids) if learns else max(1, _AT_ONCE // ids.shape[1])
        with torch.set_grad_enabled(learns):
            parts = [self._read(*part) for part in zip(ids.split(rows), at.split(rows), strict=True)]
        read = torch.cat(parts)  # (B, L, hidden)
        states: Tensor = self.norm(events + self.project(read))
        return states

    def _read(self, ids: Tensor, at: Tensor) -> Tensor:
        """(b, T) token ids → (b, L, hidden) at the places `at` (b, L)."""
        ids = ids[:, : int(at.max()) + 1]
        hidden = hidden_states(self.language, ids)
        return hidden.gather(1, at[..., None].expand(-1, -1, hidden.shape[2]))


def hidden_states(language: Any, ids: Tensor) -> Tensor:
    """(B, T) token ids → (B, T, hidden), each of which depends on the tokens up to its own."""
    T = ids.shape[1]
    seen = torch.ones(T, T, dtype=torch.bool, device=ids.device).tril()[None, None]  # what ends a row is behind it
    found: Tensor = language(input_ids=ids, attention_mask=seen, use_cache=False).last_hidden_state
    return found


@torch.no_grad()
def _check_causal(language: nn.Module, vocabulary: int, name: str) -> None:
    """Refuse a model that lets a token see one behind it in spite of the mask."""
    ids = torch.arange(8)[None] % vocabulary
    other = torch.where(torch.arange(8) < 4, ids, (ids + 3) % vocabulary)
    before, after = hidden_states(language, ids), hidden_states(language, other)
    if not torch.allclose(before[:, :4], after[:, :4], atol=1e-5) or torch.allclose(before[:, 4:], after[:, 4:]):
        raise ConfigError(
            f"a language model that can be kept from what comes later, in `{name}`",
            found=f"a {type(language).__name__} whose states change with later tokens",
            do="Name a BERT- or GPT-like model in `encoder.options.model`.",
        )
