"""The baselines by their kind: unfitted from params, fitted from a folder.

A folder names its kind, which is looked up here and never imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.baselines.base import Baseline, Rules
from components.baselines.content import Content
from components.baselines.item2vec import Item2Vec
from components.baselines.item_knn import ItemKnn
from components.baselines.query_models import Boosted, Forest, Svm
from components.baselines.session_knn import SessionKnn
from components.baselines.user_knn import UserKnn
from components.errors import ConfigError, IntegrityError
from components.files import read_json
from components.params import BaselineParams

KINDS: Mapping[str, type[Baseline[Any]]] = {
    one.kind: one for one in (SessionKnn, UserKnn, ItemKnn, Content, Item2Vec, Boosted, Forest, Svm)
}


def make_baseline(name: str, params: BaselineParams, rules: Rules) -> Baseline[Any]:
    """An unfitted baseline.

    Raises
    ------
    ConfigError
        The kind does not exist, or its options are not those of the method.
    """
    if params.kind not in KINDS:
        raise ConfigError(
            f"a kind of baseline among {sorted(KINDS)}",
            found=f"{params.kind!r} at training.baselines.{name}",
            do="Mend the name.",
        )
    return KINDS[params.kind](name, params.options, rules)


def load_baseline(folder: Path) -> Baseline[Any]:
    """The baseline that was saved in `folder`.

    Raises
    ------
    IntegrityError
        It names no kind of the table, or a file is not what was saved.
    """
    record = read_json(folder / "config.json")
    method = record.get("method") if isinstance(record, dict) else None
    if not isinstance(method, str) or method not in KINDS:
        raise IntegrityError(
            f"a baseline of a kind among {sorted(KINDS)}",
            found=f"{method!r} in {folder / 'config.json'}",
            do="Train it again, or load it with the version that wrote it.",
        )
    return KINDS[method].load(folder)
