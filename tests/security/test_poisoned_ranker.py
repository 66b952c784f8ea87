"""A ranker's files made to harm: refused by name, never walked, never run."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from components import learners
from components.errors import IntegrityError
from components.ranking.ranker import TREES
from components.registry.safe import check_file
from tests.rankers import ranker_of
from tests.toy import toy_store


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranker") / "m"
    ranker_of(toy_store(n_users=12)).save(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "m"))


class Bomb:
    """Writes a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.write_text, (self.path, "boom")


def test_the_untouched_ranker_loads_and_its_files_may_be_packed(folder: Path) -> None:
    assert learners.load(folder).name == "ranker"
    for path in folder.rglob("*"):
        if path.is_file():
            check_file(path, path.name)


def test_a_pickle_in_place_of_the_trees_is_not_run(folder: Path) -> None:
    mark = folder / "mark"
    (folder / TREES).write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(IntegrityError):
        learners.load(folder)
    assert not mark.exists()


def test_trees_that_are_gone_are_missed(folder: Path) -> None:
    (folder / TREES).unlink()
    with pytest.raises(IntegrityError, match="no trees"):
        learners.load(folder)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("left_child=1 ", "left_child=0 "),  # round and round
        ("left_child=1 ", "left_child=70000 "),  # out of the table
        ("split_feature=", "split_feature=9"),
        ("num_leaves=7", "num_leaves=2000000000"),
        ("feature_names=count share", "feature_names=share count"),
        ("num_cat=0", "num_cat=3"),
    ],
)
def test_trees_that_lead_astray_are_refused(folder: Path, old: str, new: str) -> None:
    text = (folder / TREES).read_text()
    assert old in text
    (folder / TREES).write_text(text.replace(old, new))
    with pytest.raises(IntegrityError):
        learners.load(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "os:system"},
        {"parts": ["memory", "../../etc"]},
        {"name": ["x"]},
        {"max_history": "many"},
        {"gate": {"centre": [1e400]}},
        {"ranker": {"parts": ["memory"], "method": "exec"}},
        {"weights": {"item": {"edges": [0], "weights": [[2.0]]}}},
        {"protocol": {"split": "temporal", "__class__": "x"}},
    ],
)
def test_a_config_that_lies_is_refused(folder: Path, change: dict[str, object]) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(IntegrityError):
        learners.load(folder)
