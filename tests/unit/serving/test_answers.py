"""What the service answers: known, unknown and inline users, filters, and the shape of every part."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from components.params import PolicyParams
from components.serving.champion import Champion
from tests.live import PLAIN, toy_client
from tests.serving import toy_champion


@pytest.fixture(scope="module")
def champion() -> Champion:
    return toy_champion()


@pytest.fixture(scope="module")
def client(champion: Champion) -> Iterator[TestClient]:
    with toy_client(champion=champion) as one:
        yield one


def ask(client: TestClient, **body: object) -> dict:
    answer = client.post("/v1/predict", json={"time": "2025-03-01T12:00:00Z", **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_known_user_is_answered_from_history(client: TestClient, champion: Champion) -> None:
    found = ask(client, user_id="user00003", k=3)
    store = champion.artifact.histories
    start, stop = store.offsets[3], store.offsets[4]
    mine = {str(store.encoding.vocabularies["item"].ids[code]) for code in store["item"][start:stop]}
    assert {item["item_id"] for item in found["items"]} == mine  # three habits, three best items
    assert found["history_events"] == 40
    assert "answered from 40 events" in found["reason"]
    assert found["model"]["version"] == 1
    assert found["model"]["lineage"] == {"git_sha": "abc", "params": "def"}


def test_every_part_is_a_distribution(client: TestClient) -> None:
    found = ask(client, user_id="user00000", k=20)
    probabilities = [item["probability"] for item in found["items"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1.0, abs=1e-3)  # k is the whole catalogue
    assert sum(found["actions"].values()) == pytest.approx(1.0, abs=1e-3)
    times = found["next_event"]
    assert times["quantiles_s"]["p10"] < times["quantiles_s"]["p50"] < times["quantiles_s"]["p90"]
    assert 0 <= times["within"]["1h"] <= times["within"]["1d"] <= times["within"]["7d"] <= 1
    assert times["no_return"]["90d"] <= times["no_return"]["30d"]


def test_what_is_expected_from_now_knows_of_the_silence(client: TestClient) -> None:
    event = {"item_id": "item00007", "action": "view", "timestamp": "2025-03-01T12:00:00Z"}
    at_once = ask(client, history=[event])["next_event"]
    assert at_once["from_now"] == pytest.approx(at_once["within"], abs=1e-4)
    later = ask(client, history=[event], time="2025-03-02T12:00:00Z")["next_event"]
    assert later["within"] == at_once["within"]
    chance, now = later["within"], later["from_now"]
    still = 1 - chance["1d"]  # nothing came for a day
    assert 0 < still < 1
    assert now["7d"] >= (chance["7d"] - chance["1d"]) / still - 1e-6  # a week from now is eight days in all
    assert now["1h"] != pytest.approx(chance["1h"], rel=0.05)
    assert 0 < now["1h"] < now["1d"] < now["7d"] < 1


def test_an_unknown_user_is_told_so(client: TestClient) -> None:
    found = ask(client, user_id="nobody")
    assert found["history_events"] == 0
    assert "not known" in found["reason"]
    assert len(found["items"]) == 10


def test_an_inline_history_stands_in_for_the_stored_one(client: TestClient) -> None:
    event = {"item_id": "item00007", "action": "view", "timestamp": "2025-02-28T10:00:00Z"}
    found = ask(client, user_id="user00003", history=[event, event | {"timestamp": "2025-02-28T11:00:00Z"}], k=1)
    assert found["history_events"] == 2
    assert found["items"][0]["item_id"] == "item00007"


def test_what_is_dated_after_the_request_has_not_happened(client: TestClient) -> None:
    past = {"item_id": "item00001", "action": "view", "timestamp": "2025-02-28T10:00:00Z"}
    future = {"item_id": "item00002", "action": "view", "timestamp": "2025-03-02T10:00:00Z"}
    with_future, without = ask(client, history=[past, future]), ask(client, history=[past])
    assert with_future["history_events"] == 1
    assert with_future["items"] == without["items"]


def test_filters_pick_from_the_ranking(client: TestClient, champion: Champion) -> None:
    catalogue = champion.encoding.catalogue
    names = champion.encoding.vocabularies["item"].ids
    unseen = ask(client, user_id="user00003", k=20, filters={"seen": False})
    habits = {item["item_id"] for item in ask(client, user_id="user00003", k=3)["items"]}
    assert not habits & {item["item_id"] for item in unseen["items"]}
    only = ask(client, user_id="user00003", k=20, filters={"categories": ["category1"]})
    assert {item["category"] for item in only["items"]} == {"category1"}
    cheap = ask(client, user_id="user00003", k=20, filters={"max_price": 20.0})
    prices = dict(zip(names, catalogue.price, strict=True))
    assert cheap["items"]
    assert all(prices[item["item_id"]] <= 20 for item in cheap["items"])
    dear = ask(client, user_id="user00003", k=20, filters={"max_price": 1e300})  # beyond what a price is kept in
    assert dear["items"] == ask(client, user_id="user00003", k=20, filters={"max_price": 1e30})["items"]
    near = ask(client, user_id="user00003", k=20, latitude=48.85, longitude=2.37, filters={"radius_km": 3.0})
    assert 0 < len(near["items"]) < 20
    none = ask(client, user_id="user00003", filters={"categories": ["no such"]})
    assert none["items"] == []


def test_seen_items_are_ranked_as_they_were_judged_unless_the_request_says(client: TestClient) -> None:
    with toy_client(champion=toy_champion(seen="filtered")) as other:
        habits = {item["item_id"] for item in ask(client, user_id="user00003", k=3)["items"]}
        assert not habits & {item["item_id"] for item in ask(other, user_id="user00003", k=20)["items"]}
        assert habits <= {
            item["item_id"] for item in ask(other, user_id="user00003", k=20, filters={"seen": True})["items"]
        }


def test_the_model_route_names_the_champion(client: TestClient) -> None:
    found = client.get("/v1/model").json()
    assert found["champion"]["name"] == "memory"
    assert found["previous"] is None
    assert found["refused"] is None


def shaped(champion: Champion, **rules: dict) -> TestClient:
    """The service under a policy; segments that are not named stay plain."""
    named = {segment: PLAIN | rules.get(segment, {}) for segment in ("new", "active", "returning")}
    record = {"candidates": 15, "segments": {"new_below": 5, "returning_after": 3.0}, "rules": named}
    policy = PolicyParams.model_validate(record)
    return toy_client(champion=champion, policy=policy)


def test_each_segment_has_its_own_rules(client: TestClient, champion: Champion) -> None:
    last_s = int(champion.artifact.histories["time_s"][champion.artifact.histories.offsets[4] - 1])
    soon = dt.datetime.fromtimestamp(last_s + 600, dt.UTC).isoformat()
    late = dt.datetime.fromtimestamp(last_s + 86_400 * 400, dt.UTC).isoformat()
    plain = ask(client, user_id="user00003", k=6, time=soon)
    assert (plain["segment"], plain["rules"]) == ("active", [])
    diverse = {"order": "diverse", "weight": 0.0}
    with shaped(champion, new=diverse, returning={"drop_seen": True, "max_per_category": 2}) as other:
        active = ask(other, user_id="user00003", k=6, time=soon)
        assert (active["segment"], active["rules"]) == ("active", [])
        assert active["items"] == plain["items"]
        returning = ask(other, user_id="user00003", k=6, time=late)
        assert returning["segment"] == "returning"
        assert returning["rules"] == ["without seen items", "at most so many of a category"]
        habits = {item["item_id"] for item in plain["items"][:3]}
        assert not habits & {item["item_id"] for item in returning["items"]}
        kinds = [item["category"] for item in returning["items"]]
        assert max(kinds.count(kind) for kind in kinds) <= 2
        new = ask(other, user_id="nobody", k=4)
        assert (new["segment"], new["rules"]) == ("new", ["diverse"])
        assert len({item["category"] for item in new["items"]}) == 4  # one of each of the four categories


def test_rules_leave_probabilities_and_the_requests_own_filters_alone(client: TestClient, champion: Champion) -> None:
    everybody = {name: {"order": "diverse", "weight": 0.5} for name in ("new", "active", "returning")}
    known = {item["item_id"]: item["probability"] for item in ask(client, user_id="user00003", k=20)["items"]}
    with shaped(champion, **everybody) as other:
        found = ask(other, user_id="user00003", k=6, filters={"categories": ["category1", "category2"]})
        assert {item["category"] for item in found["items"]} == {"category1", "category2"}
        assert [item["probability"] for item in found["items"]] == [known[item["item_id"]] for item in found["items"]]
        why = other.post("/v1/explain", json={"user_id": "user00003", "k": 3, "time": "2025-03-01T12:00:00Z"}).json()
        shown = ask(other, user_id="user00003", k=3)
        assert [item["item_id"] for item in why["items"]] == [item["item_id"] for item in shown["items"]]
