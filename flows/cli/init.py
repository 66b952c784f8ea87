"""`init`: a workspace for one's own log."""

from __future__ import annotations

import shutil
import subprocess
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from components.errors import ConfigError
from components.events.load import load_frame, with_source
from components.events.sources import FORMATS
from components.files import write_text
from components.params import parse_params
from components.presets import fitted_to, merged, preset
from flows.cli.edge import console
from flows.environment import prepare

#: File of a workspace → template. The pipeline has another name there: DVC reads every dvc.yaml below a repository.
_TEMPLATES = {"dvc.yaml": "pipeline.yaml", "prefect.yaml": "prefect.yaml"}
_LOOK_ROWS = 1_000_000
_IGNORED = "".join(
    f"{one}\n"
    for one in (
        ".chronotope/", "data/raw/", "data/live/", "data/quarantine/", "reports/data_docs/", "reports/experiments/",
        "reports/evolution/", "reports/evolutions/", "exports/", "code.json",
    )
)  # fmt: skip


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.")],
    source: Annotated[str, typer.Option("--source", help=f"Format of the log: {', '.join(sorted(FORMATS))}.")] = "csv",
    path: Annotated[str | None, typer.Option("--path", help="The log: a file, a folder or an SQLAlchemy URL.")] = None,
    mapping: Annotated[
        list[str] | None, typer.Option("--map", metavar="COLUMN=THEIRS", help="user_id=customer, timestamp=ts, …")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name in the registry; the folder's when left out.")] = None,
) -> None:
    """Make a workspace for one's own log: params.yaml, dvc.yaml, and a DVC repository.

    Example: `chronotope init shop --source csv --path log.csv --map user_id=customer --map timestamp=ts`
    """
    if (folder / "params.yaml").exists():
        raise ConfigError(
            "a folder without a workspace",
            found=f"params.yaml in {folder}",
            do="Choose another folder, or edit that file.",
        )
    if source not in FORMATS:
        raise ConfigError(f"one of {', '.join(sorted(FORMATS))}", found=f"the format {source!r}", do="Pass --source.")
    record = preset(source)
    record["workspace"]["name"] = name or folder.resolve().name.lower()
    record["events"]["source"] |= {"path": _absolute(path), "mapping": dict(map(_pair, mapping or []))}
    record = fitted(record) if path is not None or source == "city" else record
    parse_params(record, "the preset")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "params.yaml", _yaml(record))
    for one, template in _TEMPLATES.items():
        write_text(folder / one, resources.files("flows.templates").joinpath(template).read_text())
    write_text(folder / ".gitignore", _IGNORED)
    (folder / "data").mkdir(exist_ok=True)
    prepare(folder.resolve())
    _dvc_init(folder)
    steps = [
        f"look over {folder / 'params.yaml'} (source, actions, time zone, windows)",
        f"chronotope consume --stream NAME --group chronotope --workspace {folder}" if source == "live" else "",
        f"chronotope run --workspace {folder}" + (", once enough came in" if source == "live" else ""),
        f"chronotope serve --workspace {folder}",
    ]
    console.print(f"[bold green]✓[/] {folder} is a workspace.")
    for number, step in enumerate(filter(None, steps), 1):
        console.print(f"  {number}. {step}", soft_wrap=True)


def fitted(record: dict[str, Any]) -> dict[str, Any]:
    """The preset without what the log has no ground for: its actions, whether it has places, what its times are worth.

    Looks at the first rows of the log (at most `_LOOK_ROWS`), so that a large one is not read twice.
    """
    source = record["events"]["source"]
    params = with_source(parse_params(record, "the preset"), source["format"], source["path"])
    found = load_frame(params, rows=_LOOK_ROWS)
    changed = merged(record, {"events": params.events.model_dump(mode="json")})
    return fitted_to(changed, found.events, found.items, "the preset").model_dump(mode="json")


def _absolute(path: str | None) -> str | None:
    """A local path made absolute (the workspace is another folder); a URL or a ${NAME} as it is."""
    if path is None or "://" in path or path.startswith("$"):
        return path
    return str(Path(path).resolve())


def _pair(text: str) -> tuple[str, str]:
    ours, equals, theirs = text.partition("=")
    if not equals:
        raise ConfigError("--map COLUMN=THEIRS", found=repr(text), do="Write for example --map user_id=customer.")
    return ours, theirs


def _yaml(record: dict[str, Any]) -> str:
    head = "# Every knob that changes a result (docs/params.md). Strict: unknown keys are errors.\n"
    return head + yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=110)


def _dvc_init(folder: Path) -> None:
    if (folder / ".dvc").exists():
        return
    inside = shutil.which("git") is not None and _run(folder, "git", "rev-parse", "--show-toplevel")
    if not inside:
        arguments = ["--no-scm"]
    elif Path(inside).resolve() == folder.resolve():
        arguments = []
    else:
        arguments = ["--subdir"]
    done = subprocess.run(["dvc", "init", "-q", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ConfigError("`dvc init` to succeed", found=done.stderr.strip(), do=f"Run it in {folder} yourself.")
    for key, value in (("core.analytics", "false"), ("core.check_update", "false"), ("core.remote", "local")):
        subprocess.run(["dvc", "config", "-q", key, value], cwd=folder, check=True)
    subprocess.run(["dvc", "config", "-q", "remote.local.url", "../.chronotope/dvc-remote"], cwd=folder, check=True)


def _run(folder: Path, *command: str) -> str:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout.strip()
