"""What is of one user fewer than may be shown is in nothing that `chronotope evolve` writes: table, sentence, picture.

The few are planted where they are alone: in time, in space, in what they do and in what state they are.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import h3
import numpy as np
import polars as pl
import pytest
import yaml

from components.events.simulator import catalogue
from components.evolution.suppression import suppress
from components.evolve import evolve
from components.features.build import build
from components.params import parse_params
from components.workspace import Workspace
from tests.city import SEED, clean_log, small_city
from tests.unit.evolution.test_evolve import LEAST, quick

FEW = LEAST - 1
AT = (43.3, 5.4)  # degrees, 600 km from the city
ALONE = [dt.date(2025, 1, 6) + dt.timedelta(days=day) for day in range(50)]  # until a week before the city begins


def few(events: pl.DataFrame) -> pl.DataFrame:
    """Events of a few users: alone at first, at a place of their own, of a category and an action of their own."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "user_id": f"few-{user}",
            "item_id": f"few-item-{int(rng.integers(3))}",
            "timestamp": dt.datetime.combine(day, dt.time(int(rng.integers(6, 22)), int(rng.integers(60))), dt.UTC),
            "action": "few-action",
            "latitude": AT[0] + 0.01 * float(rng.standard_normal()),
            "longitude": AT[1] + 0.01 * float(rng.standard_normal()),
        }
        for user in range(FEW)
        for day in [*ALONE, *(dt.date(2025, 3, 5) + dt.timedelta(days=more) for more in range(0, 30, 3))]
    ]
    planted = pl.DataFrame(rows).cast({"timestamp": events.schema["timestamp"]})
    return pl.concat([events.clear(), planted], how="diagonal").with_columns(
        source_seq=pl.int_range(10**6, 10**6 + len(rows), dtype=events.schema["source_seq"])
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """reports/evolution of a city in which a few live apart."""
    root, events = tmp_path_factory.mktemp("few"), clean_log(small_city())
    record = quick()
    record["events"]["actions"] = [*record["events"]["actions"], "few-action"]
    record["evolve"]["interests"] |= {"least_users": LEAST}
    record["evolve"]["anomalies"] |= {"least_users": LEAST}
    params, space = parse_params(record, "test"), Workspace(root)
    for folder in (space.validated, space.catalogue):
        folder.mkdir(parents=True)
    space.params.write_text(yaml.safe_dump(record))
    pl.concat([events, few(events)]).sort("user_id", "timestamp", "source_seq").write_parquet(
        space.validated / "events.parquet"
    )
    items = catalogue(small_city(), SEED)[0]
    theirs = pl.DataFrame(
        {"item_id": [f"few-item-{one}" for one in range(3)], "category": ["few-category"] * 3}
    ).with_columns(latitude=pl.lit(AT[0]), longitude=pl.lit(AT[1]))
    pl.concat([items, theirs], how="diagonal").write_parquet(space.catalogue / "items.parquet")
    build(root, params)
    evolve(root, params)
    return root / "reports" / "evolution"


def tables(folder: Path) -> dict[str, pl.DataFrame]:
    return {path.stem: pl.read_csv(path, infer_schema_length=None) for path in sorted(folder.glob("*.csv"))}


def test_nothing_names_them_or_their_place(written: Path) -> None:
    cells = {h3.latlng_to_cell(*AT, resolution) for resolution in range(3, 11)}
    around = {one for cell in cells for one in h3.grid_disk(cell, 3)}
    for path in written.iterdir():
        text = path.read_text()
        assert "few-" not in text, path.name
        assert not {one for one in around if one in text}, path.name
        assert not re.search(r"\b43\.[1-5]\d°", text), path.name
    for name, table in tables(written).items():
        if "latitude" in table.columns:
            assert table["latitude"].min() > AT[0] + 1, name  # type: ignore[operator]


def test_no_count_of_users_is_of_a_few(written: Path) -> None:
    found = tables(written)
    counted = {name: table["users"] for name, table in found.items() if "users" in table.columns}
    assert len(counted) >= 8
    for name, users in counted.items():
        assert not ((users > 0) & (users < LEAST)).any(), name

    def walk(value: Any, where: str) -> None:
        if isinstance(value, dict):
            for key, one in value.items():
                walk(one, f"{where}.{key}")
        elif isinstance(value, list):
            for one in value:
                walk(one, where)
        elif where.endswith((".users", ".users_before", ".users_after", "cohorts.size")):
            assert not (value is not None and 0 < value < LEAST), where

    walk(json.loads((written / "findings.json").read_text()), "")


def test_the_days_on_which_they_are_alone_are_blank(written: Path) -> None:
    found, page = tables(written), (written / "index.html").read_text()
    months = {f"{day:%Y-%m}" for day in ALONE if day.month == 1}
    for step in ("day", "hour", "week"):
        counts = found[f"trends_counts_{step}"]
        alone = counts.filter(
            pl.col("begin").str.slice(0, 10).is_between(pl.lit(str(ALONE[0])), pl.lit(str(ALONE[-8])))
        )
        assert not (alone["events"].fill_null(0) > 0).any(), step
        assert step == "hour" or alone.height
    for day in ALONE:
        assert not re.search(rf"{day}: \d", page)
    for name in ("interests_popularity", "interests_breadth"):
        assert not found[name]["start"].str.slice(0, 7).is_in(list(months)).any(), name
    assert not found["habits_cohorts"]["cohort"].str.slice(0, 7).is_in(list(months)).any()
    unusual = found.get("trends_unusual")
    assert unusual is None or unusual["first"].min() > str(ALONE[-1])  # type: ignore[operator]
    assert "events a day, on the first" not in page
    states = found["lifecycle_states"].filter(pl.col("moment") <= str(ALONE[-1]))
    assert states.filter(pl.col("users") > 0).is_empty()


def test_what_is_blank_cannot_be_reckoned_from_a_total() -> None:
    table = pl.DataFrame({"of": ["a"] * 3, "users": [3, 20, 40], "events": [5, 50, 90]})
    assert suppress(table, "users", ["events"], LEAST, ["of"])["events"].to_list() == [None, None, 90]
