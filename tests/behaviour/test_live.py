"""What a person would see: the service knows what they did a second ago, and what is new a second after it is there."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from components.errors import DataError
from components.serving.answer import answer
from components.serving.live import Live
from components.serving.state.protocol import Stored
from tests.unit.serving.live import NOW, SPLIT, ask, champion, live_of, log, params, tables

WHOLE = params()
EARLY = log(400).filter(pl.col("timestamp") < SPLIT)


@pytest.fixture
def live() -> Live:
    return live_of(champion(EARLY, WHOLE))


def do(live: Live, user: str, item: str, minutes_ago: float = 1, action: str = "view", **more: object) -> None:
    at = NOW - dt.timedelta(minutes=minutes_ago)
    event = {"user_id": user, "item_id": item, "action": action, "timestamp": at.isoformat(), **more}
    taken = live.take("event", [event])
    assert (taken.accepted, taken.refused) == (1, ())


def names(live: Live, user: str | None, k: int = 20) -> list[str]:
    return [item.item_id for item in live.answer(ask(user, k=k)).items]


def test_what_a_user_did_twice_is_in_the_next_answer(live: Live) -> None:
    before = live.answer(ask("newcomer"))
    assert before.history_events == 0
    least = before.items[-1].item_id
    do(live, "newcomer", least, 5)
    do(live, "newcomer", least, 1)
    after = live.answer(ask("newcomer"))
    assert after.items[0].item_id == least
    assert after.items[0].probability > 2 * before.items[-1].probability
    assert after.history_events == 2
    assert after.reason == "answered from 2 events, the last 1 min ago"


def test_everybody_sees_at_once_what_others_do(live: Live) -> None:
    before = {item.item_id: item.probability for item in live.answer(ask("u1")).items}
    least = min(before, key=before.__getitem__)
    for minute in range(30):
        do(live, f"other{minute}", least, 2 + minute)
    after = {item.item_id: item.probability for item in live.answer(ask("somebody else")).items}
    assert names(live, "somebody else")[0] == least
    assert after[least] > before[least]


def test_a_new_item_is_recommended_right_after_its_first_event(live: Live) -> None:
    assert "brand new" not in names(live, "u1")
    do(live, "u1", "brand new")
    assert "brand new" in names(live, "u1")[:5]
    for user in ("u2", "nobody at all"):  # and to whoever never saw it, behind what is known of them
        found = live.answer(ask(user)).items
        assert "brand new" in [item.item_id for item in found]
        assert sum(item.probability for item in found) == pytest.approx(1.0, abs=1e-5)
    inline = live.answer(ask(None, history=[]))
    assert "brand new" in [item.item_id for item in inline.items]
    why = live.explain(ask("u1"), ["brand new"], 10).items[0]
    assert "new since the model was trained" in why.sentences[0]
    assert why.events[0].item_id == "brand new"
    listed = {item.item_id: item.probability for item in live.answer(ask("u1")).items}
    assert why.probability == pytest.approx(listed["brand new"])


def test_what_follows_what_is_learned_of_new_items(live: Live) -> None:
    for k in range(8):
        do(live, f"a{k}", "i1", 60 - k)
        do(live, f"a{k}", "after one", 59 - k)
        do(live, f"b{k}", "i2", 60 - k)
        do(live, f"b{k}", "after two", 59 - k)
    do(live, "c", "i1", 2)
    assert names(live, "c").index("after one") < names(live, "c").index("after two")
    do(live, "d", "i2", 2)
    assert names(live, "d").index("after two") < names(live, "d").index("after one")


def test_without_new_items_the_answer_is_the_champions_to_the_last_bit(live: Live) -> None:
    do(live, "u1", "i1")
    known = live.of(live.champion).history("u1").store
    assert live.answer(ask("u1"), WHOLE.policy) == answer(live.champion, ask("u1"), WHOLE.policy, known)


def test_new_items_never_have_more_than_their_share_and_leave_by_age(live: Live) -> None:
    few = WHOLE.live.model_copy(update={"fresh": WHOLE.live.fresh.model_copy(update={"max_items": 20})})
    small = live_of(live.champion, whole=WHOLE.model_copy(update={"live": few}))
    for k in range(60):
        do(small, "u1", f"new {k}", 120 - k)
    fresh = small.of(small.champion).fresh
    assert len(fresh) <= 20
    assert "new 59" in names(small, "u1", 100)
    assert "new 0" not in names(small, "u1", 100)
    for k in range(60):
        do(live, "u1", f"new {k}", 120 - k)
    found = live.answer(ask("u1", k=100)).items
    share = sum(item.probability for item in found if item.item_id.startswith("new"))
    assert share == pytest.approx(WHOLE.live.fresh.most_share, abs=1e-6)


def test_filters_hold_for_new_items(live: Live) -> None:
    do(live, "u1", "here", latitude=48.85, longitude=2.35)
    do(live, "u2", "nowhere")
    near = {"latitude": 48.85, "longitude": 2.35, "radius_km": 1.0}

    def found(**filters: object) -> set[str]:
        return {item.item_id for item in live.answer(ask("u1", **filters)).items} & {"here", "nowhere"}

    assert found() == {"here", "nowhere"}
    assert found(**near) == {"here"}
    assert found(**near | {"latitude": 47.0}) == set()
    assert found(seen=False) == {"nowhere"}
    assert found(categories=["any"]) == found(max_price=3.0) == set()


def test_a_question_of_the_past_sees_only_what_had_happened(live: Live) -> None:
    do(live, "u1", "brand new", 10)
    then = live.answer(ask("u1", NOW - dt.timedelta(minutes=20)))
    assert then.history_events == live.answer(ask("u1")).history_events - 1


def test_one_bad_record_of_a_batch_is_refused_alone_and_duplicates_are_counted(live: Live) -> None:
    good = {"user_id": "u1", "item_id": "i1", "action": "view", "timestamp": NOW.isoformat()}
    bad = [good | {"action": "fly"}, good | {"timestamp": "yesterday"}, good | {"user_id": ""}]
    taken = live.take("event", [good, *bad, good])
    assert (taken.accepted, taken.duplicates, taken.offset) == (1, 1, 1)
    assert [(one.index, one.rule) for one in taken.refused] == [
        (1, "action_unknown"), (2, "timestamp_not_a_time"), (3, "user_id_missing"),
    ]  # fmt: skip
    assert live.take("event", [good]).duplicates == 1
    shown = {"user_id": "u1", "item_id": "i1", "timestamp": NOW.isoformat(), "position": 1, "probability": 0.5}
    assert live.take("impression", [shown, shown | {"position": 0}]).accepted == 1
    said = {"user_id": "u1", "timestamp": NOW.isoformat(), "question": "satisfied", "value": 4}
    assert live.take("feedback", [said]).accepted == 1
    point = {"user_id": "u1", "timestamp": NOW.isoformat(), "latitude": 48.8, "longitude": 2.3, "accuracy_m": 5}
    assert live.take("position", [point]).accepted == 1
    assert len(live.timeline("u1", 100)) == len(live.of(live.champion).history("u1"))  # events alone make history


def test_listeners_hear_every_record_once_in_order(live: Live) -> None:
    heard: list[Stored] = []
    live.listeners.append(heard.extend)
    other = live_of(champion(EARLY, WHOLE), live.state)
    for k in range(5):
        do(live, "u1", "i1", 10 - k)
        do(other, "u2", "i2", 10 - k)
    live.follow()
    live.follow()
    assert [one.offset for one in heard] == list(range(1, 11))


def test_threads_that_take_and_ask_at_once_lose_nothing(live: Live) -> None:
    def one(number: int) -> None:
        for k in range(12):
            do(live, f"user {number}", f"i{k % 5}" if k % 4 else "brand new", 60 - k)
            live.answer(ask(f"user {(number + 1) % 4}"))

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(one, range(4))) == [None] * 4
    alone = live_of(champion(EARLY, WHOLE), live.state)
    assert live.offset == live.state.head() == 48
    for name, table in tables(alone).items():
        np.testing.assert_allclose(tables(live)[name], table, atol=1e-6, err_msg=name)
    assert live.answer(ask("user 1")).items == alone.answer(ask("user 1")).items


def test_a_forgotten_user_is_a_stranger(live: Live) -> None:
    do(live, "u1", "brand new")
    live.answer(ask("u1"))
    assert "u1" in live.champion.carried.users
    tomb = live.forget("u1")
    assert "u1" not in live.champion.carried.users
    assert tomb == live.state.head()
    assert live.timeline("u1", 10) == []
    live.of(live.champion)._held.clear()  # also when what is held of them is held no more
    assert live.timeline("u1", 10) == []
    assert live.answer(ask("u1")).items == live.answer(ask("a stranger")).items
    assert "brand new" not in names(live, "u1")
    do(live, "u1", "i1")
    assert live.answer(ask("u1")).history_events == 1


def test_a_journey_tells_interests_state_and_the_next_visit() -> None:
    one = champion(EARLY, WHOLE)
    encoding = one.encoding
    words = encoding.vocabularies["category"].of(["old", "new"])
    kinds = np.where(np.arange(encoding.n_items) % 2, 2, 3).astype(np.int32)
    kinds[:2] = 0
    catalogue = replace(encoding.catalogue, category=kinds)
    object.__setattr__(encoding, "catalogue", catalogue)
    object.__setattr__(encoding, "vocabularies", {**encoding.vocabularies, "category": words})
    live = live_of(one)
    code_of = encoding.vocabularies["item"].code_of
    fresh_kind = next(name for name, code in code_of.items() if kinds[code] == 3)
    for k in range(12):
        do(live, "u1", fresh_kind, 12 - k)
    found = live.journey("u1")
    assert found.last == NOW - dt.timedelta(minutes=1)
    assert found.interests[0].category == "new"
    assert found.interests[0].share == 1.0
    assert found.interests[0].change > 0
    assert found.state in {"returning", "active", "new"}
    assert found.next_visit is not None
    assert found.segment is not None
    assert live.journey("u2").state in {"lapsing", "dormant", "churned"}  # silent for a month
    assert live.journey("nobody").state == "absent"
    assert found.time == NOW


def test_a_journey_of_the_past_sees_only_what_had_happened(live: Live) -> None:
    for minutes in (50, 40, 30):
        do(live, "newcomer", "i1", minutes)
    before = live.journey("newcomer", NOW - dt.timedelta(minutes=35))
    assert (before.events, before.last) == (2, NOW - dt.timedelta(minutes=40))
    assert before.time == NOW - dt.timedelta(minutes=35)
    at_once = live.journey("newcomer", NOW - dt.timedelta(minutes=30))
    assert at_once.events == 3, "what happens at the very time has happened"
    earlier = live.journey("newcomer", NOW - dt.timedelta(hours=2))
    assert (earlier.events, earlier.last, earlier.state) == (0, None, "absent")
    later = live.journey("newcomer", NOW + dt.timedelta(days=400))
    assert later.state in {"lapsing", "dormant", "churned"}, "a silence is judged as of the time asked for"
    assert live.journey("newcomer") == live.journey("newcomer", NOW)


def test_an_unknown_item_without_any_event_is_no_item_to_explain(live: Live) -> None:
    with pytest.raises(DataError, match="catalogue"):
        live.explain(ask("u1"), ["never heard of"], 5)
