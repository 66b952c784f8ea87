"""kill -9 in training, at chosen and at random moments: the run goes on to the very same weights."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from components.files import sha256_tree
from components.training.checkpoint import Checkpoints
from components.training.network import NetworkPredictor
from tests.networks import GIVEN, fitted, predictor
from tests.toy import toy_store

LOOP = {"epochs": 2, "checkpoint_every_steps": 4, "tokens_per_batch": 100, "average": 0.9}  # a dozen steps an epoch


def _run(folder: str, out: str, point: str) -> None:
    """A training process of its own."""
    torch.set_num_threads(1)
    if point:
        os.environ["CHRONOTOPE_FAULT"] = point
    _train(Path(folder)).save(Path(out))


def _train(folder: Path | None) -> NetworkPredictor:
    one = predictor("transformer", GIVEN, loop=LOOP)
    one.checkpoints = folder
    return fitted(toy_store(), one)


@pytest.fixture(scope="module")
def server() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.fault.test_training_killed"])
    return context


@pytest.fixture(scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, _one_thread: None) -> dict[str, str]:
    """Digests of what a run that is left alone saves."""
    folder = tmp_path_factory.mktemp("expected") / "m"
    _train(None).save(folder)
    return sha256_tree(folder)


@pytest.mark.parametrize(
    ("point", "resumed"),
    [
        ("train-step:0", None),
        ("train-step:7", 4),
        ("train-step:9", 8),
        ("before-rename:000000008.safetensors", 4),
        ("before-rename:000000008.json", 4),
        ("checkpoint-between-files", None),
    ],
)
def test_killed_at_a_point(
    point: str,
    resumed: int | None,
    expected: dict[str, str],
    tmp_path: Path,
    server: multiprocessing.context.ForkServerContext,
) -> None:
    process = server.Process(target=_run, args=(str(tmp_path / "c"), str(tmp_path / "killed"), point))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not (tmp_path / "killed").exists()
    newest = Checkpoints(tmp_path / "c").newest()
    assert (newest.step if newest else None) == resumed
    _train(tmp_path / "c").save(tmp_path / "out")
    assert sha256_tree(tmp_path / "out") == expected


def test_killed_again_and_again(
    expected: dict[str, str], tmp_path: Path, server: multiprocessing.context.ForkServerContext
) -> None:
    rng, kills = random.Random(5), 0
    for _ in range(40):
        process = server.Process(target=_run, args=(str(tmp_path / "c"), str(tmp_path / "out"), ""))
        process.start()
        process.join(rng.uniform(0.05, 0.6))
        if process.is_alive():
            process.kill()
            kills += 1
        process.join()
        if (tmp_path / "out" / "config.json").exists():
            break
        time.sleep(0.01)
    else:
        _train(tmp_path / "c").save(tmp_path / "out")
    assert kills > 0
    assert sha256_tree(tmp_path / "out") == expected


@pytest.mark.parametrize("damage", ["flip-tensors", "flip-json", "truncate", "no-tensors", "empty-json"])
def test_a_damaged_checkpoint_is_passed_over(damage: str, expected: dict[str, str], tmp_path: Path) -> None:
    _train(tmp_path / "c")  # leaves its last two checkpoints
    newest, previous = sorted((tmp_path / "c").glob("*.json"), reverse=True)[:2]
    tensors = newest.with_suffix(".safetensors")
    if damage.startswith("flip"):
        path = tensors if damage == "flip-tensors" else newest
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "truncate":
        tensors.write_bytes(tensors.read_bytes()[:-100])
    elif damage == "no-tensors":
        tensors.unlink()
    else:
        newest.write_text("")
    found = Checkpoints(tmp_path / "c").newest()
    assert found is not None
    assert found.step == int(previous.stem)
    _train(tmp_path / "c").save(tmp_path / "out")
    assert sha256_tree(tmp_path / "out") == expected


def test_only_damaged_checkpoints_mean_a_fresh_start(expected: dict[str, str], tmp_path: Path) -> None:
    _train(tmp_path / "c")
    for path in (tmp_path / "c").iterdir():
        path.write_bytes(path.read_bytes()[:50])
    assert Checkpoints(tmp_path / "c").newest() is None
    _train(tmp_path / "c").save(tmp_path / "out")
    assert sha256_tree(tmp_path / "out") == expected
