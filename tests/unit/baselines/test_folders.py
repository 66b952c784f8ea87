"""Every baseline of the params: fitted, saved, loaded and asked again; and what a folder may not say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from components import learners
from components.baselines.kinds import KINDS
from components.errors import ConfigError, IntegrityError
from components.params import BaselineParams, Params, load_params
from components.predictor import NoTracker, Window
from tests.conftest import ROOT
from tests.networks import HIDDEN, make_queries
from tests.toy import toy_store

FILE = load_params(ROOT / "params.yaml")


def small() -> Params:
    """The repository's params with little to learn."""
    changes = {"rounds": 3, "trees": 4, "min_leaf": 5, "width": 6}
    entries = {
        name: BaselineParams(
            kind=one.kind, options={**one.options, **{k: v for k, v in changes.items() if k in one.options}}
        )
        for name, one in FILE.training.baselines.items()
    }
    return FILE.model_copy(update={"training": FILE.training.model_copy(update={"baselines": entries})})


def test_params_name_every_kind() -> None:
    assert {one.kind for one in FILE.training.baselines.values()} == set(KINDS)


@pytest.mark.parametrize("name", FILE.training.baselines)
def test_a_saved_baseline_answers_alike_and_goes_on_learning(name: str, tmp_path: Path) -> None:
    store = toy_store(n_users=12, events_per_user=25)
    built = learners.build(name, small())
    built.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    learners.save(built, tmp_path / "a")
    again = learners.load(tmp_path / "a")
    assert (type(again), again.name, again.capabilities) == (type(built), name, built.capabilities)
    learners.save(again, tmp_path / "b")
    for path in sorted((tmp_path / "a").rglob("*.*")):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes(), path
    queries = make_queries(Window(store, "blend"), HIDDEN)[0]
    for _ in range(2):
        mine, theirs = built.score(queries), again.score(queries)
        np.testing.assert_array_equal(mine.item, theirs.item)
        assert (mine.action is None) == (theirs.action is None) == ("action" not in built.capabilities)
        assert (mine.time is None) == (theirs.time is None) == ("time" not in built.capabilities)
        if mine.action is not None and theirs.action is not None and mine.time is not None and theirs.time is not None:
            np.testing.assert_array_equal(mine.action, theirs.action)
            np.testing.assert_array_equal(mine.time.weight, theirs.time.weight)
        for one in (built, again):
            one.update(store, Window(store, "tune").events)


@pytest.mark.parametrize(
    ("file", "array"),
    [("met.indices", np.array([999])), ("met.indptr", np.array([0, 5])), ("count", np.array([np.nan]))],
)
def test_a_damaged_array_is_told(file: str, array: np.ndarray, tmp_path: Path) -> None:
    store = toy_store(n_users=5, events_per_user=10)
    built = learners.build("item_knn", small())
    built.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    learners.save(built, tmp_path / "a")
    np.save(tmp_path / "a" / "baseline" / f"{file}.npy", array)
    with pytest.raises(IntegrityError):
        learners.load(tmp_path / "a")


@pytest.mark.parametrize("method", ["os.system", None, ["svm"]])
def test_a_folder_names_no_import(method: object, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"kind": "baseline", "method": method}))
    with pytest.raises(IntegrityError, match="kind among"):
        learners.load(tmp_path)


@pytest.mark.parametrize("change", [{"kind": "nobody"}, {"options": {}}, {"options": {"neighbours": 0}}])
def test_wrong_params_are_told(change: dict[str, object]) -> None:
    entry = FILE.training.baselines["item_knn"].model_dump()
    options = change.get("options")
    entry |= change if options is None else {"options": {**entry["options"], **options} if options else {}}  # type: ignore[dict-item]
    params = FILE.model_copy(
        update={"training": FILE.training.model_copy(update={"baselines": {"x": BaselineParams.model_validate(entry)}})}
    )
    with pytest.raises(ConfigError):
        learners.build("x", params)
