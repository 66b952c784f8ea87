"""`experiment`: try a challenger beside the champion, on a share of the users or silently, and see what it is worth."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from components.errors import ExperimentError, PromotionError
from components.files import write_text
from components.params import load_params
from components.workspace import Workspace, hold
from flows.cli.edge import JsonOption, WorkspaceOption, console, enter, show

if TYPE_CHECKING:
    from components.experiments.off_policy import Estimates
    from components.params import Params
    from components.serving.state.protocol import State

app = typer.Typer(
    name="experiment",
    help="Try a challenger beside the champion, on a share of the users or silently.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
NameArgument = Annotated[str | None, typer.Argument(help="The experiment; default: the newest.")]
AtOption = Annotated[
    dt.datetime | None,
    typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="As of this time (UTC); default: now."),
]


class Mode(StrEnum):
    """On a share of the users, or silently."""

    AB = "ab"
    SHADOW = "shadow"


class Metric(StrEnum):
    """What decides."""

    CONVERSION = "conversion"
    REWARD = "reward"
    HIT_RATE = "hit_rate"


@contextlib.contextmanager
def _opened(root: Path, params: Params) -> Iterator[State]:
    from components.serving.state.open import open_state

    state = open_state(root, params.live, os.environ.get("CHRONOTOPE_STATE"), params.workspace.name)
    try:
        yield state
    finally:
        state.close()


def _us(at: dt.datetime | None) -> int:
    return int((dt.datetime.now(dt.UTC) if at is None else at.replace(tzinfo=dt.UTC)).timestamp() * 1e6)


@app.command()
def start(
    name: Annotated[str, typer.Argument(help="Small letters, digits and hyphens; never used before.")],
    mode: Annotated[Mode, typer.Option(help="ab: a share of the users get it; shadow: it scores silently.")] = Mode.AB,
    challenger: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="The artifact; default: the newest that is not the champion.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Or a trained candidate model, which is packed first.")
    ] = None,
    share: Annotated[float | None, typer.Option(help="Of the users who get the challenger.")] = None,
    metric: Annotated[Metric | None, typer.Option(help="What decides.")] = None,
    guard: Annotated[float | None, typer.Option(help="Turned off when surely worse by more than this.")] = None,
    explore: Annotated[float | None, typer.Option(help="Chance that the first place of a list is drawn.")] = None,
    salt: Annotated[str | None, typer.Option(help="Of the assignment; default: a new one.")] = None,
    reason: Annotated[str, typer.Option(help="One sentence, for those who read the log.")] = "",
    workspace: WorkspaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Begin an experiment; services that run follow within `serving.poll_s`.

    Example: `chronotope experiment start newer-network --model transformer --share 0.2`
    """
    from components.experiments import log
    from components.experiments.challenger import find_challenger
    from components.experiments.plan import new_salt, parse_plan
    from components.registry.promotions import current
    from components.registry.trial import pack_candidate

    root = enter(workspace)
    params, champion = load_params(root / "params.yaml"), current(root)
    if champion is None:
        raise PromotionError("a champion to try against", found=f"none in {root}", do="Run `chronotope run` first.")
    if model is not None:
        with hold(root, "experiment"):
            challenger = pack_candidate(root, params, model).digest
    chosen = {"share": share, "metric": metric and metric.value, "guard": guard, "explore": explore}
    settings = params.experiment.model_dump() | {key: value for key, value in chosen.items() if value is not None}
    with _opened(root, params) as state:
        plan = parse_plan(
            {
                "name": name, "mode": mode.value, "champion": champion.digest,
                "challenger": find_challenger(root, champion, challenger), "salt": salt or new_salt(),
                "start_us": _us(None), "offset": state.head(), "settings": settings,
            }
        )  # fmt: skip
    entry = log.start(root, plan, reason)
    told = f"{plan.settings.share:.0%} of the users get" if plan.mode == "ab" else "Nobody hears"
    show(
        entry.as_record(),
        as_json,
        lambda: console.print(f"[bold]{name}[/] began as entry {entry.sequence}: {told} {plan.challenger[:12]}."),
    )


