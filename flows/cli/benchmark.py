"""`chronotope benchmark`: baselines and models on any supported file, under any protocol, without touching code."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.cli.edge import console

_File = typer.Option(exists=True, metavar="FILE")


def benchmark(
    source: Annotated[str, typer.Option(metavar="FORMAT", help="Format of the log, as at events.source.format.")],
    path: Annotated[Path | None, typer.Option(exists=True, metavar="FILE", help="The log: a file or folder.")] = None,
    train: Annotated[Path | None, typer.Option(exists=True, metavar="FILE", help="Its parts, where it")] = None,
    valid: Annotated[Path | None, typer.Option(exists=True, metavar="FILE", help="comes divided: train,")] = None,
    test: Annotated[Path | None, typer.Option(exists=True, metavar="FILE", help="tuning and test files.")] = None,
    protocol: Annotated[
        Literal["temporal", "leave_one_out", "last_of_trajectory"], typer.Option(help="What is asked.")
    ] = "temporal",
    target_time: Annotated[
        Literal["hidden", "given"] | None, typer.Option(help="Whether the answer's time is known.")
    ] = None,
    history: Annotated[Literal["online", "train_only"] | None, typer.Option(help="What is visible.")] = None,
    seen: Annotated[
        Literal["filtered", "kept"] | None, typer.Option(help="Whether items of the history are ranked.")
    ] = None,
    unseen: Annotated[
        Literal["miss", "dropped"] | None, typer.Option(help="What an answer unknown to training counts as.")
    ] = None,
    ties: Annotated[
        Literal["source", "shuffled", "basket"] | None, typer.Option(help="Order of events at equal times.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(exists=True, metavar="FILE", help="YAML: contract column: column of the file.")
    ] = None,
    params: Annotated[
        Path | None, typer.Option(exists=True, metavar="FILE", help="YAML laid over the built-in params.")
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Models to run, any encoder among them; default: all of the params."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each network.")] = 1,
    out: Annotated[Path | None, typer.Option("--json", metavar="OUT", help="Where the JSON goes.")] = None,
) -> None:
    """Judge baselines and models on a log of one's own.

    A run that was stopped goes on where it was, when `--json` names the same file.

    Example: `chronotope benchmark --source recbole --path ml-100k.inter --protocol leave_one_out --seen filtered`
    """
    from components.benchmark import Options
    from components.benchmark import benchmark as run

    options = Options(
        source=source,
        path=path,
        train=train,
        valid=valid,
        test=test,
        protocol=protocol,
        target_time=target_time,
        history=history,
        seen=seen,
        unseen=unseen,
        ties=ties,
        mapping=mapping,
        params=params,
        models=tuple(name.strip() for name in models.split(",") if name.strip()) if models else None,
        seeds=seeds,
        json=out,
    )
    result = run(options, lambda line: console.print(line, style="dim"))
    result.print(console)
    if out is None and not console.is_terminal:
        sys.stdout.write(json.dumps(result.record(), sort_keys=True) + "\n")
