"""An item that nobody has touched is recommended, at once, to those who like what is written about it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from components.errors import IntegrityError
from components.evaluation.judge import judge
from components.evaluation.protocol import Protocol, make_queries
from components.features.build import frame_to_store
from components.features.store import Store
from components.params import Params, VectorParams, load_params
from components.predictor import NoTracker, Window
from components.ranking.blend import BlendPredictor
from components.registry.artifact import compose, load_artifact
from components.serving.answer import answer
from components.serving.champion import Champion
from components.serving.question import Question
from components.training.network import NetworkPredictor
from tests.languages import need_minilm
from tests.networks import loop_params, network_params
from tests.serving import toy_champion

ROOT = Path(__file__).resolve().parents[2]
TITLES = {
    "tea": ["Green tea", "Black tea", "Mint tea", "Earl grey tea", "Oolong tea leaves", "Jasmine tea", "White tea"],
    "bicycle": [
        "Road bike",
        "Mountain bike",
        "Bike helmet",
        "Bicycle pump",
        "Bicycle lock",
        "Bike saddle",
        "Cycling tour",
    ],
    "cat": [
        "Cat food",
        "Cat litter",
        "Toy mouse for cats",
        "Scratching post for cats",
        "Kitten bed",
        "Cat bowl",
        "Catnip",
    ],
}
NEW = {"tea": "A cup of herbal tea", "bicycle": "City bicycle", "cat": "Basket for a sleeping cat"}
USERS, EVENTS = 36, 30


def log() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Users who like one topic each, and an item table that also has an item of each topic that nobody touches."""
    rng = np.random.default_rng(5)
    topics = list(TITLES)
    rows = []
    for u in range(USERS):
        mine = TITLES[topics[u % len(topics)]]
        for k in range(EVENTS):
            moment = dt.datetime(2025, 1, 6, tzinfo=dt.UTC) + dt.timedelta(
                hours=8 * k + int(rng.integers(8)), minutes=u
            )
            rows.append((f"u{u:02}", mine[int(rng.integers(len(mine)))], "view", moment, k))
    columns = ["user_id", "item_id", "action", "timestamp", "source_seq"]
    events = pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        pl.col("timestamp").cast(pl.Datetime("us", "UTC"))
    )
    names = [title for titles in TITLES.values() for title in titles] + list(NEW.values())
    return events, pl.DataFrame({"item_id": names, "title": names})


def params() -> Params:
    whole = load_params(ROOT / "params.yaml")
    words = {"kind": "text", "options": {"model": need_minilm(), "fields": ["title"], "batch": 32}, "dimensions": None}
    features = whole.features.model_copy(
        update={"vocabulary": "catalogue", "vectors": {"words": VectorParams.model_validate(words)}, "cells": []}
    )
    windows = whole.windows.model_copy(update={"tune": "1d", "blend": "1d", "test": "1d"})
    return whole.model_copy(update={"features": features, "windows": windows})


@pytest.fixture(scope="module")
def store() -> Store:
    events, items = log()
    return frame_to_store(events, items, None, params(), "temporal")


def network(store: Store, sources: list[str]) -> NetworkPredictor:
    shape = network_params(
        "gru",
        inputs=["item"],
        heads={"item": 1.0},
        dropout=0.0,
        item_bias=True,
        vectors={"sources": sources, "drop": 0.3 if sources else 0.0},
    )
    protocol = Protocol("temporal", "hidden", "online", "kept", "miss", "source")
    one = NetworkPredictor("net", shape, loop_params(epochs=8), protocol, "ndcg@10", 3)
    one.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    return one


@pytest.fixture(scope="module")
def by_words(store: Store) -> NetworkPredictor:
    return network(store, ["words"])


@pytest.fixture(scope="module")
def by_ids(store: Store) -> NetworkPredictor:
    return network(store, [])


def champion_of(one: NetworkPredictor, store: Store, folder: Path) -> Champion:
    """The network as an artifact that was packed, verified and loaded."""
    one.save(folder / "model")
    lineage: dict[str, Any] = {
        "git_sha": None,
        "params": None,
        "windows": {},
        "protocol": {"target_time": "hidden", "seen": "kept"},
    }
    made = compose(folder / "a", folder / "model", store, name="net", history=50, lineage=lineage, card="# net\n")
    return replace(toy_champion(), artifact=load_artifact(folder / "a" / made.digest))


