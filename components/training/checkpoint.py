"""Checkpoints: everything a run needs to go on after a kill, as tensors and JSON, believed only after its digest.

A checkpoint is two files, `<step>.safetensors` and then `<step>.json`, each written atomically; the JSON holds the
digest of the tensors and one of itself. A torn or flipped one is passed over for the one before. There is no random
state in it: every step draws from a seed of its own. Never a pickle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from components.errors import ChronotopeError
from components.files import digest_of, fault, read_json, sha256_file, write_json
from components.models.weights import load_tensors, save_tensors

_KEEP = 2


@dataclass(frozen=True)
class Checkpoint:
    """State of a run between two steps.

    Attributes
    ----------
    step : steps done
    tensors : weights, best weights and optimiser state, by name
    record : JSON record of the position, the curves and the early stopping
    """

    step: int
    tensors: Mapping[str, Tensor]
    record: Mapping[str, Any]


class Checkpoints:
    """The checkpoints of one run, in a folder of its own.

    Parameters
    ----------
    folder : made when the first one is written
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, and let go of all but the newest two."""
        name = f"{checkpoint.step:09d}"
        tensors = self.folder / f"{name}.safetensors"
        save_tensors(tensors, checkpoint.tensors)
        fault("checkpoint-between-files")
        record = {"step": checkpoint.step, "sha256": sha256_file(tensors), "record": dict(checkpoint.record)}
        write_json(self.folder / f"{name}.json", {**record, "digest": digest_of(record)})
        for stale in sorted(self.folder.glob("*.json"))[:-_KEEP]:
            stale.unlink(missing_ok=True)
            stale.with_suffix(".safetensors").unlink(missing_ok=True)

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole; None where there is none."""
        for path in sorted(self.folder.glob("*.json"), reverse=True):
            found = _read(path)
            if found is not None:
                return found
        return None


def _read(path: Path) -> Checkpoint | None:
    """A checkpoint, or None where a byte of it is not what was written."""
    tensors = path.with_suffix(".safetensors")
    try:
        found = read_json(path)
        record = {key: found[key] for key in ("step", "sha256", "record")}
        if found["digest"] != digest_of(record) or sha256_file(tensors) != record["sha256"]:
            return None
        return Checkpoint(record["step"], load_tensors(tensors), record["record"])
    except (ChronotopeError, OSError, KeyError, TypeError):
        return None
