"""A workspace whose every event came in live: collected, trained on, promoted; and a user who asks to be forgotten."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
import redis
import yaml

from components.events.load import load_frame
from components.features.store import Store
from components.files import read_json
from components.params import Params, load_params
from components.registry.lineage import in_model
from components.serving.intake import check
from components.serving.state.folder import FolderState
from components.serving.state.record import Record
from components.workspace import Workspace
from tests.e2e import story
from tests.redis_server import running

pytestmark = pytest.mark.timeout(900)
_DAYS = 40


def a_city(folder: Path) -> tuple[Params, list[dict[str, Any]]]:
    """A workspace of format `live`, and the simulated city's events as clients send them."""
    story.make_city(folder)
    record = yaml.safe_load((folder / "params.yaml").read_text())
    record["simulation"]["days"] = _DAYS
    story.set_params(folder, record)
    events = load_frame(load_params(folder / "params.yaml"), now=dt.datetime(2025, 6, 1, tzinfo=dt.UTC)).events
    components = record["memory"]["components"]
    record["memory"]["components"] = {k: components[k] for k in ("popularity", "user_frequency")}
    record["training"]["models"] = {"memory": record["training"]["models"]["memory"]}
    record["training"]["blend"] |= {"parts": ["memory"], "candidate": False}
    record["training"]["rankers"] = {}
    record["evaluation"]["baselines"] = ["popularity"]
    record["events"]["source"]["format"] = "live"
    story.set_params(folder, record)
    plain = events.drop("event_key", "source_seq").sample(fraction=1.0, shuffle=True, seed=1)
    sent = [
        {name: value for name, value in row.items() if value is not None} | {"timestamp": row["timestamp"].isoformat()}
        for row in plain.iter_rows(named=True)
    ]
    return load_params(folder / "params.yaml"), sent


def take(folder: Path, params: Params, sent: list[dict[str, Any]]) -> None:
    now = dt.datetime.now(dt.UTC)
    records = [check("event", raw, params.events, now) for raw in sent]
    state = FolderState(Workspace(folder).live, "process")
    state.append([one for one in records if isinstance(one, Record)])
    state.close()


def consume(folder: Path, sent: list[dict[str, Any]]) -> dict[str, Any]:
    """Send events to a Redis stream, and let `chronotope consume` take them."""
    with running() as server, redis.Redis.from_url(server.url) as client:
        for raw in [*sent, {"user_id": "nobody"}]:
            client.xadd("events", {"event": orjson.dumps(raw)})
        command = [str(story.BIN / "chronotope"), "consume", "--stream", "events", "--group", "g", "--drain", "--json"]
        environment = os.environ | {"CHRONOTOPE_STREAM": server.url}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return story.last_json(done.stdout)


def test_from_live_events_to_a_champion_and_without_a_user(tmp_path: Path) -> None:
    folder = tmp_path / "city"
    params, sent = a_city(folder)
    nothing = story.last_json(story.chronotope("collect", "--json", cwd=folder).stdout)
    assert nothing == {"live": False}
    assert not Workspace(folder).live.exists(), "looking makes no state"

    take(folder, params, sent[:-200])
    told = consume(folder, sent[-200:])
    assert told == {"taken": 200, "duplicates": 0, "dead": 1}
    first = story.last_json(story.chronotope("run", "--json", cwd=folder).stdout)
    assert first["collect"]["records"]["event"] == first["ingest"]["kept"] == len(sent)
    assert first["decision"]["promote"], first["decision"]
    record = read_json(Workspace(folder).artifact(first["entry"]["digest"]) / "lineage.json")
    assert (record["live_offset"], record["until"]) == (len(sent), None)
    assert in_model(0, len(sent), record)
    assert not in_model(0, len(sent) + 1, record)
    assert story.last_json(story.chronotope("run", "--json", cwd=folder).stdout) == {"changed": False}

    user = sent[0]["user_id"]
    assert user in _users(folder)
    state = FolderState(Workspace(folder).live, "process")
    state.forget(user)
    state.close()
    again = story.last_json(story.chronotope("run", "--json", cwd=folder).stdout)
    assert again["ingest"]["purged"] > 0
    assert user not in _users(folder)
    assert user not in set(pl.read_parquet(folder / "data" / "events", columns=["user_id"])["user_id"])


def _users(folder: Path) -> set[str]:
    """Users of the features."""
    return {str(one) for one in Store.load(Workspace(folder).features, verify=False).users}
