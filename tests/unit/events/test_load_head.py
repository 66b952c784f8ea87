"""Reading only the head of a log."""

from __future__ import annotations

from pathlib import Path

from components.events.load import load_frame, with_source
from components.params import parse_params
from components.presets import preset


def test_only_whole_chunks_up_to_the_wanted_rows(tmp_path: Path) -> None:
    lines = ["user_id,item_id,action,timestamp"] + [
        f"u{i},i{i % 7},view,2025-01-01T00:00:{i % 60:02d}Z" for i in range(50)
    ]
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    params = with_source(parse_params(preset("csv"), "here"), "csv", tmp_path / "a.csv")
    whole = load_frame(params, tmp_path / "a.csv", tmp_path / "b.csv")
    assert whole.rows_in == 100
    assert whole.duplicates == 50
    assert load_frame(params, tmp_path / "a.csv", rows=1).rows_in == 50  # a chunk is never cut
