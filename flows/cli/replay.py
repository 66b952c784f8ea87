"""`replay`: a real log through the live path, event by event, and how it was predicted before it was sent."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from components.errors import ConfigError, DataError, PromotionError
from components.files import write_json
from components.params import Params, load_params
from components.workspace import Workspace
from flows.cli.edge import WorkspaceOption, console, enter, errors

if TYPE_CHECKING:
    import polars as pl

    from components.serving.prequential import Tally

_KEY = "CHRONOTOPE_API_KEY"
_DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


def replay(
    source: Annotated[str | None, typer.Option(help="Format of the log; default: the workspace's own source.")] = None,
    path: Annotated[Path | None, typer.Option(help="File or folder of the log.")] = None,
    workspace: WorkspaceOption = Path(),
    speed: Annotated[str, typer.Option(help="So many seconds of the log in one, as 60x; or max.")] = "max",
    since: Annotated[
        dt.datetime | None,
        typer.Option("--from", formats=_DATES, help="First moment (UTC); default: after all that the champion knows."),
    ] = None,
    until: Annotated[dt.datetime | None, typer.Option(formats=_DATES, help="First moment (UTC) to leave out.")] = None,
    users: Annotated[int | None, typer.Option(min=1, help="Only so many users, drawn by the workspace's seed.")] = None,
    url: Annotated[
        str | None, typer.Option(help="A running service; else the champion is replayed in process.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the report.")] = None,
) -> None:
    """Send a log through the live path and say how each event was predicted before it was sent.

    In process two systems answer: one whose state follows the log, and one that stays as it was when its model was
    packed; a running service answers alone, through HTTP (its key from CHRONOTOPE_API_KEY).

    Example: `chronotope replay --source foursquare --path val.csv.gz --speed max --users 200`
    """
    from components.events.load import with_source

    root = enter(workspace)
    params = load_params(root / "params.yaml")
    if source is not None:
        params = with_source(params, source, None if path is None else path.resolve())
    pace = _pace(speed)
    events, known_until = _chosen(params, root, since, until, users, url)
    with _progress(events.height) as told:
        tally = (
            _in_process(root, params, events, pace, told) if url is None else _by_http(url, params, events, pace, told)
        )
    evaluation = params.evaluation
    report = {
        "events": events.height,
        "from": str(events["timestamp"].min()),
        "until": str(events["timestamp"].max()),
        "model_knows_until": None if known_until is None else known_until.isoformat(),
        **tally.report(evaluation.bootstrap, evaluation.confidence, params.workspace.seed),
    }
    if json_file is not None:
        write_json(json_file, report)
    _print(report)


def _pace(speed: str) -> Callable[[dt.datetime], None]:
    """Waits until an event is due."""
    if speed == "max":
        return lambda _: None
    factor = speed.removesuffix("x")
    if not factor.replace(".", "", 1).isdigit() or float(factor) <= 0:
        raise ConfigError("a speed such as 60x, or max", found=f"{speed!r:.40} at --speed", do="Mend it.")
    begun: list[tuple[float, dt.datetime]] = []

    def wait(moment: dt.datetime) -> None:
        if not begun:
            begun.append((time.monotonic(), moment))
        at, first = begun[0]
        due = at + (moment - first).total_seconds() / float(factor)
        time.sleep(max(due - time.monotonic(), 0.0))

    return wait


def _chosen(
    params: Params, root: Path, since: dt.datetime | None, until: dt.datetime | None, users: int | None, url: str | None
) -> tuple[pl.DataFrame, dt.datetime | None]:
    """The events that are replayed, and until when the model that answers knows the log; None: it cannot be told."""
    import numpy as np
    import polars as pl

    from components.events.load import load_frame

    known = _own(root) if url is None else _of_service(root, url)
    if since is not None:
        begin = since.replace(tzinfo=dt.UTC)
    elif known is not None:
        begin = known + dt.timedelta(seconds=1)
    else:
        raise ConfigError("a first moment", found="a service that does not tell what it knows", do="Give --from.")
    if known is None:
        errors.print("Warning: the service does not tell until when its model knows the log: it may know these events.")
    elif url is not None and begin <= known:
        errors.print(
            f"Warning: the model that serves knows the log until {known:%Y-%m-%d %H:%M:%S}: what is replayed of before "
            "was in its training, and its figures say nothing."
        )
    elif begin <= known:
        raise ConfigError(
            f"events later than what the champion knows ({known:%Y-%m-%d %H:%M:%S})",
            found=f"--from {begin:%Y-%m-%d %H:%M:%S}",
            do="Leave --from out, or train on a log that ends before it (`events.until`).",
        )
    events = load_frame(params, root=root).events.filter(pl.col("timestamp") >= begin)
    if until is not None:
        events = events.filter(pl.col("timestamp") < until.replace(tzinfo=dt.UTC))
    if users is not None:
        names = np.unique(events["user_id"].to_numpy().astype(str))
        drawn = np.random.default_rng(params.workspace.seed).permutation(names)[:users]
        events = events.filter(pl.col("user_id").is_in(drawn.tolist()))
    if events.is_empty():
        raise DataError(
            f"events from {begin:%Y-%m-%d %H:%M:%S} on",
            found=f"none (the model knows the log until {known or 'no moment that is told'})",
            do="Name a later log with --source and --path, or train on one that is cut by `events.until`.",
        )
    return events, known


def _own(root: Path) -> dt.datetime:
    """The newest moment that the champion of the workspace knows."""
    from components.registry.promotions import current

    entry = current(root)
    if entry is None:
        raise PromotionError("a champion to replay", found=f"no promotion in {root}", do="Run `chronotope run` first.")
    return _newest(root, entry.digest)


def _newest(root: Path, digest: str) -> dt.datetime:
    import numpy as np

    times = np.load(
        Workspace(root).artifact(digest) / "histories" / "column_time_s.npy", mmap_mode="r", allow_pickle=False
    )
    return dt.datetime.fromtimestamp(int(times.max()), dt.UTC)


def _of_service(root: Path, url: str) -> dt.datetime | None:
    """The same of the model that a service serves: by its artifact where the workspace has it, else by its lineage."""
    from components.serving.prequential_http import served

    digest, until = served(url, os.environ.get(_KEY))
    if Workspace(root).artifact(digest).is_dir():
        return _newest(root, digest)
    return None if until is None else dt.datetime.fromisoformat(until).replace(tzinfo=dt.UTC)


def _in_process(
    root: Path, params: Params, events: pl.DataFrame, pace: Callable[[dt.datetime], None], told: Callable[[int], None]
) -> Tally:
    from components.registry.promotions import current
    from components.serving.champion import load_champion
    from components.serving.live import Live
    from components.serving.prequential import events_of, replay
    from components.serving.state.memory import MemoryState
    from components.serving.watch import Alone

    entry = current(root)
    assert entry is not None
    folder = Workspace(root).artifact(entry.digest)
    champion, frozen = load_champion(entry, folder), load_champion(entry, folder)
    live = Live(Alone(champion), MemoryState(), params)
    return replay(events_of(events), live, frozen, wait=pace, told=told)


def _by_http(
    url: str, params: Params, events: pl.DataFrame, pace: Callable[[dt.datetime], None], told: Callable[[int], None]
) -> Tally:
    from components.serving.prequential import events_of
    from components.serving.prequential_http import replay_http

    return replay_http(events_of(events), url, os.environ.get(_KEY), params.serving.max_k, wait=pace, told=told)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; nothing elsewhere."""
    columns = (TextColumn("replayed"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda sent: bar.update(task, completed=sent)


def _print(report: dict[str, Any]) -> None:
    new = report["new_items"]
    told = "" if new is None else f", {new:.1%} of them with items that came after training"
    console.print(f"{report['questions']:,} events of {report['users']:,} users predicted before they were sent{told}")
    systems, gain = report["systems"], report["gain"]
    shown = [name for name in ("live", "frozen") if name in systems]
    table = Table("", *shown, *(["gain"] if "frozen" in gain else []), box=None, header_style="dim", pad_edge=True)
    for metric in systems["live"]:
        cells = [_cell(systems[name][metric]) for name in shown]
        table.add_row(metric, *cells, *([_cell(gain["frozen"][metric], "+")] if "frozen" in gain else []))
    console.print(table)
    if "known_items" in gain:
        console.print(f"of which by recommending new items: hr@10 {_cell(gain['known_items']['hr@10'], '+')}")


def _cell(found: dict[str, float | None], sign: str = "") -> str:
    value, low, high = (found[name] for name in ("value", "low", "high"))
    if value is None:
        return "–"
    interval = "" if low is None or high is None else f" ({low:{sign}.3f} to {high:{sign}.3f})"
    return f"{value:{sign}.4f}{interval}"
