"""The record and the page: what they say is what was judged, and the page needs nothing but itself."""

from __future__ import annotations

import copy
import html.parser
import io
import json
import re

import numpy as np
import pytest
from rich.console import Console

from components.evaluation.report import render
from components.evaluation.report.charts import Axis, number
from components.evaluation.table import markdown, print_table
from components.evaluation.verdict import verdict
from tests.unit.evaluation.fixtures import PROMOTION, VALIDATION, fixed_record

SECTIONS = ("verdict", "comparison", "slices", "calibration", "coverage", "rules", "training", "heads", "protocol")


class Outline(html.parser.HTMLParser):
    """Ids of sections, headings in order, attributes that would load something, and pictures without a name."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sections: list[str] = []
        self.headings: list[str] = []
        self.loads: list[str] = []
        self.nameless = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "section":
            self.sections.append(found.get("id") or "")
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)
        if tag in {"script", "img", "iframe", "object"}:
            self.loads.append(tag)
        for name in ("src", "href"):
            link = found.get(name) or ""
            if link and not link.startswith(("#", "data:,")):
                self.loads.append(link)
        if tag == "svg" and found.get("role") == "img" and not found.get("aria-label"):
            self.nameless += 1


def test_the_page_has_its_sections_in_order_and_loads_nothing() -> None:
    page = render(fixed_record(), validation=VALIDATION, promotion=PROMOTION)
    outline = Outline(page)
    assert tuple(outline.sections) == SECTIONS
    assert outline.loads == []
    assert outline.nameless == 0
    assert outline.headings[0] == "h1"
    assert outline.headings.count("h1") == 1
    assert "http" not in page.replace("http-equiv", "")
    assert len(page.encode()) < 1_000_000
    assert page == render(fixed_record(), validation=VALIDATION, promotion=PROMOTION)


def test_the_page_says_what_was_judged() -> None:
    record = fixed_record()
    page = render(record, validation=VALIDATION)
    for row in record["models"]:
        assert str(row["model"]).replace("_", " ") in page
        assert number(row["metrics"]["ndcg@10"]["value"]) in page
    assert record["data"]["digest"] in page
    assert record["verdict"]["headline"] in page
    assert "1,210 in = 1,200 kept + 10 in quarantine" in page
    assert "time in future" in page
    assert "no user" not in page
    assert "Promoted" not in page
    assert "Promoted" in render(record, promotion=PROMOTION)


def test_names_from_the_data_cannot_change_the_page() -> None:
    record = copy.deepcopy(fixed_record())
    record["models"][0]["model"] = record["verdict"]["winner"] = "<script>alert(1)</script>"
    page = render(record)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_bare_record_still_makes_a_page() -> None:
    record = copy.deepcopy(fixed_record())
    record["models"] = [row for row in record["models"] if row["model"] == "shy_habits"]
    row = record["models"][0]
    row.pop("difference", None)
    row |= {"slices": {}, "gaps": [], "rules": None, "time": None, "place": None, "action": None, "curves": {}}
    row["calibration"] = {"item": {"ece": None, "bins": []}}
    row["metrics"] = {name: {"value": 0.5, "low": None, "high": None} for name in row["metrics"]}
    record["time_constant"] = None
    record["verdict"] = verdict(record)
    assert tuple(Outline(render(record)).sections) == SECTIONS


def test_the_verdict_is_what_the_intervals_say() -> None:
    record = copy.deepcopy(fixed_record())
    found = verdict(record)
    assert (found["winner"], found["baseline"], found["ahead"]) == ("habits", "slightly_personal", "yes")
    assert found["headline"] == "Habits predicts better than every simple baseline."
    first = next(row for row in record["models"] if row["model"] == "habits")
    for low, high, ahead, words in ((-0.01, 0.02, "unsure", "cannot be told apart"), (-0.2, -0.1, "no", "No model")):
        first["difference"] |= {"value": (low + high) / 2, "low": low, "high": high}
        first["ahead"] |= {"sure": ahead, "low": low, "high": high}
        found = verdict(record)
        assert found["ahead"] == ahead
        assert words in found["headline"]
    assert any("behind by 0.150" in sentence for sentence in found["sentences"])


def test_figures_of_the_record_are_those_of_its_parts() -> None:
    record = fixed_record()
    assert [row["kind"] for row in record["models"]].count("baseline") == 2
    json.dumps(record, allow_nan=False)
    row = next(one for one in record["models"] if one["model"] == "habits")
    for parts in row["slices"].values():
        assert sum(part["queries"] for part in parts) <= record["data"]["queries"]
    repeats = row["slices"]["choice"]
    whole = sum(part["value"] * part["queries"] for part in repeats) / sum(part["queries"] for part in repeats)
    assert whole == pytest.approx(row["metrics"]["ndcg@10"]["value"])
    assert row["time"]["mae_h"]["value"] > 0
    assert record["time_constant"]["inside_80"]["value"] == pytest.approx(0.8, abs=0.15)
    assert row["calibration"]["item"]["bins"][0]["said"] <= row["calibration"]["item"]["bins"][-1]["said"]


def test_the_table_states_its_rules() -> None:
    record, out = fixed_record(), io.StringIO()
    print_table(record, Console(file=out, width=160))
    for text in (out.getvalue(), markdown(record)):
        for word in ("target_time given", "history online", "seen kept", "unseen miss", "ties source", "popularity"):
            assert word in text
        assert record["data"]["digest"][:12] in text


@pytest.mark.parametrize("values", [[0.0], [0.31, 0.32], [-0.2, 0.001], [0.0, 1e-9], [5.0, 12_000.0], []])
def test_axes_hold_their_values_and_end_on_ticks(values: list[float]) -> None:
    axis = Axis.over(values)
    assert axis.low == axis.ticks[0]
    assert axis.high == axis.ticks[-1]
    assert 2 <= len(axis.ticks) <= 8
    assert all(-1e-6 <= axis.at(value) <= 100 + 1e-6 for value in values)
    assert np.ptp(np.diff(axis.ticks)) < 1e-6 * (axis.high - axis.low)


def test_the_page_shows_gaps_and_what_the_rules_cost() -> None:
    record = fixed_record()
    best = next(one for one in record["models"] if one["model"] == record["verdict"]["winner"])
    page = render(record)
    assert [one["dimension"] for one in best["gaps"]] == sorted(
        (one["dimension"] for one in best["gaps"]),
        key=lambda name: -next(g["value"] for g in best["gaps"] if g["dimension"] == name),
    )
    for gap in best["gaps"]:
        assert f"{gap['best']} before {gap['worst']}" in page
    assert "furthest apart" in " ".join(record["verdict"]["sentences"])
    figures = best["rules"]["figures"]
    assert figures["diversity"]["difference"]["low"] > 0
    assert figures["ndcg@10"]["difference"]["value"] <= 0
    for one in figures.values():
        assert number(one["after"]["value"]) in page
        assert one["difference"]["value"] == pytest.approx(one["after"]["value"] - one["before"]["value"])
    assert {one["name"] for one in best["rules"]["segments"]} <= {"new", "active", "returning"}
    assert all(one["rules"] is None for one in record["models"] if one["kind"] != "model")
    without = copy.deepcopy(record)
    for row in without["models"]:
        row |= {"rules": None, "gaps": []}
    assert "what is ranked is what is shown" in render(without)
