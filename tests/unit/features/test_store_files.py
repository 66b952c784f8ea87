"""A saved store is the bytes that were written, or a clear refusal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from components.errors import DataError, IntegrityError
from components.features.build import frame_to_store
from components.features.store import Store, StoreWriter
from tests.unit.features.sample import log, params


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    frame_to_store(log(), None, None, params(), "temporal").save(tmp_path / "store")
    return tmp_path / "store"


FILES = [
    "column_item.npy",
    "numbers.npy",
    "missing.npy",
    "offsets.npy",
    "users.parquet",
    "encoding/vocabulary.parquet",
    "encoding/encoding.json",
]


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(IntegrityError, match=rf"{name}.*Run the features stage again"):
        Store.load(folder)


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("name", FILES[:5])
def test_a_truncated_file(folder: Path, name: str, verify: bool) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: len(data) - 9])
    with pytest.raises(IntegrityError):
        Store.load(folder, verify=verify)


@pytest.mark.parametrize("verify", [True, False])
def test_a_missing_file_and_a_shorter_array(folder: Path, verify: bool) -> None:
    column = np.load(folder / "column_item.npy")
    np.save(folder / "column_item.npy", column[:-1])
    with pytest.raises(IntegrityError):
        Store.load(folder, verify=verify)
    (folder / "column_item.npy").unlink()
    with pytest.raises(IntegrityError, match="column_item"):
        Store.load(folder, verify=verify)


def test_a_foreign_file_and_a_broken_record(folder: Path) -> None:
    (folder / "extra.npy").write_bytes(b"x")
    with pytest.raises(IntegrityError, match="not recorded"):
        Store.load(folder)
    record = json.loads((folder / "store.json").read_text())
    del record["files"]
    (folder / "store.json").write_text(json.dumps(record))
    with pytest.raises(IntegrityError, match="files"):
        Store.load(folder)


def test_a_pickled_array_is_never_opened(folder: Path) -> None:
    np.save(folder / "column_item.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(IntegrityError):
        Store.load(folder, verify=False)


def test_no_store(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Run the stage"):
        Store.load(tmp_path)


def test_a_loaded_store_cannot_be_written_to(folder: Path) -> None:
    store = Store.load(folder)
    with pytest.raises(ValueError, match="read-only"):
        store["item"][0] = 1


def test_the_writer_refuses_another_type(tmp_path: Path) -> None:
    store = frame_to_store(log(), None, None, params(), "temporal")
    with StoreWriter(tmp_path, store.n_events, store.encoding) as writer, pytest.raises(TypeError, match="int32"):
        writer.put(0, {"item": np.zeros(3, np.int64)})


def test_names_of_users_survive(tmp_path: Path) -> None:
    frame = log(50, users=3)
    users = [{"user0": "naïve", "user1": "a" * 256, "user2": " 0"}[name] for name in frame["user_id"]]
    frame = frame.with_columns(user_id=np.array(users))
    whole = params(windows={"tune": "10%", "blend": "10%", "test": "10%"})
    frame_to_store(frame, None, None, whole, "temporal").save(tmp_path / "s")
    assert Store.load(tmp_path / "s").users.tolist() == sorted(set(users))
