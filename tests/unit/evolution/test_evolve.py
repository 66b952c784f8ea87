"""`chronotope evolve`: whole, the same twice, of nobody in particular, and also of a log without places."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import h3
import numpy as np
import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from components.errors import ChronotopeError
from components.events.simulator import catalogue
from components.evolution.log import Log
from components.evolution.report.guard import guarded
from components.evolution.space.report import space_report
from components.evolve import evolve
from components.features.build import build
from components.features.store import Store
from components.params import Params, parse_params
from components.workspace import Workspace
from flows.cli.app import app
from tests.city import SEED, clean_log, small_city
from tests.workspaces import small_params

LEAST = 12  # users: more than many cells of the small city have


def quick() -> dict[str, Any]:
    """The parameters of a small workspace, with few draws and shuffles."""
    record = small_params()
    asked = record["evolve"]
    for room in ("space", "interests", "habits"):
        asked[room] |= {"permutations": 99, "draws": 50}
    asked["space"] |= {"interaction_events": 500, "least_users": LEAST, "period_days": 7, "permutations": 999}
    asked["patterns"] |= {"permutations": 99, "least_users": LEAST}
    asked["profiles"] |= {"permutations": 99, "least_users": LEAST, "least_events": 2, "deals": 1, "rounds": 10}
    asked["trends"] |= {"permutations": 99, "origins": 2, "least_users": LEAST}
    for step in asked["trends"]["steps"].values():
        step |= {"horizon": 2, "methods": ["seasonal_naive", "seasonal_mean", "ar(1)"]}
    asked["lifecycle"] |= {"bootstrap": 50, "min_users": LEAST, "horizon": 7, "moments": 4, "fresh": 7}
    return record


def workspace(root: Path, events: pl.DataFrame, record: dict[str, Any]) -> Params:
    """Features of a log, made by the stage itself."""
    params, space, city = parse_params(record, "test"), Workspace(root), small_city()
    for folder in (space.validated, space.catalogue):
        folder.mkdir(parents=True)
    space.params.write_text(yaml.safe_dump(record))
    events.write_parquet(space.validated / "events.parquet")
    catalogue(city, SEED)[0].write_parquet(space.catalogue / "items.parquet")
    build(root, params)
    return params


@pytest.fixture(scope="module")
def events() -> pl.DataFrame:
    return clean_log(small_city())


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, events: pl.DataFrame) -> tuple[Path, Params]:
    root = tmp_path_factory.mktemp("city")
    params = workspace(root, events, quick())
    told = evolve(root, params)
    assert "index.html" in told
    assert "does not tell" not in told
    return root, params


def contents(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "reports" / "evolution").iterdir()}


def table(root: Path, name: str) -> pl.DataFrame:
    return pl.read_csv(root / "reports" / "evolution" / f"{name}.csv")


def test_every_picture_and_table_is_beside_the_page(city: tuple[Path, Params]) -> None:
    found = contents(city[0])
    page = found["index.html"].decode()
    linked = set(re.findall(r'href="([\w.]+\.csv)"', page))
    assert linked == {name for name in found if name.endswith(".csv")}
    assert page.count("<svg viewBox") == page.count("Data: <a") == 14 + ("patterns_hours.csv" in found)
    assert all(f'Data: <a href="{name}.csv"' in page for name in ("lifecycle_states", "trends_counts_day"))
    assert page.count("<small>") >= 15  # each sentence with its test and sample
    assert not re.search(r'(src|href)="(?!#|data:|[\w]+\.csv)', page)  # nothing is fetched
    assert set(json.loads(found["findings.json"])) == {
        "log",
        "lifecycle",
        "interests",
        "habits",
        "space",
        "trends",
        "anomalies",
        "patterns",
        "profiles",
    }


def test_the_same_log_gives_the_same_bytes_and_no_names(
    city: tuple[Path, Params], events: pl.DataFrame, tmp_path: Path
) -> None:
    root, params = city
    shutil.copytree(root / "data" / "features", tmp_path / "data" / "features")
    evolve(tmp_path, params)
    found = contents(root)
    assert contents(tmp_path) == found
    text = b"".join(found.values())
    assert str(root).encode() not in text
    assert not [user for user in events["user_id"].unique() if user.encode() in text]


def test_small_cells_are_absent(city: tuple[Path, Params], events: pl.DataFrame) -> None:
    root, params = city
    located = events.filter(pl.col("latitude").is_not_null()).with_columns(
        pl.struct("latitude", "longitude")
        .map_elements(
            lambda at: h3.latlng_to_cell(at["latitude"], at["longitude"], params.evolve.space.resolution), pl.String
        )
        .alias("cell")
    )
    users = dict(located.group_by("cell").agg(pl.col("user_id").n_unique()).iter_rows())
    assert min(users.values()) < LEAST  # there was something to hide
    shown = table(root, "space_cells")["cell"].to_list()
    assert min(users[cell] for cell in shown) >= LEAST
    least = sorted(users[cell] for cell in shown)[1]  # one cell has fewer
    asked = params.evolve.space.model_copy(update={"least_users": least})
    found = space_report(Log.of_store(Store.load(root / "data" / "features")), asked, params.workspace.seed)
    assert set(found["surface"]["hot_cells"]) == {cell for cell in shown if users[cell] >= least} < set(shown)
    assert all(area["users"] >= least for area in found["areas"]["largest"])
    for name in ("space_areas", "space_flows", "lifecycle_states", "lifecycle_transitions", "habits_cohorts"):
        path = root / "reports" / "evolution" / f"{name}.csv"
        if path.is_file():
            assert not ((table(root, name)["users"] > 0) & (table(root, name)["users"] < LEAST)).any(), name
    days = table(root, "trends_counts_day")
    told, log = days.filter(~pl.col("suppressed")), Log.of_store(Store.load(root / "data" / "features"))
    assert days["suppressed"].any()
    by_day = dict(zip(*np.unique(np.unique(np.stack([log.day, log.user]), axis=1)[0], return_counts=True), strict=True))
    epoch = np.datetime64("1970-01-01")
    for row in told.filter(pl.col("by") == "all").to_dicts():
        assert not 0 < by_day[int((np.datetime64(row["begin"]) - epoch).astype(int))] < LEAST
    alone = days.filter(pl.col("by") != "all").group_by("by", "begin").agg(pl.col("suppressed").sum())
    assert 1 not in alone["suppressed"].to_list()  # one alone would be told by the total
    assert (table(root, "interests_segments")["users"] >= params.evolve.interests.least_users).all()


def test_counts_of_a_few_are_not_told() -> None:
    params = parse_params(quick(), "test").evolve
    one = {"value": 0.5, "low": 0.4, "high": 0.6}
    found = guarded(
        {
            "lifecycle": {"notes": []},
            "habits": {
                "users": 50, "daily_rhythm": 3, "weekly_rhythm": 0,
                "predictability": {"users": 2, "most": one},
                "shifts": {"tested": 40, "below_5_percent": 11, "shifted": 12},
                "cohorts": [
                    {"month": "2025-01", "size": 11, "retention": [one]},
                    {"month": "2025-02", "size": 40, "retention": [one, one | {"value": 0.1}, one | {"value": 0.9}]},
                ],
            },
            "interests": {"missing": "too short"},
            "space": {"missing": "no places"},
        },
        params,
    )  # fmt: skip
    habits = found["habits"]
    assert (habits["daily_rhythm"], habits["weekly_rhythm"]) == (None, 0)
    assert "missing" in habits["predictability"]
    assert habits["shifts"] == {"tested": 40, "below_5_percent": None, "shifted": 12}
    assert habits["cohorts"] == [{"month": "2025-02", "size": 40, "retention": [one, None, None]}]
    assert found["space"] == {"missing": "no places"}


def test_a_small_reason_does_not_follow_from_the_number_of_strange_users() -> None:
    params = parse_params(quick(), "test").evolve
    least = params.anomalies.least_users
    reasons = [{"figure": name, "users": count} for name, count in zip("abc", (3 * least, least, 1), strict=True)]
    days = [{"day": "2025-01-06", "users": users, "events": 90} for users in (least - 1, least)]
    record = {"users": 500, "events": 900, "share": 0.1, "figures": [], "days": days}
    found = guarded({"anomalies": record | {"strange": 4 * least + 1, "reasons": reasons}}, params)["anomalies"]
    assert [one["users"] for one in found["reasons"]] == [3 * least, None, None]
    assert [one["users"] for one in found["days"]] == [least]
    assert guarded({"anomalies": record | {"strange": 0, "reasons": []}}, params)["anomalies"]["reasons"] == []


def test_a_log_without_places_is_told_without_space(tmp_path: Path, events: pl.DataFrame) -> None:
    nowhere = events.with_columns(pl.lit(None, pl.Float64).alias(name) for name in ("latitude", "longitude"))
    params = workspace(tmp_path, nowhere, quick())
    assert "does not tell of space" in evolve(tmp_path, params)
    found = contents(tmp_path)
    assert not [name for name in found if name.startswith("space_")]
    assert "habits_week.csv" in found
    assert "latitude" in json.loads(found["findings.json"])["space"]["missing"]
    assert "The log does not tell:" in found["index.html"].decode()


def test_a_log_of_some_days_says_what_it_cannot_tell(tmp_path: Path, events: pl.DataFrame) -> None:
    short = events.filter(pl.col("timestamp") < events["timestamp"].min() + np.timedelta64(4, "D"))
    params = workspace(tmp_path, short, quick() | {"windows": {"tune": "1d", "blend": "1d", "test": "1d"}})
    evolve(tmp_path, params)
    found = json.loads(contents(tmp_path)["findings.json"])
    assert "missing" in found["lifecycle"]
    assert "missing" in found["space"]


def test_the_command(city: tuple[Path, Params]) -> None:
    before = contents(city[0])
    done = CliRunner().invoke(app, ["evolve", "--workspace", str(city[0]), "--json"])
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert record["page"].endswith("reports/evolution/index.html")
    assert set(record["tables"]) == {name for name in before if name.endswith(".csv")}
    assert contents(city[0]) == before


def test_without_features_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(ChronotopeError, match="features"):
        evolve(tmp_path, parse_params(quick(), "test"))
