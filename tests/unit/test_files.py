"""The one door to the disk: whole or not at all."""

from __future__ import annotations

import errno
import json
import multiprocessing
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from components import files
from components.errors import DataError, IntegrityError, StorageError, UnsafeFileError


def test_write_json_is_sorted_and_refuses_nan(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a.json", {"b": 1, "a": [1.5, None]})
    assert (tmp_path / "a.json").read_text().index('"a"') < (tmp_path / "a.json").read_text().index('"b"')
    with pytest.raises(ValueError, match="Out of range"):
        files.write_json(tmp_path / "a.json", {"a": float("nan")})
    assert files.read_json(tmp_path / "a.json") == {"b": 1, "a": [1.5, None]}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json"]


def test_read_json_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing there"):
        files.read_json(tmp_path / "none.json")
    (tmp_path / "torn.json").write_text('{"a": ')
    with pytest.raises(IntegrityError, match=r"torn\.json"):
        files.read_json(tmp_path / "torn.json")


def test_replace_folder_swaps_whole_folders(tmp_path: Path) -> None:
    place = tmp_path / "place"
    for content in ("one", "two"):
        with files.replace_folder(place) as out:
            (out / "x").write_text(content)
    assert (place / "x").read_text() == "two"
    assert [p.name for p in tmp_path.iterdir()] == ["place"]


def test_replace_folder_keeps_the_old_one_when_writing_fails(tmp_path: Path) -> None:
    place = tmp_path / "place"
    with files.replace_folder(place) as out:
        (out / "x").write_text("one")

    def half() -> None:
        with files.replace_folder(place) as out:
            (out / "x").write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        half()
    assert (place / "x").read_text() == "one"
    assert [p.name for p in tmp_path.iterdir()] == ["place"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_kill_before_the_rename_leaves_the_old_version(tmp_path: Path, kind: str) -> None:
    script = f"""
from pathlib import Path
from components import files
place = Path({str(tmp_path / "place")!r})
if {kind!r} == "file":
    files.write_text(place, "new")
else:
    with files.replace_folder(place) as out:
        (out / "x").write_text("new")
"""
    if kind == "file":
        files.write_text(tmp_path / "place", "old")
    else:
        with files.replace_folder(tmp_path / "place") as out:
            (out / "x").write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", script], env={"CHRONOTOPE_FAULT": "before-rename:place", "PYTHONPATH": "."}, check=False
    )
    assert done.returncode == -9
    path = tmp_path / "place" if kind == "file" else tmp_path / "place" / "x"
    assert path.read_text() == "old"


def _create(arguments: tuple[str, int]) -> bool:
    path, number = arguments
    return files.create_exclusive(Path(path), json.dumps(number).encode())


def test_exactly_one_racer_creates_a_file(tmp_path: Path) -> None:
    path = tmp_path / "000001.json"
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        won = pool.map(_create, [(str(path), number) for number in range(80)])
    assert sum(won) == 1
    assert json.loads(path.read_text()) == won.index(True)
    assert [p.name for p in tmp_path.iterdir()] == ["000001.json"]


def test_a_full_disk_is_one_clear_message_and_leaves_the_old_file(tmp_path: Path) -> None:
    script = f"""
import resource, signal
from pathlib import Path
from components import files
from components.errors import StorageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    files.write_bytes(Path({str(tmp_path / "a")!r}), b"x" * 5000)
except StorageError as error:
    assert "still stands" in str(error), error
    raise SystemExit(error.exit_code)
"""
    files.write_text(tmp_path / "a", "old")
    done = subprocess.run([sys.executable, "-c", script], env={"PYTHONPATH": "."}, check=False)
    assert done.returncode == StorageError.exit_code
    assert (tmp_path / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_links_are_refused_in_a_digest(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    assert list(files.sha256_tree(tmp_path)) == ["a"]
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(UnsafeFileError, match="symbolic link"):
        files.sha256_tree(tmp_path)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_file_written_aside_comes_to_its_place(
    elsewhere: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside, place = tmp_path / "aside" / "file", tmp_path / "data" / "file"

    def write(path: Path) -> None:
        path.write_bytes(b"new")

    files.write_aside(aside, write)
    files.write_bytes(place, b"old")
    real = Path.replace

    def replace(path: Path, target: Path) -> Path:
        if elsewhere and path == aside:
            raise OSError(errno.EXDEV, "another file system")
        return real(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    files.move_into(aside, place)
    assert place.read_bytes() == b"new"
    assert place.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in place.parent.iterdir()] == ["file"]
    files.flush_names(tmp_path / "nowhere")


@pytest.mark.parametrize("n", [0, 1, 3, 4, 6, 7])
def test_texts_have_the_digest_of_their_list(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_PIECE", 3)
    texts = ["a", 'b"', "ü,\\", "", "日本", "\n", "],["][:n]
    assert files.digest_of_texts(iter(texts)) == files.digest_of(texts)
