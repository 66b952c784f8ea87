"""Great Expectations: the same records as `components.events.suite`, run by a checkpoint and shown as Data Docs.

The only file that imports great_expectations, and only inside functions: the import costs seconds. The file context
lives in `.chronotope/gx` and is made anew by each run, so that a killed run cannot leave a broken one behind; what
is kept are the pages (`components.events.data_docs`). Analytics and progress bars are off.

Never here: what is expected (`suite`, `batch`), or what becomes of a failure (`validation`).
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from components.events.data_docs import publish
from components.events.suite import Expectation, broken
from components.workspace import Workspace


@dataclass(frozen=True)
class Outcome:
    """What Great Expectations said of one expectation; unexpected: rows that break it."""

    passed: bool
    unexpected: int


def run_checkpoint(
    root: Path,
    suite: list[Expectation],
    tables: Mapping[str, pl.DataFrame],
    tolerated: float,
) -> dict[str, Outcome]:
    """Run the suite over its tables as one checkpoint, and publish the Data Docs of the run.

    Parameters
    ----------
    root : the workspace
    suite : expectations; the table of each must be among `tables`
    tables : table → its rows; `events` needs `suite.DAY` and `suite.REPEATED`
    tolerated : share of rows that may break an expectation of severity row

    Returns
    -------
    Expectation's name → Outcome. Pages are at `reports/data_docs/index.html`.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.base import ProgressBarsConfig

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    workspace = Workspace(root)
    home = workspace.state / "gx"
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    now = dt.datetime.now(dt.UTC)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library about itself
        context = gx.get_context(mode="file", project_root_dir=str(home.parent))
        context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
        source = context.data_sources.add_pandas("workspace")
        run = RunIdentifier(run_time=now)
        outcomes: dict[str, Outcome] = {}
        for table, rows in tables.items():
            lines = [line for line in suite if line.table == table]
            batch = source.add_dataframe_asset(table).add_batch_definition_whole_dataframe("snapshot")
            translated = [_translate(line, tolerated) for line in lines]
            named = context.suites.add(gx.ExpectationSuite(name=table, expectations=translated))
            definition = gx.ValidationDefinition(name=table, data=batch, suite=named)
            checkpoint = gx.Checkpoint(
                name=table,
                validation_definitions=[context.validation_definitions.add(definition)],
                result_format="BASIC",
            )
            frame = _columns(rows, lines).to_pandas()
            result = context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": frame}, run_id=run)
            for one in next(iter(result.run_results.values())).results:
                outcomes[one.expectation_config.meta["name"]] = _outcome(one)
        context.build_data_docs(build_index=False)  # once for all tables; the index is ours
    publish(home / "uncommitted" / "data_docs" / "local_site", workspace.data_docs, now)
    return outcomes


def _outcome(result: Any) -> Outcome:
    return Outcome(bool(result.success), int(result.result.get("unexpected_count") or 0))


#: Rules that Great Expectations has no words for, or that cost it a Python call per row: it is shown the verdict.
_SHOWN = (
    "first_of_its_key",
    "length",
    "not_origin",
    "own_day",
    "paired_with",
    "printable",
    "wrapped_between",
)


def _is_shown(line: Expectation) -> bool:
    unbounded = line.rule == "finite_between" and set(line.arguments.values()) == {None}
    return unbounded or line.rule in _SHOWN


def _columns(rows: pl.DataFrame, lines: list[Expectation]) -> pl.DataFrame:
    """(n, …) the columns that the expectations read, in types that pandas is fast with, and the shown verdicts."""
    rules: dict[str, set[str]] = {}
    for line in lines:
        if not _is_shown(line):
            rules.setdefault(line.column, set()).add(line.rule)
    return rows.select(
        *(_fast(name, rows.schema[name], rules[name]).alias(name) for name in sorted(rules)),
        *(~broken(line) for line in lines if _is_shown(line)),
    )


def _fast(name: str, kind: pl.DataType, rules: set[str]) -> pl.Expr:
    """A column in a type that is not compared value by value; only whether it is there, where nothing else is asked."""
    if rules == {"present"}:
        return pl.when(pl.col(name).is_not_null()).then(1.0)
    if kind == pl.String:
        return pl.col(name).cast(pl.Categorical)
    return pl.col(name).cast(pl.Int64) if kind == pl.Int16 else pl.col(name)


def _translate(line: Expectation, tolerated: float) -> Any:
    """One record in the words of Great Expectations."""
    import great_expectations.expectations as gxe

    row = line.severity == "row"
    common: dict[str, Any] = {
        "meta": {"name": line.name},
        "notes": f"{line.name}: needed {line.needed}",
        "severity": "warning" if row else "critical",
    }
    if row:
        common["mostly"] = 1.0 - tolerated
    if _is_shown(line):
        return gxe.ExpectColumnValuesToBeInSet(column=line.name, value_set=[True], **common)
    if line.rule == "present":
        if actions := line.arguments.get("unless_action"):
            common |= {"row_condition": f"action not in {actions!r}", "condition_parser": "pandas"}
        return gxe.ExpectColumnValuesToNotBeNull(column=line.column, **common)
    if line.rule == "one_of":
        return gxe.ExpectColumnValuesToBeInSet(column=line.column, value_set=line.arguments["values"], **common)
    bounds = {"min_value": line.arguments["low"], "max_value": line.arguments["high"]}
    strict = {"strict_max": True} if line.rule == "before" else {}
    return gxe.ExpectColumnValuesToBeBetween(column=line.column, **bounds, **strict, **common)
