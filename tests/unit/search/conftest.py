"""A validated log of the small city, and params with a short search, for tests of the search."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.events.simulator import catalogue
from components.params import Params, load_params
from components.registry.tracking.client import migrate
from components.workspace import Workspace
from tests.city import SEED, clean_log, small_city
from tests.workspaces import small_params

SPACE = {
    "memory.prior": {"kind": "float", "low": 0.01, "high": 10.0, "log": True},
    "memory.components.user_frequency.options.half_life_days": {"kind": "int", "low": 1, "high": 60, "log": True},
    "memory.history_buckets": {"kind": "categorical", "choices": [[0, 5, 20], [0]]},
}
SEARCH = {
    "models": ["memory"],
    "trials": 4,
    "timeout_s": None,
    "folds": 2,
    "window": "4d",
    "sampler": {"kind": "tpe", "startup": 2},
    "pruner": {"kind": "none", "startup": 1, "warmup": 0, "reduction": 2},
    "space": SPACE,
}


def search_record(**changes: Any) -> dict[str, Any]:
    """Params with three counters, and a search over two of their constants and the buckets."""
    record = small_params()
    components = record["memory"]["components"]
    record["memory"]["components"] = {
        "popularity": components["popularity"],
        "markov": components["markov"],
        "user_frequency": {"kind": "user_frequency", "options": {"half_life_days": 30}},
    }
    record["search"] = {**SEARCH, **changes}
    return record


@pytest.fixture(scope="session")
def searched_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose log is validated; not to be changed."""
    root = tmp_path_factory.mktemp("search") / "small"
    workspace = Workspace(root)
    city = small_city(users=60, items=100)
    for folder in (workspace.validated, workspace.catalogue):
        folder.mkdir(parents=True, exist_ok=True)
    clean_log(city).write_parquet(workspace.validated / "events.parquet")
    catalogue(city, SEED)[0].write_parquet(workspace.catalogue / "items.parquet")
    migrate(root, "small")
    return root


@pytest.fixture
def root(searched_template: Path, tmp_path: Path) -> Path:
    """A copy of it of one's own, with params.yaml."""
    found = Path(shutil.copytree(searched_template, tmp_path / "small"))
    written(found)
    return found


def written(root: Path, **changes: Any) -> Params:
    """Write params.yaml with changes of its search."""
    (root / "params.yaml").write_text(yaml.safe_dump(search_record(**changes)))
    return load_params(root / "params.yaml")
