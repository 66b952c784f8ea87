"""`explain`: why the champion thinks what it thinks of a user, in sentences and numbers."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from components.errors import DataError, PromotionError
from components.params import load_params
from components.workspace import Workspace
from flows.cli.edge import JsonOption, WorkspaceOption, console, enter, show

if TYPE_CHECKING:
    from components.serving.explain import Explained, Explanation

_SHOWN = 5


def explain(
    user: Annotated[str, typer.Argument(help="Id of the user, as in the log.")],
    item: Annotated[
        list[str] | None, typer.Option(help="Item to be explained; can be repeated. Default: the first of the answer.")
    ] = None,
    k: Annotated[int, typer.Option(min=1, help="How many of the answer's items, where none is named.")] = 3,
    at: Annotated[
        dt.datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Time (UTC); default: now.")
    ] = None,
    gradients: Annotated[bool, typer.Option("--gradients", help="Also integrated gradients of networks.")] = False,
    workspace: WorkspaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say why: which past events carry an item's probability, and what each part of the champion gave.

    Example: `chronotope explain u000001 --item i00042`
    """
    from components.registry.promotions import current
    from components.serving.champion import load_champion
    from components.serving.explain import explain as reasons
    from components.serving.question import plain

    root = enter(workspace)
    params, entry = load_params(root / "params.yaml"), current(root)
    if entry is None:
        raise PromotionError("a champion to explain", found=f"no promotion in {root}", do="Run `chronotope run` first.")
    champion = load_champion(entry, Workspace(root).artifact(entry.digest))
    if user not in champion.row_of:
        raise DataError("a user of the log", found=f"{user!r:.80}", do="Name one that the champion's histories hold.")
    time = dt.datetime.now(dt.UTC) if at is None else at.replace(tzinfo=dt.UTC)
    question = plain(user, time, min(k, params.serving.explain_items), seen=champion.seen_kept)
    steps = params.serving.gradient_steps if gradients else None
    found = reasons(champion, question, item or None, params.serving.explain_events, steps, params.policy)
    record = {"user": user, "time": time.isoformat(), "model": entry.model, "digest": entry.digest, **asdict(found)}
    show(record, as_json, lambda: _print(found))


def _print(found: Explanation) -> None:
    console.print(f"{found.reason}: {found.history_events} events\n", style="dim")
    for item in found.items:
        _print_item(item)


def _print_item(item: Explained) -> None:
    name = escape(item.title or item.item_id)
    console.print(f"[bold]{name}[/]: {item.probability:.2%}; without any history {item.without_history:.2%}")
    for sentence in item.sentences:
        console.print(f"  {escape(sentence)}")
    table = Table("", "events", "effect", "without", box=None, header_style="dim", pad_edge=True)
    for one in item.items[:_SHOWN]:
        table.add_row(
            escape(one.title or one.item_id), str(one.events), f"{one.effect:+.2f}", f"{one.probability_without:.2%}"
        )
    if item.items:
        console.print(table)
    parts = ", ".join(f"{one.name} {one.share:.0%}" for one in item.parts[:_SHOWN])
    console.print(f"  {escape(parts)}\n" if parts else "", style="dim")
