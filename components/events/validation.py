"""The stage `validate`: the snapshot in, clean events and a quarantine out, or one clear reason why not.

    data/events, data/catalogue → data/validated/{events,quarantine}.parquet, reports/{validation.json,data_docs/}

Rows that break a rule go to quarantine with its name; doubtful ones are flagged and kept; a batch that differs from
the log's own earlier part (`components.events.reference`) stops the flow. Cheap columnar checks come first, then
Great Expectations on the same records. A failing batch leaves the report, the pages and, for a person to look at,
`data/quarantine/validation.parquet`; `data/validated` stays as it was. Days are read in chunks of whole days, so
memory grows with the largest of a day and about a million rows, plus 8 bytes a row for the keys.

Never here: mending values, or anything that needs a clock.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from components.errors import ConservationError, ValidationFailed
from components.events.batch import batch_row, batch_suite, judged_days
from components.events.catalogue_check import FAULTS, check_catalogue
from components.events.contract import SCHEMA
from components.events.expectations import Outcome, run_checkpoint
from components.events.flags import FLAGS, Flagger, spread_of, tick_of
from components.events.offenders import Explainer
from components.events.reference import Reference, fit
from components.events.sieve import Sieve
from components.events.snapshot import Snapshot
from components.events.suite import Expectation, broken
from components.events.validation_report import Failure, ValidationReport, show_events
from components.files import replace_folder, sha256_file, write_json, write_with
from components.params import Params
from components.workspace import Workspace

#: Columns that may hold outlying numbers.
OUTLYING = ("value", "duration_s")
#: Columns of few distinct texts.
_FEW = ["action", "device"]
_COMPATIBLE = pl.CompatLevel.oldest()  # plain strings, which every reader of Parquet knows


def validate(root: Path, params: Params) -> ValidationReport:
    """Validate the workspace's snapshot.

    Parameters
    ----------
    root : Path
        The workspace.
    params : Params

    Returns
    -------
    ValidationReport
        Of a batch that passed.

    Raises
    ------
    SchemaError, DataError
        The snapshot cannot be read as events; nothing was written.
    ValidationFailed
        The batch broke the contract; the report and the Data Docs were written.
    ConservationError
        Rows were lost, which is a defect.
    """
    workspace = Workspace(root)
    snapshot = Snapshot.of(workspace.events, params.events.until)
    catalogue = check_catalogue(workspace.catalogue)
    sieve = Sieve(snapshot, params)
    reference, judged = fit(sieve.days, params)
    batch = batch_suite(params, FAULTS)
    tables = {
        "days": judged_days(judged, reference, params),
        "batch": batch_row(sieve.days, sieve.missing, catalogue.counts()),
    }
    if params.events.time_kind == "ordinal":  # made-up days have nothing to be held to
        del tables["days"]
    with replace_folder(workspace.validated) as out, ThreadPoolExecutor(1) as beside:
        # Writing is native code: it runs beside Great Expectations, which is Python.
        flagger = _flagger(snapshot, reference, params)
        writing = beside.submit(_write_kept, sieve, flagger, out / "events.parquet")
        sieve.quarantine.write_parquet(out / "quarantine.parquet")
        broken_lines = [line for line in batch if tables[line.table].select(broken(line).any()).item()]
        explainer = Explainer(snapshot, sieve, reference, catalogue)
        failures = [explainer.explain(line, tables[line.table]) for line in broken_lines]
        seen = {"events": sieve.sample, **tables}
        outcomes = run_checkpoint(root, [*sieve.suite, *batch], seen, params.validation.max_quarantined)
        failures += _disagreements(batch, {line.name for line in broken_lines}, outcomes)
        flags, users, items = writing.result()
        report = ValidationReport(
            rows_in=snapshot.rows,
            kept=sieve.kept,
            quarantined=len(sieve.quarantine),
            users=users,
            items=items,
            rules=_rules(sieve, batch, tables),
            days=_day_records(snapshot, sieve.days, judged),
            action_mix=_action_mix(reference, judged),
            flags=flags,
            reference=reference.record(),
            expectations={
                "evaluated": len(outcomes),
                "passed": sum(outcome.passed for outcome in outcomes.values()),
                "rows": len(sieve.sample),
            },
            catalogue={"rows": dict(catalogue.rows), "faults": catalogue.counts()},
            notices=_notices(users, reference, sieve, snapshot),
            failures=failures,
        )
        write_json(workspace.reports / "validation.json", report.record())
        if failures:
            write_with(workspace.quarantine / "validation.parquet", sieve.quarantine.write_parquet)
            raise _failed(failures)
    return report


def _write_kept(sieve: Sieve, flagger: Flagger, path: Path) -> tuple[dict[str, int], int, int]:
    """Flag the kept rows and write them; flag → rows, users, items."""
    counts = dict.fromkeys(FLAGS, 0)
    seen: dict[str, list[pl.Series]] = {"user_id": [], "item_id": []}
    rows = 0
    schema = pl.DataFrame(schema={**SCHEMA, "flags": pl.Int8}).to_arrow(compat_level=_COMPATIBLE).schema
    # A dictionary of ids costs more than it saves; lz4 takes less time than zstd.
    with pq.ParquetWriter(path, schema, compression="lz4", use_dictionary=_FEW, write_statistics=False) as writer:
        for chunk in sieve.kept_chunks():
            flagged = flagger.flag(chunk)
            rows += len(flagged)
            for name, bit in FLAGS.items():
                counts[name] += int(flagged.select((pl.col("flags").cast(pl.Int16) & (1 << bit) != 0).sum()).item())
            for name, parts in seen.items():
                parts.append(flagged[name].unique())
            writer.write_table(flagged.to_arrow(compat_level=_COMPATIBLE))
    if rows != sieve.kept:
        raise ConservationError(
            f"{sieve.kept:,} kept rows in {path.name}",
            found=f"{rows:,}",
            do="This is a defect: report it with the snapshot.",
        )
    users, items = (pl.concat(parts).drop_nulls().n_unique() for parts in seen.values())
    return counts, users, items


def _flagger(snapshot: Snapshot, reference: Reference, params: Params) -> Flagger:
    """Flags by the spread and the clock of the reference span."""
    span = [path for day, path in snapshot.files.items() if reference.first_day <= str(day) <= reference.last_day]
    values = pl.scan_parquet(span, hive_partitioning=False).select("timestamp", *OUTLYING).collect()
    return Flagger(params, {name: spread_of(values, name) for name in OUTLYING}, tick_of(values["timestamp"]))


def _disagreements(batch: list[Expectation], found: set[str], outcomes: dict[str, Outcome]) -> list[Failure]:
    """Expectations of days and batch on which the two engines differ: neither is believed."""
    return [
        Failure(
            line.name,
            line.needed,
            "Great Expectations and the columnar check of one table to differ",
            "This is a defect: report it with reports/validation.json.",
            [],
        )
        for line in batch
        if outcomes[line.name].passed == (line.name in found)
    ]


def _rules(sieve: Sieve, batch: list[Expectation], tables: dict[str, pl.DataFrame]) -> dict[str, dict[str, Any]]:
    """Every expectation with its counts."""
    rows = {
        line.name: {
            "needed": line.needed,
            "severity": line.severity,
            "broken": sieve.broken[line.name],
            "caught": sieve.caught[line.name],
        }
        for line in sieve.suite
    }
    for line in batch:
        count = int(tables[line.table].select(broken(line).sum()).item())
        furthest = tables[line.table].select(pl.col(line.column).max()).item()
        rows[line.name] = {
            "needed": line.needed,
            "severity": line.severity,
            "broken": count,
            "caught": 0,
            "largest": None if furthest is None else float(furthest),
        }
    return rows


def _day_records(snapshot: Snapshot, days: pl.DataFrame, judged: pl.DataFrame) -> list[dict[str, Any]]:
    held = set(judged["day"])
    return [
        {**row, "day": str(row["day"]), "judged": row["day"] in held, "sha256": sha256_file(snapshot.files[row["day"]])}
        for row in days.select("day", "rows", "kept", "users").iter_rows(named=True)
    ]


def _action_mix(reference: Reference, judged: pl.DataFrame) -> dict[str, dict[str, float]]:
    rows = max(int(judged["rows"].sum()), 1)
    return {
        name: {"reference": share, "judged": int(judged[f"action_{name}"].sum()) / rows}
        for name, share in reference.action_share.items()
    }


def _notices(users: int, reference: Reference, sieve: Sieve, snapshot: Snapshot) -> list[str]:
    """What a person should know though nothing is broken."""
    notices = []
    if reference.whole:
        notices.append("the log is too short for an earlier part; its days were held to their own median")
    if users == 1:
        notices.append("one user only: nothing can be learned from other people")
    if len(sieve.sample) < snapshot.rows:
        notices.append(f"Great Expectations saw a sample of {len(sieve.sample):,} of {snapshot.rows:,} rows")
    return notices


def _failed(failures: list[Failure]) -> ValidationFailed:
    first, *others = failures
    events = show_events(first.events)
    found = first.found + (f"; the first of the events:\n{events}\n  " if events else "")
    also = f" Also broken: {', '.join(one.name for one in others)}." if others else ""
    return ValidationFailed(
        first.needed,
        found=found,
        do=f"{first.do}{also} All of it: reports/validation.json, reports/data_docs/index.html.",
    )
