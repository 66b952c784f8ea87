"""`init` makes a workspace that fits the log it was shown, and never writes over one."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from components.params import Params, load_params
from flows.cli.app import app

ROWS = [
    (
        f"c{n % 7}",
        f"sku{n % 11}",
        ("browse", "buy", "return")[n % 3],
        f"2024-03-{1 + n // 12:02d}T{n % 12 + 8:02d}:00:00Z",
    )
    for n in range(240)
]
MAP = ["--map", "user_id=customer", "--map", "item_id=sku", "--map", "action=event", "--map", "timestamp=ts"]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "shop.csv"
    path.write_text("customer,sku,event,ts\n" + "".join(",".join(row) + "\n" for row in ROWS))
    return path


@pytest.fixture(scope="module")
def made(log: Path) -> Path:
    """The workspace that `init` makes beside the log; not to be changed."""
    with contextlib.chdir(log.parent):
        done = CliRunner().invoke(app, ["init", "Shop", "--source", "csv", "--path", "shop.csv", *MAP])
    assert done.exit_code == 0, done.output
    return log.parent / "Shop"


def test_params_hold_what_the_log_has(made: Path, log: Path) -> None:
    params = load_params(made / "params.yaml")
    assert isinstance(params, Params)
    assert params.workspace.name == "shop"
    assert sorted(params.events.actions) == ["browse", "buy", "return"]
    assert params.events.source.path == str(log), "the workspace is another folder"
    assert params.events.source.mapping["user_id"] == "customer"


def test_a_log_without_places_has_no_place_heads(made: Path) -> None:
    params = load_params(made / "params.yaml")
    networks = [model.network for model in params.training.models.values() if model.network is not None]
    assert networks
    for network in networks:
        assert "place" not in network.heads
        assert "cells" not in network.inputs
    assert not {"near", "user_near"} & {one.kind for one in params.memory.components.values()}


def test_the_workspace_is_whole(chronotope, made: Path) -> None:
    assert (made / ".dvc").is_dir()
    assert set(yaml.safe_load((made / "dvc.yaml").read_text())["stages"]) >= {"validate", "evaluate"}
    assert (made / "prefect.yaml").exists()
    assert ".chronotope/" in (made / ".gitignore").read_text().splitlines()
    assert chronotope("doctor", "--workspace", str(made)).code == 0


def test_an_existing_workspace_is_not_written_over(chronotope, made: Path) -> None:
    before = {path: path.read_bytes() for path in made.iterdir() if path.is_file()}
    left = chronotope("init", str(made), "--source", "city")
    assert left.code == 2
    assert "found params.yaml in" in left.err
    assert {path: path.read_bytes() for path in made.iterdir() if path.is_file()} == before


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--path", "shop.csv", "--map", "user_id"], 2, "'user_id'"),
        (["--path", "gone.csv", *MAP], 3, "gone.csv"),
        (["--path", "shop.csv", "--map", "user_id=nobody", *MAP[2:]], 3, "nobody"),
    ],
)
def test_what_cannot_be_made_leaves_no_folder(
    chronotope, log: Path, monkeypatch, arguments: list[str], code: int, told: str
) -> None:
    monkeypatch.chdir(log.parent)
    left = chronotope("init", "shop", *arguments)
    assert left.code == code, left.err
    assert told in left.err
    assert not (log.parent / "shop").exists()


def test_a_log_of_live_events_alone_needs_no_path(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["init", str(tmp_path / "shop"), "--source", "live"])
    assert done.exit_code == 0, done.output
    assert "chronotope consume" in done.output
    assert load_params(tmp_path / "shop" / "params.yaml").events.source.format == "live"
    assert "data/live/" in (tmp_path / "shop" / ".gitignore").read_text()
