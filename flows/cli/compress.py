"""`compress` and `export`: a smaller or faster model out of a trained one, and a model for another runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import typer
from rich.table import Table

from components.errors import ConfigError, PromotionError
from components.params import Params, load_params
from components.workspace import Workspace, hold
from flows import stages
from flows.cli.edge import JsonOption, WorkspaceOption, console, enter, show

if TYPE_CHECKING:
    from components.predictor import Queries
    from components.training.network import NetworkPredictor

_ASKED = 64  # queries on which an exported file must agree


def compress(
    model: Annotated[str, typer.Argument(help="A name under training.compressed.")],
    workspace: WorkspaceOption = Path(),
    force: Annotated[bool, typer.Option("--force", help="Make it even when nothing changed.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a compressed model, and show it beside the one that it is made of: bytes, milliseconds, and what it loses.

    Both are judged on the blend window; the test window and the gate are asked by `chronotope evaluate` and `promote`.

    Example: `chronotope compress small`
    """
    root = enter(workspace)
    params = load_params(root / "params.yaml")
    entries = params.training.compressed
    if model not in entries:
        known = ", ".join(entries) or "none yet"
        raise ConfigError(
            f"an entry of training.compressed ({known})",
            found=f"the name {model!r}",
            do="Add it to params.yaml; docs/compression.md shows how.",
        )
    with hold(root, "compress"):
        stages.stamp_code(root)
        stages.reproduce(root, f"compress@{model}", upstream=True, force=force)
        from components import learners
        from components.compression.compare import compare
        from components.features.store import Store

        store = Store.load(Workspace(root).features)
        record = compare(root, [entries[model].of, model], params, store, learners.load)
    show(record, as_json, lambda: _print(record))


def _print(record: dict[str, Any]) -> None:
    names = ("model", record["metric"], "difference", "weights, kB", "smaller", "p50, ms", "p99, ms", "faster")
    table = Table(*names, box=None, header_style="bold")
    for row in record["rows"]:
        gap = row.get("difference")
        table.add_row(
            row["model"],
            _interval(row["value"], ".4f"),
            _interval(gap, "+.4f") if gap else "",
            f"{row['bytes'] / 1000:,.0f}",
            f"{row['smaller']:.1f}×" if gap else "",
            f"{row['p50_ms']:.2f}",
            f"{row['p99_ms']:.2f}",
            f"{row['faster']:.1f}×" if gap else "",
        )
    console.print(table)
    console.print(
        f"{record['queries']:,} questions of the {record['window']} window; CPU time of one thread", style="dim"
    )


def _interval(one: dict[str, float | None], form: str) -> str:
    if one["low"] is None or one["high"] is None:
        return f"{one['value']:{form}}"
    return f"{one['value']:{form}} ({one['low']:{form}}, {one['high']:{form}})"


def export(
    model: Annotated[
        str | None, typer.Option(help="A network below models/; the champion's when left out.", metavar="NAME")
    ] = None,
    form: Annotated[Literal["onnx"], typer.Option("--format", help="For which runtime.")] = "onnx",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where it goes; exports/NAME.onnx when left out.")
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="Weights and products in int8, by onnxruntime.")] = False,
    workspace: WorkspaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Write a network for another runtime, once it answers there as here; what goes in and out stands beside it.

    Example: `chronotope export --format onnx --model small`
    """
    root = enter(workspace)
    from components.export.onnx import export as write

    predictor, queries = _source(root, load_params(root / "params.yaml"), model)
    suffix = ".int8.onnx" if int8 else ".onnx"
    path = out or root / "exports" / f"{predictor.name}{suffix}"
    found = write(predictor, queries, path.resolve(), int8)
    record = {
        "path": str(found.path), "format": form, "bytes": found.bytes, "difference": found.difference,
        "tolerance": found.tolerance, "queries": found.queries,
    }  # fmt: skip
    show(
        record,
        as_json,
        lambda: console.print(
            f"[bold green]✓[/] {found.path}, {found.bytes:,} bytes; {found.queries} queries answered within "
            f"{found.difference:.1g} of torch ({found.tolerance:g} is allowed)"
        ),
    )


def _source(root: Path, params: Params, model: str | None) -> tuple[NetworkPredictor, Queries]:
    """A fitted network of the workspace, and queries that it can be asked."""
    from components.compression.stage import load_network
    from components.evaluation.protocol import Protocol, make_queries
    from components.features.store import Store
    from components.predictor import Window
    from components.registry.artifact import load_artifact
    from components.registry.promotions import current
    from components.registry.smoke import smoke_queries
    from components.training.network import NetworkPredictor

    workspace = Workspace(root)
    if model is not None:
        store = Store.load(workspace.features)
        window = Window(store, "test", params.evaluation.history)
        rows = window.targets
        picked = rows[np.unique(np.linspace(0, len(rows) - 1, min(_ASKED, len(rows))).astype(np.int64))]
        return load_network(workspace.model(model)), make_queries(window, Protocol.of(params.evaluation), picked)[0]
    entry = current(root)
    if entry is None:
        raise PromotionError("a champion to export", found=f"no promotion in {root}", do="Name a network with --model.")
    loaded = load_artifact(workspace.artifact(entry.digest), entry.digest)
    if not isinstance(loaded.predictor, NetworkPredictor):
        raise ConfigError(
            "a network to export",
            found=f"the champion {entry.model}, which is more than one",
            do="Name one of its networks with --model.",
        )
    return loaded.predictor, smoke_queries(loaded.histories, _ASKED)
