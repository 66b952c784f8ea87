"""An artifact made by an enemy, with a MANIFEST that fits: refused before anything of it is deserialised."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from components.errors import IntegrityError, UnsafeFileError
from components.files import digest_of, read_json, sha256_file, write_json
from components.registry.artifact import ABOUT, load_artifact, verify
from components.workspace import Workspace
from tests.artifacts import Popular, pack


class Bomb:
    def __reduce__(self) -> tuple:
        return os.mkdir, (os.environ["BOMB"],)


def header(record: object, data: bytes = b"") -> bytes:
    text = json.dumps(record).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(shape: list[int], begin: int, end: int, dtype: str = "F32") -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def put(name: str, data: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    return write


def zipped(folder: Path) -> None:
    with zipfile.ZipFile(folder / "weights.safetensors", "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(Bomb()))


def objects(folder: Path) -> None:
    np.save(folder / "histories" / "users.npy", np.array([Bomb()], dtype=object), allow_pickle=True)


def pickled(folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes(pickle.dumps(Bomb()))


def old_pickle(folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes(pickle.dumps(Bomb(), protocol=0))


def seal(folder: Path) -> None:
    """Make the MANIFEST fit whatever lies there: an enemy can."""
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "MANIFEST"
    }
    record = read_json(folder / "MANIFEST")
    content = digest_of({name: one for name, one in files.items() if name not in ABOUT})
    write_json(folder / "MANIFEST", record | {"files": files, "content": content})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BOMB", str(tmp_path / "exploded"))
    return Workspace(tmp_path).artifact(pack(tmp_path).digest).rename(tmp_path / "poisoned")


POISONS: dict[str, Callable[[Path], None]] = {
    "a pickle called safetensors": pickled,
    "a pickle of protocol 0": old_pickle,
    "a torch archive": zipped,
    "objects in an array": objects,
    "a pickle of its own": put("extra.pkl", pickle.dumps({"a": 1})),
    "code": put("model.py", b"import os"),
    "a hidden file": put(".config.json", b"{}"),
    "a giant header": put("weights.safetensors", struct.pack("<Q", 1 << 60) + b"{}"),
    "a header beyond the file": put("weights.safetensors", struct.pack("<Q", 4096) + b"{}"),
    "a shape bomb": put("weights.safetensors", header({"count": tensor([1 << 40, 1 << 40], 0, 8)}, b"8" * 8)),
    "a negative shape": put("weights.safetensors", header({"count": tensor([-1, -2], 0, 8)}, b"8" * 8)),
    "overlapping tensors": put(
        "weights.safetensors", header({"a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}, b"8" * 12)
    ),
    "bytes that belong to no tensor": put("weights.safetensors", header({"a": tensor([2], 0, 8)}, b"8" * 64)),
    "objects as a dtype": put("weights.safetensors", header({"a": tensor([1], 0, 8, "OBJ")}, b"8" * 8)),
    "a repeated key": put("config.json", b'{"kind": "popular", "kind": "other"}'),
    "endless nesting": put("config.json", b"[" * 100_000),
    "a number that is none": put("config.json", b'{"kind": NaN}'),
    "no Parquet": put("vocabulary.parquet", b"PAR1 and nothing more"),
}


@pytest.mark.parametrize("name", POISONS)
def test_poison_is_refused_although_the_manifest_fits(folder: Path, name: str, tmp_path: Path) -> None:
    POISONS[name](folder)
    seal(folder)
    with pytest.raises(IntegrityError):
        verify(folder)
    with pytest.raises(IntegrityError):
        load_artifact(folder, load=Popular.load)
    assert not (tmp_path / "exploded").exists()


def test_links_and_pipes_are_refused(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(secret)
    seal(folder)
    with pytest.raises(UnsafeFileError, match="symbolic link"):
        verify(folder)
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")
    with pytest.raises(UnsafeFileError, match="pipe"):
        verify(folder)


def test_a_linked_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "histories").rename(tmp_path / "elsewhere")
    (folder / "histories").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeFileError, match="symbolic link"):
        verify(folder)
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(UnsafeFileError, match="plain folder"):
        verify(tmp_path / "link")


@pytest.mark.parametrize(
    "path",
    ["../secret.json", "/etc/hosts.json", "a/../../b.json", "a\\b.json", "a//b.json", "./a.json", "", "a\0.json"],
)
def test_paths_of_the_manifest_stay_inside(folder: Path, tmp_path: Path, path: str) -> None:
    record = read_json(folder / "MANIFEST")
    record["files"][path] = record["files"]["config.json"]
    write_json(folder / "MANIFEST", record)
    (folder.parent / "secret.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(UnsafeFileError, match="relative paths"):
        verify(folder)


def test_another_artifact_under_the_same_name_is_refused(tmp_path: Path) -> None:
    one, other = (Workspace(tmp_path).artifact(pack(tmp_path, shift=shift).digest) for shift in (0.0, 1.0))
    one.rename(tmp_path / "old")
    other.rename(one)
    with pytest.raises(IntegrityError, match=f"MANIFEST of digest {one.name}"):
        load_artifact(one, load=Popular.load)


def test_an_extra_file_is_refused(folder: Path) -> None:
    (folder / "more.json").write_text("{}")
    with pytest.raises(IntegrityError, match=r"extra: more\.json"):
        verify(folder)


@pytest.mark.parametrize(
    "record", [{}, [], {"format": "chronotope-artifact/1", "files": []}, {"format": "2", "files": {}}]
)
def test_a_manifest_of_another_kind_is_refused(folder: Path, record: object) -> None:
    write_json(folder / "MANIFEST", record)
    with pytest.raises(IntegrityError, match="MANIFEST"):
        verify(folder)


@pytest.mark.parametrize("kind", ["os:system", "builtins.eval", "../memory", None, 7, ["memory"]])
def test_a_config_names_a_kind_of_a_fixed_table_and_never_a_class(folder: Path, kind: object) -> None:
    write_json(folder / "config.json", {"kind": kind})
    seal(folder)
    with pytest.raises(IntegrityError, match="a kind among"):
        load_artifact(folder)
