"""The flow `evolve` with Prefect's own engine: takes new days, reports, and tells what changed since the last time."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import yaml

from components.files import read_json
from tests.e2e import story
from tests.unit.evolution.test_evolve import quick

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def test_a_report_each_time_there_is_something_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.testing.utilities import prefect_test_harness

    city = tmp_path / "city"
    story.make_city(city)
    params = yaml.safe_load((city / "params.yaml").read_text())
    params["evolve"] = quick()["evolve"]
    story.set_params(city, params)
    monkeypatch.chdir(city)
    from flows.evolve import evolve

    def run(until: str) -> dict:
        return dict(evolve(str(city), until=dt.date.fromisoformat(until), take=True))

    with prefect_test_harness(server_startup_timeout=180):
        first = run(story.FIRST)
        assert first["report"] == first["report"] | {"made": True, "number": 1, "since": None, "changed": []}
        again = run(story.FIRST)
        assert again["report"] == first["report"] | {"made": False}
        assert not any(stage["ran"] for stage in again["stages"])
        second = run(story.SECOND)
    report = second["report"]
    assert (report["made"], report["number"], report["since"]) == (True, 2, 1)
    told = [one["text"] for one in report["changed"]]
    assert told[0].startswith("The log grew from")
    assert any("the last report foresaw" in one for one in told)
    kept = city / "reports" / "evolutions"
    assert sorted(one.name for one in kept.iterdir()) == ["000001", "000002"]
    newest = read_json(city / "reports" / "evolution" / "summary.json")
    assert read_json(kept / "000002" / "summary.json") == newest
    assert "foresaw" in (city / "reports" / "evolution" / "index.html").read_text()


def test_the_deployment_is_the_flow() -> None:
    for name in ("prefect.yaml", "flows/templates/prefect.yaml"):
        told = yaml.safe_load((Path(__file__).resolve().parents[2] / name).read_text())["deployments"]
        one = next(one for one in told if one["name"] == "evolve")
        module, _, flow = one["entrypoint"].rpartition(".")
        found = getattr(__import__(module, fromlist=[flow]), flow)
        assert set(one["parameters"]) <= set(found.fn.__annotations__)
        assert one["schedules"][0]["active"]
