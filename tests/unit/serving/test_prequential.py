"""The replay predicts before it tells: its ranks are those of the whole log packed and learned row by row."""

from __future__ import annotations

import copy
import datetime as dt
import json
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import pytest

from components.errors import DataError, ServiceError
from components.evaluation.ranks import rank_dense
from components.features.build import frame_to_store
from components.features.pack import pack
from components.features.store import Store
from components.predictor import Predictor, Queries
from components.serving.champion import Champion
from components.serving.prequential import Tally, events_of, replay
from components.serving.prequential_http import replay_http
from components.workspace import Workspace
from tests.unit.serving.live import SPLIT, champion, live_of, log, params, tables

WHOLE = params()
FRAME = log(260).with_columns(event_key=pl.int_range(260, dtype=pl.UInt64))
EARLY, LATE = FRAME.filter(pl.col("timestamp") < SPLIT), FRAME.filter(pl.col("timestamp") >= SPLIT)


def asked_of_the_whole_log(predictor: Predictor, store: Store, row: int) -> float:
    """Rank of the item of one row, from all rows before it."""
    user = int(store.user[row])
    nowhere = np.full(1, np.nan, np.float32)
    queries = Queries(
        store, np.array([user], np.int32), store.offsets[[user]], np.array([row], np.int64),
        np.asarray(store["time_s"])[[row]], np.asarray(store["utc_offset_min"])[[max(row - 1, 0)]], nowhere, nowhere,
        True,
    )  # fmt: skip
    return float(rank_dense(predictor.score(queries).item, np.asarray(store["item"])[[row]])[0])


def test_ranks_are_those_of_the_whole_log_learned_event_by_event() -> None:
    model = champion(EARLY, WHOLE)
    oracle = copy.deepcopy(model.predictor)
    store = pack(FRAME, model.encoding, WHOLE)
    first_s = int(SPLIT.timestamp())
    rows = np.flatnonzero(np.asarray(store["time_s"]) >= first_s)
    rows = rows[np.argsort(np.asarray(store["time_s"])[rows], kind="stable")]
    wanted = []
    for row in rows.tolist():
        wanted.append(asked_of_the_whole_log(oracle, store, row) if store["item"][row] > 1 else np.inf)
        oracle.update(store, np.array([row]))
    tally = replay(events_of(LATE), live_of(model), None)
    assert len(set(wanted)) > 3
    assert [one.rank for one in tally.answers["known_items"]] == wanted
    assert any(np.isinf(wanted))  # new items, of which the live system knows more
    assert [one.rank for one in tally.answers["live"]] != wanted


def test_the_frozen_system_stays_as_it_was() -> None:
    frozen = champion(EARLY, WHOLE)
    before = tables(live_of(frozen))
    tally = replay(events_of(LATE), live_of(champion(EARLY, WHOLE)), frozen)
    for name, table in tables(live_of(frozen)).items():
        np.testing.assert_array_equal(table, before[name])
    report = tally.report(200, 0.95, 0)
    assert report["questions"] == LATE.height
    assert set(report["systems"]) == {"live", "frozen", "known_items"}
    live, cold, gain = report["systems"]["live"], report["systems"]["frozen"], report["gain"]["frozen"]
    for metric, found in gain.items():
        assert found["value"] == pytest.approx(live[metric]["value"] - cold[metric]["value"])
        assert found["low"] <= found["value"] <= found["high"]
    assert 0 < report["new_items"] < 1


def test_seen_items_are_left_out_where_the_model_was_judged_so() -> None:
    told = {"protocol": {"target_time": "given", "seen": "filtered"}}
    tally = replay(events_of(LATE), live_of(champion(EARLY, WHOLE, told)), None)
    kept = replay(events_of(LATE), live_of(champion(EARLY, WHOLE)), None)
    hidden = [one.rank for one in tally.answers["live"]]
    assert sum(np.isinf(hidden)) > sum(np.isinf([one.rank for one in kept.answers["live"]]))


def test_a_log_under_other_rules_is_refused_by_the_first_event() -> None:
    wrong = LATE.with_columns(action=pl.lit("fly"))
    with pytest.raises(DataError, match="action_unknown"):
        replay(events_of(wrong), live_of(champion(EARLY, WHOLE)), None)
    with pytest.raises(DataError, match="predict"):
        Tally().report(10, 0.95, 0)


def test_over_http_it_asks_first_and_sends_then() -> None:
    heard: list[tuple[str, dict]] = []

    def service(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        heard.append((request.url.path, body))
        if request.url.path == "/v1/predict":
            return httpx.Response(200, json={"items": [{"item_id": "other"}, {"item_id": "i1"}], "actions": None})
        return httpx.Response(200, json={"accepted": 1, "duplicates": 0, "refused": [], "offset": 1})

    client = httpx.Client(transport=httpx.MockTransport(service), base_url="http://service")
    some = LATE.filter(pl.col("item_id").is_in(["i1", "i2"])).head(20)
    tally = replay_http(events_of(some), "http://service", None, 5, client=client)
    wanted = [2.0 if item == "i1" else np.inf for item in some["item_id"]]
    assert [one.rank for one in tally.answers["live"]] == wanted
    assert [path for path, _ in heard[:2]] == ["/v1/predict", "/v1/events"]
    assert tally.report(10, 0.95, 0)["new_items"] is None  # the service does not say what its model knows
    assert heard[0][1]["time"] == heard[1][1]["events"][0]["timestamp"]

    down = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(503, text="busy")), base_url="http://s")
    with pytest.raises(ServiceError, match="503"):
        replay_http(events_of(some), "http://s", None, 5, client=down)


def test_what_a_service_knows_already_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.cli import replay as cli

    def told(lineage: dict, digest: str = "f" * 64) -> None:
        answer = {"champion": {"digest": digest, "lineage": lineage}}
        transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
        monkeypatch.setattr(
            "components.serving.prequential_http._client",
            lambda url, key: httpx.Client(transport=transport, base_url=url),
        )

    told({"until": "2025-06-01"})
    assert cli._of_service(tmp_path, "http://s") == dt.datetime(2025, 6, 1, tzinfo=dt.UTC)
    told({"live_offset": 3})
    assert cli._of_service(tmp_path, "http://s") is None
    folder = Workspace(tmp_path).artifact("e" * 64) / "histories"
    folder.mkdir(parents=True)
    np.save(folder / "column_time_s.npy", np.array([5, 86_400, 7]))
    told({}, "e" * 64)
    assert cli._of_service(tmp_path, "http://s") == dt.datetime(1970, 1, 2, tzinfo=dt.UTC)


def test_the_helper_of_this_test_packs_what_training_packed() -> None:
    model: Champion = champion(EARLY, WHOLE)
    again = frame_to_store(EARLY, None, None, WHOLE, "temporal")
    np.testing.assert_array_equal(again["item"], model.artifact.histories["item"])
