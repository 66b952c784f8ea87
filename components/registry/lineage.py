"""Lineage: what a model was made from, so that it can be made again.

The record holds no clock and no machine name: the same inputs give the same record, but for the run's id.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import components
from components.errors import IntegrityError
from components.evaluation.protocol import Protocol
from components.features.store import WINDOWS, Store
from components.files import digest_of, sha256_file
from components.workspace import Workspace, data_digest, environment, git_sha, params_digest


def windows_of(store: Store) -> dict[str, dict[str, int]]:
    """Window → first and last second (UTC, inclusive), events and targets; empty windows are left out."""
    code, time_s = np.asarray(store["window"]), np.asarray(store["time_s"])
    target = np.asarray(store["target"])
    found = {}
    for name, value in WINDOWS.items():
        rows = np.flatnonzero(code == value)
        if len(rows):
            found[name] = {
                "start_s": int(time_s[rows].min()),
                "stop_s": int(time_s[rows].max()),
                "events": len(rows),
                "targets": int(target[rows].sum()),
            }
    return found


def window_record(store: Store, name: str) -> dict[str, Any]:
    """What identifies a window: its span, its size, and a digest of who did something in it, and when.

    Codes are left out, since they depend on how the model was trained.
    """
    rows = np.flatnonzero(np.asarray(store["window"]) == WINDOWS[name])
    users = [str(one) for one in store.users[np.unique(store.user[rows])]]
    events = {"users": users, "time_s": np.asarray(store["time_s"])[rows].tolist()}
    return {**windows_of(store)[name], "name": name, "users": len(users), "digest": digest_of(events)}


def dvc_record(root: Path) -> dict[str, dict[str, str]]:
    """Stage → path → md5 of its outputs, from dvc.lock; empty where there is none."""
    path = Workspace(root).dvc_lock
    if not path.is_file():
        return {}
    try:
        record = yaml.safe_load(path.read_text()) or {}
        return {
            str(stage): {str(out["path"]): str(out.get("md5", "")) for out in entry.get("outs", ())}
            for stage, entry in record.get("stages", {}).items()
        }
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise IntegrityError(f"DVC's lock in {path}", found=str(error)[:200], do="Bring it back from git.") from error


def kept_text(path: Path) -> dict[str, str] | None:
    """Text and digest of a small file, as the promotion log keeps it; None where there is none."""
    return {"sha256": sha256_file(path), "text": path.read_text()} if path.is_file() else None


def lineage(root: Path, store: Store, run_id: str | None) -> Mapping[str, Any]:
    """Where the models of a workspace come from.

    Parameters
    ----------
    root : the workspace
    store : the log that they were trained on
    run_id : of the training in MLflow, where it was logged

    Returns
    -------
    mapping
        `git_sha` of the workspace and `code` of the program (both None without git), `dvc` (stage → outputs' md5)
        and `dvc_lock` (digest), `params`, `data`, `environment` (digests), `packages`, `windows`, `run_id`. The
        artifact adds `model` and `content`, the digest of what answers queries. `protocol` is how it was judged,
        which the service keeps to (target_time, history, seen, unseen, ties).
    """
    installed = environment()
    lock = Workspace(root).dvc_lock
    return {
        "git_sha": git_sha(root),
        "code": git_sha(Path(components.__file__).parent),
        "dvc": dvc_record(root),
        "dvc_lock": sha256_file(lock) if lock.is_file() else None,
        "params": params_digest(root),
        "protocol": Protocol.of(Workspace(root).load_params().evaluation).record(),
        "data": data_digest(root),
        "windows": windows_of(store),
        "run_id": run_id,
        "environment": digest_of(installed),
        "packages": installed,
    }
