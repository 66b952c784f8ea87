"""Pictures hold what their tables hold, as well-formed SVG without a script, and nothing of what is hidden."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import h3
import polars as pl
import pytest
from markupsafe import Markup

from components.evolution.report import map_pictures, pair_pictures, profile_pictures, stream_pictures

CELLS = [*h3.grid_disk(h3.latlng_to_cell(48.85, 2.35, 8), 1)]
HOSTILE = '<script>&"'


def read(picture: Markup) -> ElementTree.Element:
    """The picture as XML; it has no script and fetches nothing."""
    assert not re.search(r"<script|href|url\(|on\w+=", str(picture))
    return ElementTree.fromstring(f"<div>{picture}</div>")


def titles(picture: Markup) -> list[str]:
    return [one.text or "" for one in read(picture).iter("title")]


def numbers(picture: Markup) -> list[float]:
    return [float(one) for one in re.findall(r' (?:x|y|cx|cy|r|width|height)="([^"]+)"', str(picture))]


def points() -> pl.DataFrame:
    at = [h3.cell_to_latlng(one) for one in CELLS]
    return pl.DataFrame({"cell": CELLS, "latitude": [one[0] for one in at], "longitude": [one[1] for one in at]})


def test_a_map_in_time_has_a_panel_a_period_and_the_newest_six() -> None:
    periods = [f"2025-0{month}-01" for month in range(1, 9)]
    table = pl.concat([points().with_columns(start=pl.lit(one), z=pl.lit(2.5), state=pl.lit("hot")) for one in periods])
    picture = map_pictures.in_time(table)
    assert len(titles(picture)) == 6 * len(CELLS)
    assert "01 Feb 25" not in str(picture)
    assert "01 Aug 25" in str(picture)
    assert all(0 <= one <= 400 for one in numbers(picture))


def test_a_kilometre_is_as_long_both_ways() -> None:
    frame = map_pictures.Frame.around([60.0, 60.1], [10.0, 10.3], 0, 0, 300, 300)
    x, y = frame.at(60.05, 10.1)
    right, _ = frame.at(60.05, 10.1 + 0.02)  # twice a degree of latitude, as cos 60° is a half
    _, above = frame.at(60.06, 10.1)
    assert right - x == pytest.approx(y - above, rel=0.01)


def test_cells_areas_and_flows_stay_within_the_picture() -> None:
    cells = points().with_columns(kind=pl.lit("hot"), **{"class": pl.lit("new")})
    areas = points().drop("cell").with_columns(
        density=pl.Series(["any", "stated"] * 3 + ["any"]), radius_km=pl.lit(900.0), events=pl.lit(5),
        share=pl.lit(0.1), users=pl.lit(9),
    )  # fmt: skip
    flows = pl.DataFrame({"origin": CELLS[:3], "destination": CELLS[3:6], "steps": [9, 5, 2], "users": [8, 5, 2]})
    for picture in (map_pictures.cells(cells), map_pictures.areas(areas), map_pictures.flows(flows)):
        assert all(0 <= one <= 400 for one in numbers(picture))
    assert "9 steps of 8 users" in titles(map_pictures.flows(flows))[-1]
    assert len(titles(map_pictures.flows(flows.rename({"steps": "trips"})))) == 3


def test_a_stream_sums_to_all_and_hides_what_is_hidden() -> None:
    table = pl.DataFrame(
        {"by": ["all"] * 2 + ["category"] * 6, "value": ["all"] * 2 + ["a", "a", HOSTILE, HOSTILE, "other", "other"],
         "begin": ["2025-01-06T00:00:00", "2025-01-13T00:00:00"] * 4, "events": [10, 10, 5, 5, None, 5, 5, None]}
    )  # fmt: skip
    assert stream_pictures.has_stream(table)
    assert not stream_pictures.has_stream(table.filter(pl.col("by") == "all"))
    told = titles(stream_pictures.stream(table))
    assert told[0] == "a: 50% in the first week, 50% in the last"
    assert told[1].startswith(HOSTILE)
    assert 'class="hue-6' in str(stream_pictures.stream(table))  # all others have a colour of their own


def test_moves_are_as_wide_as_they_are_many() -> None:
    table = pl.DataFrame(
        {"from": ["new", "new", "active", "active"], "to": ["active", "churned", "active", "churned"],
         "moves": [30, 10, 60, None]}
    )  # fmt: skip
    picture = stream_pictures.life_flow(table)
    assert titles(picture) == [
        "new to active: 30 moves, 75% of those who were new",
        "new to churned: 10 moves, 25% of those who were new",
        "active to active: 60 moves, 100% of those who were active",
    ]
    tall = [float(one) for one in re.findall(r'<rect class="state-\w+"[^>]*height="([\d.]+)"', str(picture))]
    assert tall[1] == pytest.approx(60 / 40 * tall[0], rel=0.01)


def test_a_unit_that_is_not_told_is_a_dashed_hexagon() -> None:
    units = pl.DataFrame(
        {"unit": ["A1", "B1", "A2", "B2"], "column": [0, 1, 0, 1], "row": [0, 0, 1, 1], "users": [50, None, 0, 20],
         "share": [0.5, None, 0.0, 0.2], "what": [HOSTILE, None, None, "a very long name"],
         "what_share": [0.4, None, None, 0.3], "what_all": [0.1, None, None, 0.1],
         "when": ["weekday mornings", None, None, None], "when_share": [0.3, None, None, None],
         "when_all": [0.2, None, None, None]}
    )  # fmt: skip
    hours = pl.DataFrame({"unit": ["A1"] * 56, "share": [0.1, None] * 28})
    picture = profile_pictures.units({"profiles_units": units, "profiles_hours": hours})
    assert str(picture).count('class="hidden"') == 1
    assert any("more weekday mornings: 30% of what they do, of all 20%" in one for one in titles(picture))
    assert "a very lon…" in str(picture)
    assert read(profile_pictures.units({"profiles_units": units})) is not None


def test_pairs_stand_on_both_sides_of_the_diagonal() -> None:
    row = {"first": "view", "second": HOSTILE, "value": 0.4, "p": 0.01, "q": 0.02, "beyond_value": -0.1,
           "beyond_p": 0.3, "beyond_q": 0.4}  # fmt: skip
    picture = pair_pictures.beside(pl.DataFrame([row]))
    assert len(titles(picture)) == 2
    assert 'class="cell bold"' in str(picture)
    assert "−0.10" in str(picture)


def test_an_hour_of_too_few_is_empty() -> None:
    table = pl.DataFrame({"hour": range(24), "share": [None, 0.0, *[1 / 22] * 22]})
    assert len(titles(stream_pictures.hours(table))) == 22