def shown(champion: Champion, user: int, k: int) -> list[str]:
    """Items that the service answers a user with."""
    moment = dt.datetime(2025, 1, 17, tzinfo=dt.UTC)
    question = Question(f"u{user:02}", None, moment, None, None, None, k, True, None, None, None)
    return [item.item_id for item in answer(champion, question, None).items]


def test_an_item_nobody_touched_is_shown_to_who_likes_its_words(
    store: Store, by_words: NetworkPredictor, by_ids: NetworkPredictor, tmp_path: Path
) -> None:
    told, untold = champion_of(by_words, store, tmp_path / "words"), champion_of(by_ids, store, tmp_path / "ids")
    for user in range(9):
        topic = list(TITLES)[user % 3]
        best = shown(told, user, 8)
        assert NEW[topic] in best, (user, best)
        assert not set(best) & (set(NEW.values()) - {NEW[topic]})
        assert not set(shown(untold, user, 24)) & set(NEW.values())


def test_the_artifact_answers_as_the_network_did_and_holds_no_language_model(
    store: Store, by_words: NetworkPredictor, tmp_path: Path
) -> None:
    champion = champion_of(by_words, store, tmp_path)
    artifact = champion.artifact
    assert not artifact.histories.vectors
    assert not [name for name in artifact.manifest.sizes if "vectors" in name or "tokenizer" in name]
    queries, _ = make_queries(Window(store, "test"), by_words.protocol)
    assert np.array_equal(artifact.predictor.score(queries).item, by_words.score(queries).item)
    weights = tmp_path / "a" / artifact.digest / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(IntegrityError):
        load_artifact(tmp_path / "a" / artifact.digest)


def with_cold_answers(store: Store) -> Store:
    """The same log in which every tenth answer of the test window is the untouched item of the user's topic."""
    item = np.asarray(store["item"]).copy()
    rows = np.flatnonzero(np.asarray(store["window"]) == 3)[::10]
    code_of = store.encoding.vocabularies["item"].code_of
    for row in rows:
        item[row] = code_of[NEW[list(TITLES)[int(store.user[row]) % 3]]]
    return replace(store, columns={**store.columns, "item": item})


def test_the_judge_counts_cold_answers_where_they_are_given(
    store: Store, by_words: NetworkPredictor, by_ids: NetworkPredictor
) -> None:
    asked, found = with_cold_answers(store), {}
    for name, one in (("words", by_words), ("ids", by_ids)):
        judged = judge(one, Window(asked, "test"), one.protocol, max_queries=10_000, seed=1)
        cold = judged.table["cold_item"].to_numpy()
        assert 0 < cold.sum() < len(cold)
        assert judged.about["unseen_share"] == pytest.approx(cold.mean())
        assert np.isfinite(judged.column("log_p")[~cold]).all()
        assert np.isnan(judged.column("log_p")[cold]).all()
        found[name] = {part: judged.metric("hr@10")[rows].mean() for part, rows in (("cold", cold), ("warm", ~cold))}
        dropped = replace(one.protocol, unseen="dropped")
        assert np.isnan(judge(one, Window(asked, "test"), dropped, max_queries=10_000, seed=1).ranks[cold]).all()
    assert found["words"]["cold"] > 0.8
    assert found["ids"]["cold"] == 0.0
    assert found["words"]["warm"] >= found["ids"]["warm"] - 0.05


def test_a_blend_mixes_what_knows_cold_items_with_what_does_not(
    store: Store, by_words: NetworkPredictor, by_ids: NetworkPredictor
) -> None:
    whole = params()
    blend = BlendPredictor({"words": by_words, "ids": by_ids}, whole.training.blend, by_words.protocol, "blend")
    blend.fit_weights(Window(with_cold_blend(store), "blend"))
    queries, _ = make_queries(Window(store, "test"), by_words.protocol)
    scores = blend.score(queries).item
    assert np.allclose(np.exp(scores).sum(1), 1.0, atol=1e-4)
    assert np.isfinite(scores[:, store.encoding.n_trained :]).all()


def with_cold_blend(store: Store) -> Store:
    """The same log in which some answers of the blend window are untouched items."""
    item = np.asarray(store["item"]).copy()
    rows = np.flatnonzero(np.asarray(store["window"]) == 2)[::5]
    item[rows] = store.encoding.n_items - 1
    return replace(store, columns={**store.columns, "item": item})
