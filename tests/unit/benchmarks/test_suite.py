"""The suite runs what is not stored, as its commands say, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import suite as module
from benchmarks.suite import Section, Suite, Table, main, steps


def table(name: str, **changes: object) -> Table:
    given = {
        "name": name,
        "kind": "fields",
        "title": name,
        "result": f"{name}.json",
        "command": ["python -m benchmarks.losses"],
    }
    return Table.model_validate(given | changes)


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """`old` is stored; `twin` shows the same as `new`; `far` needs data; `hand` is run by people."""
    found = (
        table("old"),
        table("new"),
        table("twin", result="new.json"),
        table("far", command=["chronotope benchmark --source csv --path DATA/log.csv"], needs="log.csv"),
        table("hand", by_hand=True),
    )
    (tmp_path / "old.json").write_text("{}")
    suite = Suite(intro="", sources={}, sections=(Section(title="A", tables=found),))
    monkeypatch.setattr(module, "load_suite", lambda: suite)
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    return suite


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(module, "run", lambda table, data: found.append(table.name))
    return found


def test_what_is_stored_is_not_run(
    tables: Suite, done: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    main([])
    assert done == ["new"]
    assert "far: left out; name the folder" in capsys.readouterr().out
    main(["--data", str(tmp_path / "data")])
    assert done == ["new", "new"]
    told = capsys.readouterr().out
    assert "far: left out; there is no log.csv" in told
    assert "hand: run by hand: python -m benchmarks.losses" in told
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "log.csv").touch()
    main(["--data", str(tmp_path / "data"), "far"])
    assert done == ["new", "new", "far"]


def test_what_is_named_again_is_run_again(tables: Suite, done: list[str]) -> None:
    main(["old"])
    assert done == []
    main(["--again", "old"])
    assert done == ["old"]
    with pytest.raises(SystemExit):
        main(["--again"])
    with pytest.raises(SystemExit, match="no table nobody"):
        main(["nobody"])


def test_a_list_runs_nothing(tables: Suite, done: list[str], capsys: pytest.CaptureFixture) -> None:
    main(["--list"])
    assert done == []
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in told] == [
        ["old", "stored"], ["new", "missing"], ["twin", "missing"], ["far", "missing"], ["hand", "missing"],
    ]  # fmt: skip


def test_a_command_runs_as_it_stands_but_for_the_data(tmp_path: Path) -> None:
    one = table(
        "one",
        command=[
            "OMP_NUM_THREADS=1 chronotope benchmark --source csv --path DATA/a.csv",
            "python -m benchmarks.keep shop",
        ],
    )
    (first, environment), (second, nothing) = steps(one, tmp_path)
    assert first == [sys.executable, "-m", "components.benchmark", "--source", "csv", "--path", f"{tmp_path}/a.csv"]
    assert environment == {"OMP_NUM_THREADS": "1"}
    assert second == [sys.executable, "-m", "benchmarks.keep", "shop", "--json", "benchmarks/results/one.json"]
    assert nothing == {}


def test_a_command_that_fails_is_told(tmp_path: Path) -> None:
    module.run(table("fine", command=["python -c 'import benchmarks.suite'"]), tmp_path)
    with pytest.raises(module.subprocess.CalledProcessError):
        module.run(table("broken", command=["python -c 'raise SystemExit(3)'"]), tmp_path)
