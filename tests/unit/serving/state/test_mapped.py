"""A process lets go of the pages of the log that it has read; what they hold is there as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.serving.state import folder, mapped
from components.serving.state.folder import FolderState
from tests.livestate import record


def resident_kb(path: Path) -> int:
    """What this process has mapped of a file, by the kernel's account."""
    found, ours = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ", 1)[0]:
            ours = line.endswith(str(path))
        elif ours and line.startswith("Rss:"):
            found += int(line.split()[1])
    return found


def test_what_was_read_is_let_go_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = FolderState(tmp_path / "live", "process")
    path = (tmp_path / "live" / "data.mdb").resolve()
    for start in range(0, 4_000, 500):
        state.append([record(f"e{n}", f"u{n % 7}", n, note="x" * 200) for n in range(start, start + 500)])
    known = state.after(0, 4_000)
    read = resident_kb(path)
    assert read > 1_000
    assert mapped.let_go(path) == 1
    assert resident_kb(path) < read / 10
    assert state.after(0, 4_000) == known
    monkeypatch.setattr(folder, "_READ", 1_000)
    read = resident_kb(path)
    state.append([record("one more")])
    assert resident_kb(path) < read / 2
    state.close()


def test_a_file_that_nobody_has_mapped(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a" * 10_000)
    assert mapped.let_go(tmp_path / "file") == mapped.let_go(tmp_path / "none") == 0
