"""What `/metrics` tells, that the dashboard asks for nothing else, and the drift of predictions."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from bento.metrics.drift import Drift, stability_index
from bento.metrics.metrics import Metrics
from components.serving.question import Answer, RankedItem
from tests.live import toy_client
from tests.serving import ROOT, toy_champion

DASHBOARD = json.loads((ROOT / "bento" / "grafana" / "dashboard.json").read_text())
EVENT = {"user_id": "u", "item_id": "item00007", "action": "view", "timestamp": "2025-03-01T12:00:00Z"}


@pytest.fixture
def client() -> Iterator[TestClient]:
    with toy_client(champion=toy_champion()) as one:
        yield one


def told(client: TestClient) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def use(client: TestClient) -> None:
    """Something of everything."""
    client.post("/v1/events", json={"events": [EVENT, EVENT, {}]})
    for _ in range(3):
        client.post("/v1/predict", json={"user_id": "u"})
    client.get("/v1/users/somebody-private/timeline")
    client.get("/none")
    worker = client.app.worker  # type: ignore[attr-defined]
    worker.metrics.swapped()
    for n in range(1001):
        worker.metrics.predicted(Answered(str(n % 3)), 1)


class Answered:
    """As much of an answer as is counted."""

    def __init__(self, category: str) -> None:
        self.items = [self]
        self.category = category


def test_requests_records_freshness_state_and_model(client: TestClient) -> None:
    use(client)
    found = told(client)
    counts = {(one["route"], one["status"]): value for one, value in found["chronotope_requests_total"]}
    assert counts["predict", "200"] == 3
    assert counts["none", "404"] == 1
    seconds = {one["route"]: value for one, value in found["chronotope_request_seconds_count"]}
    assert seconds["predict"] == 3
    records = {(one["kind"], one["outcome"]): value for one, value in found["chronotope_records_total"]}
    assert records == {("event", "accepted"): 1, ("event", "duplicate"): 1, ("event", "refused"): 1}
    assert found["chronotope_event_applied_seconds_count"][0][1] == 1
    assert 0 <= found["chronotope_newest_event_age_seconds"][0][1] < 60
    assert found["chronotope_state_users"][0][1] == 1
    assert found["chronotope_state_records"][0][1] == 1
    assert found["chronotope_log_behind"][0][1] == 0
    assert found["chronotope_swaps_total"][0][1] == 1
    assert found["chronotope_model"] == [({"model": "memory", "digest": "0" * 12}, 1.0)]
    assert found["chronotope_predictions_total"][0][0] == {"arm": "champion"}
    assert 0 <= found["chronotope_prediction_drift"][0][1] < 0.1


def test_no_label_names_a_person(client: TestClient) -> None:
    use(client)
    labels = {(name, key) for name, samples in told(client).items() for one, _ in samples for key in one}
    assert {key for _, key in labels} <= {"route", "status", "kind", "outcome", "le", "arm", "side", "model", "digest"}
    assert "somebody-private" not in client.get("/metrics").text


def queries() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def test_the_dashboard_asks_only_for_what_is_there_and_shows_all(client: TestClient) -> None:
    use(client)
    names = {name for name in told(client) if not name.endswith("_created")}
    asked = set(re.findall(r"chronotope_\w+", " ".join(queries())))
    assert asked <= names, f"nobody tells {asked - names}"
    shown = {re.sub("_(bucket|sum|count)$", "", name) for name in asked}
    told_of = {re.sub("_(bucket|sum|count)$", "", name) for name in names if name.startswith("chronotope_")}
    assert told_of == shown, f"nobody sees {told_of - shown}"


def test_the_dashboard_is_whole() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["title"]
        assert panel["description"]
        assert panel["targets"]
    for expr in queries():
        assert expr.count("(") == expr.count(")"), expr


@given(
    st.dictionaries(st.text(max_size=3), st.integers(0, 1000)),
    st.dictionaries(st.text(max_size=3), st.integers(0, 1000)),
)
def test_the_index_is_zero_for_equal_shares_and_never_negative(a: dict[str, int], b: dict[str, int]) -> None:
    before, now = Counter(a), Counter(b)
    assert stability_index(before, now) >= 0
    assert stability_index(before, before) == 0
    assert stability_index(before, now) == pytest.approx(stability_index(now, before))


def test_the_index_of_a_known_table() -> None:
    """By hand: smoothed shares 1/3, 2/3 against 2/3, 1/3: 2 · (1/3) · ln 2."""
    before, now = Counter({"a": 2.5, "b": 5.5}), Counter({"a": 5.5, "b": 2.5})  # type: ignore[dict-item]
    assert stability_index(before, now) == pytest.approx(2 / 3 * 0.6931471805599453)


def test_drift_of_a_model_starts_again_with_the_next() -> None:
    choose = random.Random(7)
    drift = Drift(200)
    for _ in range(200):
        drift.add(1, choose.choice("abcd"))
    assert drift.index() is None
    for _ in range(200):
        drift.add(1, choose.choice("abcd"))
    assert drift.index() is not None
    assert drift.index() < 0.1  # type: ignore[operator]
    for _ in range(200):
        drift.add(1, choose.choice("aaab"))
    assert drift.index() > 0.5  # type: ignore[operator]
    drift.add(2, None)
    assert drift.index() is None


def test_arms_that_take_turns_have_each_a_drift_of_their_own() -> None:
    metrics, item = Metrics(), RankedItem("a", 0.1, "a", "cafe")
    answer = Answer([item], None, None, None, 0, "", None, [])
    for n in range(2_200):
        side = ("champion", "challenger")[n % 2]
        metrics.predicted(answer, side, f"trial/{side}")
    assert metrics.drift == {"champion": pytest.approx(0.0), "challenger": pytest.approx(0.0)}


def test_workers_sum_what_they_counted(tmp_path: Path) -> None:
    """Two processes that share a folder: the page of either is of both."""
    import os
    import subprocess
    import sys

    program = (
        "from bento.metrics.metrics import Metrics\n"
        "from prometheus_client.registry import CollectorRegistry\n"
        "one = Metrics(); one.answered('predict', 200, 0.01); one.taken('event', 2, 1, 0)\n"
        "print(one.page(CollectorRegistry()).decode())\n"
    )
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    for n in (1, 2):
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        assert f'chronotope_requests_total{{route="predict",status="200"}} {n}.0' in done.stdout
        assert f'chronotope_records_total{{kind="event",outcome="accepted"}} {2 * n}.0' in done.stdout


def test_two_apps_in_one_process_do_not_share_counters() -> None:
    one, other = Metrics(), Metrics()
    one.swapped()
    assert one.registry.get_sample_value("chronotope_swaps_total") == 1
    assert other.registry.get_sample_value("chronotope_swaps_total") == 0
