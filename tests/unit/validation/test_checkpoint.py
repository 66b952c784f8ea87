"""Great Expectations on the same records: it agrees with the columnar check, and its pages open without a network."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from components.errors import ValidationFailed
from components.events import validation
from components.events.data_docs import publish
from components.events.expectations import Outcome, run_checkpoint
from components.events.suite import broken
from components.events.validation import validate
from components.files import sha256_file
from components.stage import run_stage
from components.validate import main
from tests.unit.validation.snapshots import PARAMS, clean_events, params_with, write_days
from tests.unit.validation.test_rows import PLANTED, planted

#: Tags and attributes that make a browser fetch something when it opens a page.
FETCHING = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}


class Fetches(HTMLParser):
    """Collects what a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        if tag in FETCHING and dict(attrs).get(FETCHING[tag]):
            self.found.append(dict(attrs)[FETCHING[tag]])

    def handle_data(self, data) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> tuple[Path, dict[str, Outcome], dict[str, int], list]:
    """One failing validation with Great Expectations: a changed unit on the last day, and a row per rule."""
    root = tmp_path_factory.mktemp("workspace")
    events, day = clean_events(), clean_events()["timestamp"].dt.date()
    # Not a NaN, which is a missing value to pandas.
    for place, change in enumerate({**PLANTED, "longitude_in_range": {"longitude": 181.0}}.values()):
        changed = planted(events, change)[777]
        events = pl.concat([events[: place * 20], changed, events[place * 20 + 1 :]])
    last = day == day.max()
    events = events.with_columns(pl.when(last).then(pl.col("value") * 100).otherwise("value").alias("value"))
    seen: dict[str, Outcome] = {}
    counts: dict[str, int] = {}
    suites: list = []

    def spy(root, suite, tables, tolerated):
        seen.update(run_checkpoint(root, suite, tables, tolerated))
        counts.update({line.name: int(tables[line.table].select(broken(line).sum()).item()) for line in suite})
        suites.extend(suite)
        return seen

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "run_checkpoint", spy)
        with pytest.raises(ValidationFailed):
            validate(write_days(root, events, day), params_with())
    return root, seen, counts, suites


def test_both_engines_count_the_same(run) -> None:
    _, outcomes, counts, _ = run
    told_apart = {"event_key_unique"}  # only the later of two equal keys breaks it
    for name, outcome in outcomes.items():
        if name not in told_apart:
            assert outcome.unexpected == counts[name], name
    assert sum(count > 0 for count in counts.values()) > 20
    assert not outcomes["unit_of_value"].passed
    assert outcomes["unit_of_duration_s"].passed


def test_every_expectation_is_evaluated(run) -> None:
    _, outcomes, _, suite = run
    assert len(suite) == len({line.name for line in suite}) >= 15
    assert set(outcomes) == {line.name for line in suite}


def test_the_pages_fetch_nothing(run) -> None:
    docs = run[0] / "reports" / "data_docs"
    pages = sorted(docs.rglob("*.html"))
    assert len(pages) == 7  # an index; a result and a suite for each of three tables
    for page in pages:
        text = page.read_text()
        parser = Fetches()
        parser.feed(text)
        assert parser.found == [], page
        assert not re.search(r"url\(\s*['\"]?(https?:)?//", text), page
        assert "@import" not in text
        for target in re.findall(r'href="([^"#]+)"', text):
            if not target.startswith("http"):
                assert (page.parent / target).is_file(), (page, target)


def test_the_pages_say_what_was_found(run) -> None:
    docs = run[0] / "reports" / "data_docs"
    index = (docs / "index.html").read_text()
    assert "<td>failed</td>" in index
    parser = Fetches()
    parser.feed(next(docs.glob("*/result_days.html")).read_text())
    words = " ".join(" ".join(parser.text).split())
    assert "unit_value" in words
    assert "Failed" in words
    assert "100.0" in words


def test_only_the_newest_runs_are_kept(tmp_path, monkeypatch) -> None:
    import datetime as dt

    monkeypatch.setattr("components.events.data_docs._KEPT_RUNS", 2)
    site = tmp_path / "site"
    (site / "validations" / "days" / "x").mkdir(parents=True)
    (site / "validations" / "days" / "x" / "a.html").write_text("<html><head></head>Status:</span> Passed</html>")
    for day in (1, 2, 3):
        publish(site, tmp_path / "docs", dt.datetime(2025, 1, day, tzinfo=dt.UTC))
    kept = sorted(one.name[:8] for one in (tmp_path / "docs").iterdir() if one.is_dir())
    assert kept == ["20250102", "20250103"]
    assert (tmp_path / "docs" / "index.html").read_text().count("<td>passed</td>") == 2


def test_a_disagreement_of_the_engines_stops_the_batch(tmp_path, monkeypatch) -> None:
    def contrary(root, suite, tables, tolerated):
        return {line.name: Outcome(line.name != "rows_kept", 0) for line in suite}

    monkeypatch.setattr(validation, "run_checkpoint", contrary)
    with pytest.raises(ValidationFailed, match="columnar check"):
        validate(write_days(tmp_path, clean_events()), params_with())


OUTPUTS = ("data/validated/events.parquet", "data/validated/quarantine.parquet", "reports/validation.json")


def workspace(root: Path, events: pl.DataFrame) -> Path:
    write_days(root, events)
    (root / "params.yaml").write_text(PARAMS.read_text())
    return root


def test_two_processes_give_equal_bytes(tmp_path) -> None:
    here = workspace(tmp_path / "here", clean_events())
    validate(here, params_with())
    there = workspace(tmp_path / "there", clean_events())
    command = [sys.executable, "-m", "components.validate", "--workspace", str(there)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PARAMS.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert "rows in 2,400 = kept 2,400 + quarantined 0" in done.stdout
    assert [sha256_file(here / file) for file in OUTPUTS] == [sha256_file(there / file) for file in OUTPUTS]
    kept = pl.read_parquet(there / OUTPUTS[0])
    assert kept.drop("flags").equals(clean_events())
    assert kept.schema["flags"] == pl.Int8


def leave(root: Path) -> int:
    with pytest.raises(SystemExit) as left:
        run_stage(main, name="validate", description="", argv=["--workspace", str(root)])
    return left.value.code


def test_a_bad_batch_is_one_message_and_leaves_the_last_good_one(tmp_path, quick, capsys) -> None:
    root = workspace(tmp_path, clean_events())
    assert leave(root) == 0
    before = sha256_file(root / OUTPUTS[0])
    capsys.readouterr()
    workspace(
        root, clean_events().with_columns(pl.lit("like").alias("action")).tail(60).vstack(clean_events().head(2340))
    )
    assert leave(root) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("Needed a share of `view` within 0.15 of the earlier days'; found 0.0% against")
    assert "user_id" in shown.err
    assert "data_docs/index.html" in shown.err
    assert sha256_file(root / OUTPUTS[0]) == before


def test_unusable_columns_are_one_message(tmp_path, capsys) -> None:
    root = workspace(tmp_path, clean_events(days=2))
    for file in (root / "data" / "events").iterdir():
        pl.read_parquet(file, hive_partitioning=False).rename({"action": "activity"}).write_parquet(file)
    assert leave(root) == 3
    assert "was it renamed to `activity`?" in capsys.readouterr().err
