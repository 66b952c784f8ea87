"""What the service tells of the newest report: the same as was written, strictly checked, and never a broken one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bento.client import Client, Refused
from bento.guard.keys import Keys, new_key
from bento.schemas.evolution import EvolutionResponse, checked
from components.errors import IntegrityError
from components.files import write_json, write_text
from components.serving.evolved import Evolved
from tests.evolved import told
from tests.live import toy_app, toy_client
from tests.running import running


def reader(path: Path) -> Evolved:
    return Evolved(path, checked)


def test_what_was_written_is_told(tmp_path: Path) -> None:
    app = toy_app()
    assert app.worker is not None
    app.worker.evolved = reader(tmp_path / "summary.json")
    with running(app) as url, Client(url) as client:
        with pytest.raises(Refused, match="chronotope evolve") as found:
            client.evolution()
        assert found.value.status == 404
        write_json(tmp_path / "summary.json", told())
        assert client.evolution().model_dump(mode="json", by_alias=True) == json.loads(json.dumps(told()))
        write_json(tmp_path / "summary.json", told(number=3))
        assert client.evolution().number == 3


def test_a_service_without_reports_says_so() -> None:
    with toy_client() as client:
        assert client.get("/v1/evolution").status_code == 404


def test_it_needs_the_scope_to_read() -> None:
    reads, line = new_key("reader", ["read"])
    writes, other = new_key("writer", ["write"])
    with toy_client(keys=Keys(f"{line}\n{other}")) as client:
        assert client.get("/v1/evolution").status_code == 401
        status = {key: client.get("/v1/evolution", headers={"authorization": f"Bearer {key}"}).status_code
                  for key in (reads, writes)}  # fmt: skip
        assert status == {reads: 404, writes: 403}


def test_a_damaged_report_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    write_text(path, "{")
    with pytest.raises(IntegrityError, match="chronotope evolve"):
        reader(path).read()
    write_json(path, told())
    one = reader(path)
    before = one.read()
    write_json(path, told(surprise=1))
    assert one.read() == before
    write_json(path, told(number=9))
    assert json.loads(one.read() or b"")["number"] == 9
    path.unlink()
    assert json.loads(one.read() or b"")["number"] == 9


@pytest.mark.parametrize(
    "changed",
    [
        {"format": 2},
        {"number": "2"},
        {"users": ["u1"]},
        {"log": {"users": 1, "events": 1, "first": "2025-01-01"}},
        {"hot_spots": [{"cell": "88", "kind": "warm", "class": "new", "latitude": 0.0, "longitude": 0.0}]},
    ],
)
def test_what_is_no_summary_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="fault"):
        checked(json.dumps(told() | changed).encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_summary_or_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="fault"):
        checked(data)


def test_the_answer_is_the_schema_of_the_document() -> None:
    assert EvolutionResponse.model_validate_json(checked(json.dumps(told()).encode())).hot_spots[0].history == "new"
