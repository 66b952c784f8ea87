"""Declared groups: who is in which, how far apart they are, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from components.errors import ConfigError
from components.evaluation.gaps import largest_gaps
from components.evaluation.groups import ACTIVITY, NOT_TOLD, TIERS, activity, groups_of, popularity, regions
from components.evaluation.significance import Bootstrap
from components.features.encoding import Encoding, Vocabulary
from components.features.place import cell_centre
from components.features.store import WINDOWS, Store
from tests.toy import toy_store


def only_training_of(store: Store, kept: np.ndarray) -> Store:
    """The store with the training events where `kept` alone; the others are history."""
    window = np.where(kept, WINDOWS["train"], WINDOWS["rest"]).astype(np.int8)
    return replace(store, columns={**store.columns, "window": window})


def test_thirds_of_activity_count_training_events_and_keep_equals_together() -> None:
    store = toy_store(n_users=9, events_per_user=20)
    rank = np.arange(store.n_events) % 20
    many = np.array([0, 1, 1, 1, 1, 5, 9, 9, 15])  # training events of each user
    found = activity(only_training_of(store, rank < many[store.user]))
    assert found.tolist() == ["new since training", *[ACTIVITY[0]] * 4, *[ACTIVITY[1]] * 3, ACTIVITY[2]]
    assert set(activity(only_training_of(store, rank < 0))) == {"new since training"}


def test_a_region_is_where_most_of_a_users_training_events_lie() -> None:
    store = toy_store(n_users=12, events_per_user=10)
    words: dict[str, Vocabulary] = {
        **store.encoding.vocabularies,
        "cell_6": Vocabulary.of(["861fb4667ffffff", "b", "c"]),
    }
    encoding = Encoding(words, store.encoding.scales, store.encoding.catalogue, store.encoding.settings)
    cell = np.full(store.n_events, 2, np.int32)
    cell[store.user == 1] = [3] * 6 + [2] * 4
    cell[store.user == 2] = 0  # nowhere
    cell[store.user == 3] = [2] * 5 + [4] * 5  # as often here as there: the first of the vocabulary
    placed = replace(store, encoding=encoding, columns={**store.columns, "cell_6": cell})
    found = regions(only_training_of(placed, np.ones(store.n_events, bool)))
    assert found[:4].tolist() == ["around 48.88, 2.37", "b", NOT_TOLD, "around 48.88, 2.37"]
    assert cell_centre("b") is None
    assert cell_centre("not a cell") is None
    for number in ("f" * 40, "-f", "0"):
        assert cell_centre(number) is None


def test_small_regions_are_one() -> None:
    store = toy_store(n_users=30, events_per_user=10)
    words = {**store.encoding.vocabularies, "cell_6": Vocabulary.of([f"c{n}" for n in range(12)])}
    encoding = Encoding(words, store.encoding.scales, store.encoding.catalogue, store.encoding.settings)
    home = 2 + np.minimum(np.arange(30) // 2, 11)
    placed = replace(store, encoding=encoding, columns={**store.columns, "cell_6": home[store.user].astype(np.int32)})
    found = regions(only_training_of(placed, np.ones(store.n_events, bool)))
    assert len(set(found.tolist())) == 9
    assert (found == "elsewhere").sum() > 0


def test_popular_items_are_those_of_the_judges_tiers() -> None:
    store = toy_store()
    found = popularity(store)
    assert found[:2].tolist() == ["not in training"] * 2
    count = np.bincount(np.asarray(store["item"])[np.asarray(store["window"]) == 0], minlength=len(found))
    assert count[found == TIERS[0]].min() >= count[found == TIERS[2]].max()


def test_attributes_come_from_their_tables(tmp_path: Path) -> None:
    store = toy_store(n_users=4)
    pl.DataFrame({"user_id": ["user00000", "user00002"], "age": [30, 40]}).write_parquet(tmp_path / "users.parquet")
    items = {"item_id": ["item00001", "item00001"], "category": ["bars", "parks"]}
    pl.DataFrame(items).write_parquet(tmp_path / "items.parquet")
    found = groups_of(tmp_path, ["age", "item.category", "user.activity", "item.popularity"], store)
    assert found.users["user age"].tolist() == ["30", NOT_TOLD, "40", NOT_TOLD]
    assert set(found.users) == {"user age", "user activity"}
    assert found.items["item category"][:5].tolist() == [NOT_TOLD, NOT_TOLD, NOT_TOLD, "bars", NOT_TOLD]
    assert set(found.items) == {"item category", "item popularity"}


@pytest.mark.parametrize(
    ("name", "told"),
    [("age", "no 'age' among none"), ("item.colour", "no 'colour' among none"), ("user.age", "'user.age'")],
)
def test_what_is_not_there_is_named(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        groups_of(tmp_path, [name], toy_store())


def test_regions_need_places() -> None:
    store = toy_store()
    bare = replace(store, columns={name: one for name, one in store.columns.items() if not name.startswith("cell_")})
    with pytest.raises(ConfigError, match=r"user\.region"):
        regions(bare)


def world(seed: int, gap: float) -> tuple[np.ndarray, Bootstrap, dict]:
    """Queries of 200 users in five groups of 40, one of which is served worse by `gap`."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(200), rng.integers(1, 9, 200))
    group = (user % 5).astype(str)
    level = 0.4 + rng.normal(0, 0.15, 200)[user] - np.where(group == "3", gap, 0.0)
    values = np.clip(level + rng.normal(0, 0.2, len(user)), 0, 1)
    return values, Bootstrap(user, 300, 0.95, seed), {"user group": {name: group == name for name in "01234"}}


def test_a_planted_gap_is_found_and_named() -> None:
    values, bootstrap, masks = world(0, 0.3)
    (found,) = largest_gaps(values, masks, bootstrap, min_queries=10)
    assert found["worst"] == "3"
    assert found["low"] > 0
    assert found["value"] == pytest.approx(found["best_value"] - found["worst_value"])


def test_equal_groups_are_rarely_called_apart() -> None:
    """The largest of ten gaps would be called sure far too often by the interval of one pair."""
    sure, runs = 0, 200
    for seed in range(runs):
        values, bootstrap, masks = world(seed, 0.0)
        sure += largest_gaps(values, masks, bootstrap, min_queries=10)[0]["low"] > 0
    assert sure / runs <= 0.06


def test_small_groups_have_no_gap() -> None:
    values, bootstrap, masks = world(0, 0.3)
    few = {"user group": {**masks["user group"], "tiny": np.arange(len(values)) < 5}}
    assert largest_gaps(values, few, bootstrap, min_queries=10)[0]["groups"] == 5
    one_user = {"user who": {"a": bootstrap.user == 3, "b": bootstrap.user != 3}}
    assert largest_gaps(values, one_user, bootstrap, min_queries=1) == []
    assert largest_gaps(values, masks, bootstrap, min_queries=10_000) == []
