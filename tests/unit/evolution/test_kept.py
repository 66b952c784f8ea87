"""Reports that are kept, and what the next one says has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from components.evolution.report.changed import changed
from components.evolution.report.kept import keep, kept, place_of
from components.files import write_json
from tests.unit.http.test_evolution import told


def report(home: Path, made_of: str, number: int) -> Path:
    home.mkdir(exist_ok=True)
    write_json(home / "summary.json", told(made_of=made_of, number=number))
    return home


def test_reports_are_numbered_and_the_same_one_keeps_its_number(tmp_path: Path) -> None:
    past = tmp_path / "kept"
    assert place_of(past, "a") == (1, None)
    keep(report(tmp_path / "one", "a", 1), past, 1, 10)
    assert place_of(past, "a") == (1, None)
    number, before = place_of(past, "b")
    assert number == 2
    assert before is not None
    assert before["made_of"] == "a"
    keep(report(tmp_path / "one", "b", 2), past, 2, 10)
    again, same = place_of(past, "b")
    assert (again, same) == (2, before)
    back, newer = place_of(past, "a")  # an older log again is a report of its own
    assert back == 3
    assert newer is not None
    assert newer["number"] == 2


def test_the_oldest_go_and_a_damaged_one_is_passed_over(tmp_path: Path) -> None:
    past = tmp_path / "kept"
    for number in range(1, 6):
        keep(report(tmp_path / "one", f"of {number}", number), past, number, 3)
    assert [number for number, _ in kept(past)] == [5, 4, 3]
    (past / "000005" / "summary.json").write_text("{")
    number, before = place_of(past, "new")
    assert number == 6
    assert before is not None
    assert before["number"] == 4


def sentences(before: dict[str, Any], now: dict[str, Any], days: list[tuple[str, int | None]]) -> str:
    frame = pl.DataFrame(
        [{"by": "all", "begin": day, "events": events} for day, events in days],
        schema={"by": pl.String, "begin": pl.String, "events": pl.Int64},
    )
    return "\n".join(one.text for one in changed(before, now, {"trends_counts_day": frame}, 0.05))


def test_a_forecast_is_held_against_what_came() -> None:
    text = sentences(told(), told(number=3), [("2025-03-01", 7), ("2025-03-02", 12)])
    assert "For 1 of the days since, the last report foresaw 10 events; there were 12. 1 of 1 lay" in text
    assert "0 of 1 lay" in sentences(told(), told(), [("2025-03-02", 13)])
    assert "foresaw" not in sentences(told(), told(), [("2025-03-02", None)])  # too few users to be told


def test_shares_that_moved_beyond_chance_are_told_and_others_not() -> None:
    def states(active: float, users: int) -> dict[str, Any]:
        return {"moment": "2025-03-01", "forecast": [], "now": [
            {"state": "active", "users": round(users * active), "share": active},
            {"state": "churned", "users": users - round(users * active), "share": 1 - active}]}  # fmt: skip

    text = sentences(told(states=states(0.5, 1000)), told(states=states(0.6, 1000)), [])
    assert "active went from 50% to 60%: +10.0 points (" in text
    for share, users in ((0.51, 1000), (0.6, 50)):
        text = sentences(told(states=states(0.5, users)), told(states=states(share, users)), [])
        assert "No share of a state of life changed beyond chance." in text


@pytest.mark.parametrize("share", [0.25, 0.6])
def test_interests_of_a_segment(share: float) -> None:
    now = told()
    one = {"category": "cafe", "share": share, "low": share - 0.1, "high": share + 0.1, "before": None}
    now["segments"] = [now["segments"][0] | {"interests": [one]}]
    assert ("cafe went from 20% to 60%" in sentences(told(), now, [])) == (share == 0.6)


def test_new_findings_alone_are_told() -> None:
    assert "are new" not in sentences(told(), told(number=3), [])
    spot = {"cell": "881fb46627fffff", "kind": "hot", "class": "intensifying", "latitude": 48.0, "longitude": 2.0}
    new = told(
        unusual=[*told()["unusual"], told()["unusual"][0] | {"first": "2025-02-20", "last": "2025-02-20"}],
        hot_spots=[spot],
        patterns=[told()["patterns"][0] | {"when": "Friday evening", "name": "Friday at the mall"}],
    )
    text = sentences(told(), new, [])
    assert "1 unusual spans of days are new: all events on 2025-02-20 (90, usually 30)." in text
    assert "1 cells became hot spots: 881fb46627fffff; 1 are none any more" in text
    assert "Friday at the mall" in text