@app.command()
def status(workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """What is under way, and what was.

    Example: `chronotope experiment status`
    """
    from components.experiments.log import history

    entries = history(enter(workspace))

    def render() -> None:
        table = Table("", "when", "what", "experiment", "challenger", "why", box=None, header_style="bold")
        for entry in reversed(entries):
            table.add_row(
                str(entry.sequence), entry.time[:16], entry.kind, entry.experiment, entry.challenger[:12],
                escape(entry.reason),
            )  # fmt: skip
        console.print(table if entries else "No experiment was begun yet.")

    under_way = entries[-1].experiment if entries and entries[-1].plan is not None else None
    show({"under_way": under_way, "entries": [entry.as_record() for entry in entries]}, as_json, render)


@app.command()
def results(
    name: NameArgument = None,
    at: AtOption = None,
    workspace: WorkspaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """What an experiment has shown so far, as a table and a page; look as often as you like.

    Example: `chronotope experiment results newer-network`
    """
    from components.experiments.exposure import Evidence
    from components.experiments.log import find
    from components.experiments.report.page import render
    from components.experiments.report.record import of_results, of_silence
    from components.experiments.results import results as arms
    from components.experiments.shadow import silence
    from components.experiments.silent import pairs

    root = enter(workspace)
    plan, ended = find(root, name)
    evidence = Evidence(plan)
    with _opened(root, load_params(root / "params.yaml")) as state:
        evidence.follow(state)
    if plan.mode == "ab":
        record = of_results(arms(evidence, _us(at)), ended)
    else:
        kept = pairs(Workspace(root).shadows / plan.name)
        record = of_silence(silence(plan, kept, evidence.happened, _us(at)), ended)
    page = Workspace(root).reports / "experiments" / f"{plan.name}.html"
    write_text(page, render(record))
    show(record | {"page": str(page)}, as_json, lambda: _print(record, page))


def _print(record: dict[str, Any], page: Path) -> None:
    console.print(f"[bold]{escape(record['verdict'])}[/]", soft_wrap=True)
    for warning in record["warnings"]:
        console.print(f"[bold red]![/] {escape(warning)}", soft_wrap=True)
    if record["ended"] is not None:
        console.print(f"Ended ({record['ended']['kind']}): {escape(record['ended']['reason'])}", soft_wrap=True)
    table = Table("of a user, mean", "champion", "challenger", "difference", box=None, header_style="bold")
    for name, one in record["metrics"].items():
        table.add_row(name.replace("_", " "), *(_figure(one[key]) for key in ("champion", "challenger", "difference")))
    console.print(table)
    if "arms" in record:
        for arm, one in record["arms"].items():
            console.print(f"  {arm}: {one['users']:,} users, {one['ripe']:,} ripe, {one['lists']:,} lists", style="dim")
    else:
        late = f"; {record['late']:,} had one before the challenger had answered" if record["late"] else ""
        console.print(
            f"  {record['asked']:,} questions, {record['scored']:,} with an event after them{late}", style="dim"
        )
    console.print(f"  {page}", style="dim", soft_wrap=True)


def _figure(one: dict[str, float | None]) -> str:
    if one["value"] is None:
        return "–"
    return f"{one['value']:.4f}" + ("" if one["low"] is None else f" ({one['low']:.4f} to {one['high']:.4f})")


@app.command()
def stop(
    reason: Annotated[str, typer.Option(help="One sentence, for those who read the log.")] = "",
    workspace: WorkspaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """End the experiment under way: the champion answers everybody again.

    Example: `chronotope experiment stop --reason "it is better; promoted by the gate"`
    """
    from components.experiments import log

    root = enter(workspace)
    under_way = log.active(root)
    if under_way is None:
        raise ExperimentError("an experiment under way", found="none", do="See `chronotope experiment status`.")
    entry = log.end(root, under_way, "stop", reason)
    show(entry.as_record(), as_json, lambda: console.print(f"[bold]{entry.experiment}[/] ended."))


@app.command("off-policy")
def off_policy(
    name: NameArgument = None,
    target: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="The model in question; default: the experiment's challenger.")
    ] = None,
    most: Annotated[float, typer.Option(min=1.0, help="Weights are cut to this.")] = 50.0,
    at: AtOption = None,
    workspace: WorkspaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """What a model would have brought in the first place of the champion's lists, from those that were explored.

    Example: `chronotope experiment off-policy newer-network --target 3fa85f64`
    """
    from dataclasses import asdict

    from components.experiments.challenger import find_artifact, load_challenger
    from components.experiments.exposure import Evidence
    from components.experiments.log import find
    from components.experiments.off_policy import estimates
    from components.experiments.replayed import decisions

    root = enter(workspace)
    params = load_params(root / "params.yaml")
    plan, _ = find(root, name)
    model = load_challenger(root, find_artifact(root, target) if target else plan.challenger)
    evidence = Evidence(plan)
    with _opened(root, params) as state:
        evidence.follow(state)
        logged = decisions(evidence, state, "champion", model, params, _us(at))
    judging = params.evaluation
    found = estimates(logged, most, draws=judging.bootstrap, confidence=judging.confidence, seed=params.workspace.seed)
    record = asdict(found) | {"target": model.entry.digest, "experiment": plan.name}
    show(record, as_json, lambda: _print_estimates(found))


def _print_estimates(found: Estimates) -> None:
    for doubt in found.doubts:
        console.print(f"[bold red]![/] {escape(doubt)}", soft_wrap=True)
    table = Table("mean reward of a list's first place", "value", "interval", box=None, header_style="bold")
    rows = {
        "champion, as served": found.served,
        "target, weighted (IPS)": found.ips,
        "target, weights of one (SNIPS)": found.snips,
        "target, doubly robust": found.robust,
    }
    for name, one in rows.items():
        table.add_row(name, f"{one.value:.4f}", f"{one.low:.4f} to {one.high:.4f}")
    console.print(table)
    console.print(
        f"  {found.decisions:,} lists of {found.users:,} users weigh as {found.effective:,.0f}; "
        f"{found.clipped:.1%} of the weights were cut",
        style="dim",
    )
