"""Encoders: histories → states. One file per family, one signature.

An encoder is `Encoder(config)`; called with events (B, L, d) and the Tokens that they embed (for times, places and
the mask) it gives states (B, L, d), where state t depends on events 0..t alone (but see `bert`). Padding is on the
right; states there are not defined.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from components.errors import ConfigError
from components.models.config import SequenceConfig
from components.models.encoders.bert import BERTEncoder
from components.models.encoders.cnn_rnn import CNNRNNEncoder
from components.models.encoders.hstu import HSTUEncoder
from components.models.encoders.language import LanguageEncoder
from components.models.encoders.recurrent import GRUEncoder, LSTMEncoder, RNNEncoder
from components.models.encoders.seq2seq import Seq2SeqEncoder
from components.models.encoders.st_lstm import STLSTMEncoder
from components.models.encoders.transformer import TransformerEncoder

ENCODERS: Mapping[str, type[nn.Module]] = {
    "rnn": RNNEncoder,
    "lstm": LSTMEncoder,
    "gru": GRUEncoder,
    "cnn_rnn": CNNRNNEncoder,
    "st_lstm": STLSTMEncoder,
    "transformer": TransformerEncoder,
    "hstu": HSTUEncoder,
    "bert": BERTEncoder,
    "seq2seq": Seq2SeqEncoder,
    "lm": LanguageEncoder,
}


def build_encoder(config: SequenceConfig) -> nn.Module:
    """Encoder of the family that `config` names.

    Raises
    ------
    ConfigError
        The family does not exist, or an option is not one of its own or out of range.
    """
    if config.encoder not in ENCODERS:
        raise ConfigError(
            f"an encoder of {', '.join(ENCODERS)}",
            found=f"`{config.encoder}`",
            do="Mend `encoder.kind` in params.yaml.",
        )
    return ENCODERS[config.encoder](config)
