"""Every command of `chronotope` by name."""

from __future__ import annotations

import typer

from flows.cli import (
    benchmark,
    collect,
    compress,
    consume,
    doctor,
    evolve,
    experiment,
    explain,
    init,
    keys,
    pipeline,
    promotion,
    replay,
    run,
    search,
    serve,
    ui,
    update,
)

app = typer.Typer(
    name="chronotope",
    help="Knows what each user will do next, when and where, and keeps knowing it as people change.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command()(init.init)
app.command()(run.run)
app.command()(update.update)
app.command()(collect.collect)
app.command()(consume.consume)
app.command()(pipeline.ingest)
app.command()(pipeline.validate)
app.command()(pipeline.features)
app.command()(pipeline.train)
app.command()(compress.compress)
app.command()(pipeline.evaluate)
app.command()(evolve.evolve)
app.command()(search.search)
app.command()(promotion.promote)
app.command()(promotion.rollback)
app.command()(promotion.history)
app.add_typer(experiment.app)
app.command()(serve.serve)
app.add_typer(keys.keys, name="keys")
app.command()(replay.replay)
app.command()(explain.explain)
app.command()(compress.export)
app.command()(ui.ui)
app.command()(benchmark.benchmark)
app.command()(doctor.doctor)
