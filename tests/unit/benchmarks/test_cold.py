"""Items are held out wholly: no training event of them is left, and everything else stands."""

from __future__ import annotations

import polars as pl

from benchmarks.cold import SHARE, held_out, parts
from components.evaluation.judge import judge
from components.evaluation.protocol import Protocol
from components.features.build import frame_to_store
from components.learners import build
from components.predictor import NoTracker, Window
from tests.unit.features.sample import log, params

WHOLE = params(features={"vocabulary": "catalogue"}, evaluation={"target_time": "hidden"})


def test_held_out_items_have_no_training_event_and_keep_the_others() -> None:
    events = log(2000, users=20)
    items = pl.DataFrame({"item_id": [f"item{i}" for i in range(30)] + ["later"]})
    held = held_out(events, items, WHOLE)
    train, later = (held.events.filter((pl.col("window") == "train") == here) for here in (True, False))
    assert len(held.cold) == round(SHARE * 30)
    assert not train["item_id"].is_in(held.cold).any()
    assert later["item_id"].is_in(held.cold).any()
    assert len(held.events) + held.removed == len(events)
    assert held.removed > 0
    assert sorted(held.items["item_id"]) == sorted(f"item{i}" for i in range(30))  # what comes later is not known yet
    again = held_out(events, items, WHOLE)
    assert again.cold == held.cold


def test_questions_are_told_apart_by_their_answer() -> None:
    held = held_out(log(2000, users=20), pl.DataFrame({"item_id": [f"item{i}" for i in range(30)]}), WHOLE)
    store = frame_to_store(held.events, held.items, None, WHOLE, "temporal")
    assert store.encoding.cold == len(held.cold)
    counter = build("recent_popularity", WHOLE)
    counter.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    found = judge(counter, Window(store, "test"), Protocol.of(WHOLE.evaluation), max_queries=1000, seed=1)
    part = parts(found, store)
    ids = store.encoding.vocabularies["item"].ids
    answers = [str(ids[code]) for code in found.targets]
    assert [name in held.cold for name in answers] == part["cold"].tolist()
    assert not (part["cold"] & part["warm"]).any()
    assert (part["cold_new"] <= part["cold"]).all()
    assert part["cold_new"].sum() < part["cold"].sum()
