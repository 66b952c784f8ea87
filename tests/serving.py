"""A served champion without a workspace: a memory fitted on a toy log, behind the HTTP app."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from components.learners import build
from components.params import load_params
from components.predictor import NoTracker, Window
from components.registry.artifact import LoadedArtifact, Manifest
from components.registry.promotions import Entry
from components.serving.champion import Champion
from tests.toy import toy_store

ROOT = Path(__file__).resolve().parents[1]


def toy_champion(sequence: int = 1, seen: str = "kept") -> Champion:
    """The memory, fitted on habits of 30 users and 20 items."""
    params = load_params(ROOT / "params.yaml")
    store = toy_store(pattern="habit")
    memory = build("memory", params)
    memory.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    digest = f"{sequence:064x}"
    artifact = LoadedArtifact(
        folder=ROOT,
        manifest=Manifest(digest=digest, content=digest, sizes={}),
        name="memory",
        predictor=memory,
        encoding=store.encoding,
        histories=store,
        lineage={
            "git_sha": "abc",
            "params": "def",
            "windows": {"test": 1},
            "protocol": {"target_time": "given", "seen": seen},
        },
    )
    nothing = dict.fromkeys(("previous", "returns_to", "decision", "window", "dvc_lock", "params", "git_sha"))
    told = {"kind": "promote", "reason": "a test", "time": "2025-01-01T00:00:00+00:00", "chain": "0" * 64}
    entry = Entry.model_validate(
        {"sequence": sequence, "model": "memory", "digest": digest, "content": digest} | told | nothing
    )
    return Champion(entry, artifact)


class Holder:
    """Stands in for the watch of the promotion log."""

    def __init__(self, champion: Champion) -> None:
        self.champion = champion
        self.previous: Champion | None = None
        self.coming: Champion | None = None
        self.last_error: str | None = None
        self.prepare: Callable[[Champion], object] | None = None

    def start(self, on_swap: Callable[[], None] | None = None) -> None:
        """Nothing is followed."""

    def stop(self) -> None:
        """Nothing was followed."""
