"""What comes in over HTTP: every record is accounted for, and the next answer knows of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.live import params_with, toy_client
from tests.serving import toy_champion

EVENT = {"user_id": "newcomer", "item_id": "item00007", "action": "view", "timestamp": "2025-03-01T12:00:00Z"}
GOOD: dict[str, dict[str, Any]] = {
    "events": EVENT,
    "impressions": {"user_id": "u", "item_id": "item00007", "timestamp": "2025-03-01T12:00:00Z", "position": 1,
                    "probability": 0.5},
    "feedback": {"user_id": "u", "timestamp": "2025-03-01T12:00:00Z", "question": "happy", "value": 4.0},
    "positions": {"user_id": "u", "timestamp": "2025-03-01T12:00:00Z", "latitude": 48.8, "longitude": 2.3},
}  # fmt: skip


@pytest.fixture
def client() -> Iterator[TestClient]:
    with toy_client(champion=toy_champion()) as one:
        yield one


@pytest.mark.parametrize("name", GOOD)
def test_a_record_is_accepted_once_and_a_duplicate_after(client: TestClient, name: str) -> None:
    first = client.post(f"/v1/{name}", json={name: [GOOD[name]]})
    assert (first.status_code, first.json()) == (200, {"accepted": 1, "duplicates": 0, "refused": [], "offset": 1})
    again = client.post(f"/v1/{name}", json={name: [GOOD[name]]})
    assert (again.status_code, again.json()) == (200, {"accepted": 0, "duplicates": 1, "refused": [], "offset": 1})


@pytest.mark.parametrize("name", GOOD)
def test_a_bad_record_is_refused_alone_and_by_its_place(client: TestClient, name: str) -> None:
    found = client.post(f"/v1/{name}", json={name: [7, GOOD[name], {}, None, GOOD[name], GOOD[name] | {"user_id": ""}]})
    assert found.status_code == 200
    said = found.json()
    assert (said["accepted"], said["duplicates"]) == (1, 1)
    assert [one["index"] for one in said["refused"]] == [0, 2, 3, 5]
    assert all(one["rule"] and one["error"] for one in said["refused"])
    assert said["accepted"] + said["duplicates"] + len(said["refused"]) == 6


@pytest.mark.parametrize("name", GOOD)
def test_a_request_of_which_nothing_enters_is_an_error_that_says_all(client: TestClient, name: str) -> None:
    found = client.post(f"/v1/{name}", json={name: [{}, []]})
    assert found.status_code == 422
    said = found.json()
    assert (said["error"], said["accepted"], len(said["refused"])) == ("every record was refused", 0, 2)


@pytest.mark.parametrize("body", [{}, [], {"events": EVENT}, {"events": []}, {"events": [EVENT], "more": 1},
                                  {"event": [EVENT]}, {"events": "all"}, None, 7])  # fmt: skip
def test_another_shape_is_refused_whole(client: TestClient, body: object) -> None:
    found = client.post("/v1/events", content=json.dumps(body), headers={"content-type": "application/json"})
    assert (found.status_code, found.json()["where"]) == (422, "events")


def test_a_batch_has_a_limit() -> None:
    with toy_client(params_with(live={"max_batch": 2}), toy_champion()) as client:
        many = [EVENT | {"event_id": str(n)} for n in range(3)]
        assert client.post("/v1/events", json={"events": many}).status_code == 422
        assert client.post("/v1/events", json={"events": many[:2]}).json()["accepted"] == 2


def test_a_long_batch_is_taken_beside_the_loop_and_counted_like_a_short_one(client: TestClient) -> None:
    many = [EVENT | {"event_id": str(n)} for n in range(100)]
    assert client.post("/v1/events", json={"events": [*many, *many]}).json() == {
        "accepted": 100, "duplicates": 100, "refused": [], "offset": 100
    }  # fmt: skip
    text = client.get("/metrics").text
    assert 'chronotope_records_total{kind="event",outcome="accepted"} 100.0' in text
    assert 'chronotope_records_total{kind="event",outcome="duplicate"} 100.0' in text


def test_the_next_answer_knows_of_an_event(client: TestClient) -> None:
    asked = {"user_id": "newcomer", "time": "2025-03-01T12:00:01Z", "k": 1}
    before = client.post("/v1/predict", json=asked).json()
    assert before["history_events"] == 0
    client.post("/v1/events", json={"events": [EVENT]})
    after = client.post("/v1/predict", json=asked).json()
    assert after["history_events"] == 1
    assert client.post("/v1/recommend", json=asked).json()["history_events"] == 1


def test_a_user_of_odd_letters_is_found_by_the_path(client: TestClient) -> None:
    from urllib.parse import quote

    for name in ("a/b", "ünï cödé", "100%", "a?b#c", "../../etc", "{user_id}"):
        client.post("/v1/events", json={"events": [EVENT | {"user_id": name}]})
        found = client.get(f"/v1/users/{quote(name, safe='')}/timeline").json()
        assert (found["user_id"], len(found["events"])) == (name, 1)


def test_timeline_journey_and_forgetting(client: TestClient) -> None:
    for hour in range(5):
        client.post("/v1/events", json={"events": [EVENT | {"timestamp": f"2025-03-01T1{hour}:00:00Z"}]})
    times = [one["time"] for one in client.get("/v1/users/newcomer/timeline?n=2").json()["events"]]
    assert times == ["2025-03-01T14:00:00Z", "2025-03-01T13:00:00Z"]
    journey = client.get("/v1/users/newcomer/journey").json()
    assert (journey["events"], journey["last"]) == (5, "2025-03-01T14:00:00Z")
    then = client.get("/v1/users/newcomer/journey?time=2025-03-01T14:30:00%2B02:00").json()
    assert (then["events"], then["last"], then["time"]) == (3, "2025-03-01T12:00:00Z", "2025-03-01T12:30:00Z")
    assert client.get("/v1/users/newcomer/journey?time=2025-03-01T09:59:59.5Z").json()["events"] == 0
    assert client.delete("/v1/users/newcomer").json() == {"offset": 6}
    assert client.get("/v1/users/newcomer/timeline").json()["events"] == []
    assert client.get("/v1/users/newcomer/journey").json()["events"] == 0


@pytest.mark.parametrize("query", ["n=0", "n=501", "n=-1", "n=x", "n=1.0", "n=", "m=1", "n=1&m=2", "n=" + "9" * 5000,
                                   "&".join(f"a{n}=1" for n in range(50)), "n=%FF"])  # fmt: skip
def test_a_query_that_is_none(client: TestClient, query: str) -> None:
    assert client.get(f"/v1/users/a/timeline?{query}").status_code == 422


@pytest.mark.parametrize(
    "text",
    ["", "now", "2025-03-01", "2025-03-01T12:00:00", "2025-03-01T12:00:00 02:00", "1740830400", "2025-03-01T12:00Z",
     "2025-13-01T12:00:00Z", "2025-03-01T12:00:00%2B25:00", "9" * 5000, "2025-03-01T12:00:00Z&n=1",
     "2025-03-01T12:00:00Z&time=", "0001-01-01T00:00:00%2B10:00", "2025-W09-6T12:00:00Z", "%FF"],
)  # fmt: skip
def test_a_time_that_is_none(client: TestClient, text: str) -> None:
    found = client.get(f"/v1/users/a/journey?time={text}")
    assert found.status_code == 422
    assert found.json()["where"] in {"time", "query"}


def test_the_ends_of_the_calendar_are_times(client: TestClient) -> None:
    for text in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        assert client.get(f"/v1/users/user00003/journey?time={text}").status_code == 200


@pytest.mark.parametrize("path", ["/v1/users/%FF/timeline", "/v1/users/" + "u" * 257 + "/journey", "/v1/users/%FF"])
def test_a_user_that_is_none(client: TestClient, path: str) -> None:
    assert client.request("DELETE" if path.endswith("FF") else "GET", path).status_code == 422
