"""`doctor`: is the set-up whole, and if not, what mends it."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import typer
from packaging.requirements import Requirement
from rich.markup import escape
from rich.table import Table

from components.errors import ChronotopeError
from components.params import load_params
from components.workspace import Workspace, holder
from flows.cli.edge import JsonOption, WorkspaceOption, console, enter, show

_FREE_BYTES = 2 << 30


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, whether it is well, what was found, what mends it."""

    check: str
    ok: bool
    found: str
    do: str


def doctor(workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """Check the set-up and say what to mend; exit code 1 when something must be.

    Example: `chronotope doctor --workspace shop`
    """
    root = enter(workspace)
    found = list(examine(root))
    show([asdict(one) for one in found], as_json, lambda: _print(found))
    if not all(one.ok for one in found):
        raise typer.Exit(1)


def _print(found: list[Finding]) -> None:
    table = Table(box=None, show_header=False)
    for one in found:
        mark = "[green]✓[/]" if one.ok else "[red]✗[/]"
        table.add_row(mark, one.check, escape(one.found + ("" if one.ok else f" — {one.do}")))
    console.print(table)


def examine(root: Path) -> Iterator[Finding]:
    """Every check, cheapest first; a check that cannot be made is a finding, not a crash."""
    yield _python()
    yield _packages()
    yield _disk(root)
    yield _probe("params.yaml", lambda: (load_params(root / "params.yaml"), "valid")[1])
    yield _pipeline(root)
    yield _lock(root)
    yield _log(root)
    yield _device()


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", (3, 11) <= sys.version_info[:2] < (3, 13), version, "Use Python 3.11 or 3.12.")


def _packages() -> Finding:
    """Whether what is installed is what pyproject.toml pins: a resolver left alone breaks Prefect."""
    wrong = []
    for text in importlib.metadata.requires("chronotope") or []:
        need = Requirement(text)
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        try:
            have = importlib.metadata.version(need.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{need.name} is missing")
            continue
        if not need.specifier.contains(have.split("+")[0], prereleases=True):
            wrong.append(f"{need.name} {have} (needed {need.specifier})")
    found = "as pinned" if not wrong else "; ".join(wrong)
    return Finding("packages", not wrong, found, "Run `pip install -r requirements.lock`.")


def _disk(root: Path) -> Finding:
    free = shutil.disk_usage(root).free
    return Finding("disk", free >= _FREE_BYTES, f"{free / 2**30:.1f} GiB free", "Keep at least 2 GiB free.")


def _probe(check: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(check, True, look(), "")
    except ChronotopeError as error:
        return Finding(check, False, f"needed {error.needed}; found {error.found}", error.do)


def _pipeline(root: Path) -> Finding:
    space = Workspace(root)
    missing = [name for name, path in (("dvc.yaml", space.dvc_yaml), (".dvc", root / ".dvc")) if not path.exists()]
    found = "dvc.yaml and .dvc are there" if not missing else f"{' and '.join(missing)} missing"
    return Finding("pipeline", not missing, found, f"Run `chronotope init {root}`.")


def _lock(root: Path) -> Finding:
    who = holder(root)
    found = "free" if who is None else f"process {who.pid} is at “{who.purpose}” since {who.since}"
    return Finding("workspace", True, found, "")


def _log(root: Path) -> Finding:
    from components.registry.promotions import current, history

    def look() -> str:
        entries = list(history(root))
        champion = current(root)
        return f"{len(entries)} entries, champion {champion.model}" if champion else "nothing promoted yet"

    return _probe("promotion log", look)


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        return Finding("device", True, torch.cuda.get_device_name(0), "")
    return Finding("device", True, f"CPU, {os.cpu_count()} cores (no CUDA device: training runs on the CPU)", "")
