"""What an artifact holds, and what it answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.errors import ConfigError, IntegrityError
from components.features.store import WINDOWS
from components.files import read_json, write_json
from components.predictor import Queries, Scores
from components.registry.artifact import compose, load_artifact, recent, verify
from components.workspace import Workspace
from tests.artifacts import LINEAGE, Popular, pack, popular
from tests.toy import toy_store


def test_an_artifact_is_named_by_its_content_and_packing_twice_changes_nothing(tmp_path: Path) -> None:
    first = pack(tmp_path)
    again = pack(tmp_path)
    other = pack(tmp_path, shift=1.0)
    assert first == again
    assert other.digest != first.digest
    assert other.content != first.content
    artifacts = Workspace(tmp_path).artifacts
    assert sorted(path.name for path in artifacts.iterdir()) == sorted([first.digest, other.digest])
    assert {"weights.safetensors", "config.json", "vocabulary.parquet", "lineage.json", "card.md"} <= set(first.sizes)


def test_the_content_digest_does_not_see_lineage_or_card(tmp_path: Path) -> None:
    store = toy_store()
    popular(store).save(tmp_path / "m")
    made = [
        compose(tmp_path / "a", tmp_path / "m", store, name="popular", history=20, lineage={"run": run}, card=run)
        for run in ("one", "two")
    ]
    assert made[0].content == made[1].content
    assert made[0].digest != made[1].digest


def test_histories_are_the_last_events_and_all_after_training() -> None:
    store = toy_store()
    part = recent(store, 2)
    assert list(part.users) == list(store.users)
    later = np.asarray(store["window"]) > WINDOWS["train"]
    for u in range(store.n_users):
        rows = np.arange(store.offsets[u], store.offsets[u + 1])
        want = rows[later[rows] | (rows >= store.offsets[u + 1] - 2)]
        mine = slice(part.offsets[u], part.offsets[u + 1])
        assert np.array_equal(part["time_s"][mine], store["time_s"][want])
        assert np.array_equal(part["item"][mine], store["item"][want])


def test_a_loaded_artifact_is_as_judged_or_caught_up(tmp_path: Path) -> None:
    store = toy_store()
    folder = Workspace(tmp_path).artifact(pack(tmp_path).digest)
    judged = load_artifact(folder, catch_up=False, load=Popular.load)
    live = load_artifact(folder, load=Popular.load)
    assert isinstance(judged.predictor, Popular)
    assert isinstance(live.predictor, Popular)
    assert judged.predictor.count.sum() == np.sum(np.asarray(store["window"]) == WINDOWS["train"])
    assert live.predictor.count.sum() == store.n_events
    assert judged.name == "popular"
    assert np.array_equal(judged.encoding.vocabularies["item"].ids, store.encoding.vocabularies["item"].ids)


@pytest.mark.parametrize("name", ["weights.safetensors", "vocabulary.parquet", "histories/column_item.npy", "card.md"])
def test_one_flipped_bit_is_found(tmp_path: Path, name: str) -> None:
    made = pack(tmp_path)
    path = Workspace(tmp_path).artifact(made.digest) / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match=name):
        verify(path.parents[name.count("/")], made.digest)


def test_a_missing_file_and_another_manifest_are_found(tmp_path: Path) -> None:
    made = pack(tmp_path)
    folder = Workspace(tmp_path).artifact(made.digest)
    record = read_json(folder / "MANIFEST")
    (folder / "card.md").rename(tmp_path / "card.md")
    with pytest.raises(IntegrityError, match=r"missing: card\.md"):
        verify(folder, made.digest)
    del record["files"]["card.md"]
    write_json(folder / "MANIFEST", record)
    with pytest.raises(IntegrityError, match=made.digest):
        verify(folder, made.digest)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.5])
def test_answers_that_are_no_probabilities_are_refused(
    tmp_path: Path, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Workspace(tmp_path).artifact(pack(tmp_path).digest)

    def broken(self: Popular, queries: Queries) -> Scores:
        item = np.full((len(queries), len(self.count)), -np.log(len(self.count) - 2), np.float32)
        item[:, :2] = -np.inf
        item[0, 5] = value
        return Scores(item=item)

    monkeypatch.setattr(Popular, "score", broken)
    with pytest.raises(IntegrityError, match="probabilities"):
        load_artifact(folder, load=Popular.load)


def test_a_model_may_not_bring_files_of_ours(tmp_path: Path) -> None:
    store = toy_store()
    popular(store).save(tmp_path / "m")
    (tmp_path / "m" / "lineage.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"lineage\.json"):
        compose(tmp_path / "a", tmp_path / "m", store, name="popular", history=20, lineage=LINEAGE, card="")
    assert list((tmp_path / "a").iterdir()) == []
