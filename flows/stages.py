"""The stages of dvc.yaml, run in this process: one start-up instead of one per stage.

DVC alone decides what is stale and keeps what was made; `dvc repro` gives the same bytes. Nothing here knows
what a stage computes, and nothing here imports prefect.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from components.code import code_digests
from components.errors import BusyError, ChronotopeError, ConfigError
from components.files import read_json, sha256_file, write_json

logger = logging.getLogger(__name__)


class StageError(ChronotopeError):
    """A stage's own process ended with an error, which it has printed."""

    def __init__(self, stage: str, exit_code: int) -> None:
        super().__init__(
            f"the stage {stage} to succeed",
            found=f"that it ended with exit code {exit_code} (its message is above)",
            do=f"Mend what it names and run again; `python -m components.{stage.partition('@')[0]}` runs it alone.",
        )
        self.exit_code = exit_code


@dataclass(frozen=True)
class StageRun:
    """What became of one stage: whether it ran (else its outputs were up to date), and for how long."""

    stage: str
    ran: bool
    seconds: float


def stamp_code(root: Path) -> None:
    """Write code.json, which dvc.yaml lists among the params of every stage."""
    write_json(root / "code.json", code_digests())


@contextlib.contextmanager
def _repo(root: Path) -> Iterator:
    """Open the DVC repository with `root` as the current folder: stage commands are relative to it."""
    from dvc.exceptions import DvcException, NotDvcRepoError, ReproductionError
    from dvc.lock import LockError
    from dvc.repo import Repo
    from dvc.stage.exceptions import StageCmdFailedError

    logging.getLogger("dvc").setLevel(logging.WARNING)  # `reproduce` says what happens
    before = Path.cwd()
    os.chdir(root)
    try:
        with Repo(str(root)) as repo:
            yield repo
    except NotDvcRepoError as error:
        raise ConfigError(
            f"a DVC repository at {root}", found=str(error), do="Run `chronotope init` there, or `dvc init`."
        ) from error
    except LockError as error:
        raise BusyError(
            "DVC's lock", found=str(error), do="Wait for the other command to end and run again."
        ) from error
    except ReproductionError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, (StageCmdFailedError, LockError)):
            cause = cause.__cause__
        if isinstance(cause, LockError):
            raise BusyError(
                "the pipeline's files for itself", found=str(cause), do="Wait for the other command to end."
            ) from error
        if cause is None:  # nothing ran: a dependency is missing, a stage is unknown
            raise ConfigError(
                f"a pipeline that can run at {root}",
                found=f"{error}: {error.__cause__}",
                do="Run `chronotope ingest` first, or mend dvc.yaml.",
            ) from error
        stage = str(error).partition("'")[2].partition("'")[0] or "?"
        raise StageError(stage, _exit_code(cause)) from error
    except DvcException as error:
        if "busy" in str(error):
            raise BusyError(
                "the pipeline's files for itself", found=str(error), do="Wait for the other command to end."
            ) from error
        raise ConfigError(f"a working pipeline at {root}", found=str(error), do="Mend it and run again.") from error
    finally:
        os.chdir(before)


def _exit_code(error: BaseException) -> int:
    """Exit code of a stage's command, which DVC keeps in its message alone; as a shell gives it after a signal."""
    found = re.search(r"exited with (-?\d+)$", str(error))
    code = int(found[1]) if found else 1
    return code if code >= 0 else 128 - code


def snapshot(root: Path) -> dict[str, str]:
    """Put `data/events` and `data/catalogue` under DVC; path → hash."""
    with _repo(root) as repo:
        stages = repo.add(["data/events", "data/catalogue"])
        return {os.path.relpath(out.fs_path, root): str(out.hash_info.value) for stage in stages for out in stage.outs}


def stage_names(root: Path) -> list[str]:
    """Every stage of dvc.yaml in an order in which it can run, e.g. `train@gru`."""
    import networkx

    with _repo(root) as repo:
        order = networkx.topological_sort(repo.index.graph.reverse())
        return [stage.addressing for stage in order if stage.cmd]


def reproduce(root: Path, stage: str, *, upstream: bool = False, force: bool = False) -> StageRun:
    """Run one stage if it is stale (and what it stands on, with `upstream`).

    Raises
    ------
    StageError
        The stage's process failed; `exit_code` is that of its error (see `components.errors`).
    BusyError
        Another DVC command holds the files.
    """
    started = time.monotonic()
    logger.info("%s …", stage)
    with _repo(root) as repo:
        done = repo.reproduce([stage], single_item=not upstream, force=force)
    run = StageRun(stage, any(one.addressing == stage for one in done), time.monotonic() - started)
    logger.info("%s: %s (%.1f s)", stage, "done" if run.ran else "up to date", run.seconds)
    return run


def stale(root: Path) -> list[str]:
    """Stages that would run now, and data that differs from its snapshot; empty when all is up to date."""
    with _repo(root) as repo:
        return sorted(repo.status())


def push(root: Path) -> int:
    """Copy what the lock names to the default remote; number of files copied."""
    with _repo(root) as repo:
        return int(repo.push())


def mark_finished(root: Path) -> None:
    """Remember that a run came to its end with the pipeline as it stands now."""
    write_json(root / ".chronotope" / "finished.json", {"lock": _lock_digest(root)})


def is_finished(root: Path) -> bool:
    """Whether the last run that came to its end saw the pipeline as it stands now."""
    path = root / ".chronotope" / "finished.json"
    return path.exists() and read_json(path)["lock"] == _lock_digest(root)


def _lock_digest(root: Path) -> str | None:
    path = root / "dvc.lock"
    return sha256_file(path) if path.exists() else None
