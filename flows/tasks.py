"""The steps of the flows as Prefect tasks: thin shells around functions that run without Prefect.

Tasks pass paths and small records, and cache nothing: DVC alone decides what is stale. Each is retried only for
what can pass by itself (a busy lock, a server that does not answer), never for bad data or a refusal.
`step.fn(…)` calls the plain function.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from prefect import task
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE

from components.errors import BusyError, ServiceError
from components.files import read_json
from components.params import Params, load_params
from flows import stages, taking


def passes_by_itself(task: Any, run: Any, state: Any) -> bool:
    """Whether trying again can help: only for another command's lock or a server that does not answer."""
    del task, run
    return isinstance(state.result(raise_on_failure=False), (BusyError, ServiceError))


def limits_of(params: Params) -> dict[str, Any]:
    """How long a task may take and how often it is tried, as `with_options` takes them."""
    flow = params.flow
    return {"timeout_seconds": flow.timeout_s, "retries": flow.retries, "retry_delay_seconds": flow.retry_delay_s}


@task(name="ingest", cache_policy=NO_CACHE, retry_condition_fn=passes_by_itself)
def ingest(root: str, until: dt.date | None, replace: tuple[dt.date, dt.date] | None = None) -> dict[str, Any]:
    """Take what is new into `data/events`, and put the snapshot under DVC."""
    record, hashes = taking.take_in(Path(root), until, replace)
    rows = [{"what": name, "value": str(value)} for name, value in record.items()]
    create_table_artifact(key="ingest", table=rows, description=taking.sentence(record))
    return record | {"snapshot": hashes}


@task(name="collect", cache_policy=NO_CACHE, retry_condition_fn=passes_by_itself)
def collect(root: str) -> dict[str, Any] | None:
    """Bring what came in live into `data/live`, for ingest to read; None where nothing ever did."""
    return taking.collect_live(Path(root))


@task(name="stage", task_run_name="{stage}", cache_policy=NO_CACHE, retry_condition_fn=passes_by_itself)
def run_stage(root: str, stage: str) -> dict[str, Any]:
    """Run one DVC stage when it is stale."""
    done = stages.reproduce(Path(root), stage)
    return {"stage": done.stage, "ran": done.ran, "seconds": round(done.seconds, 2)}


@task(name="log", cache_policy=NO_CACHE, retry_condition_fn=passes_by_itself)
def log_runs(root: str) -> list[str]:
    """Log every stage that was not logged yet (keyed by the digest of its outputs) to MLflow."""
    from components.registry.results import log_runs as log

    workspace = Path(root)
    runs = log(workspace, load_params(workspace / "params.yaml"))
    report = workspace / "reports" / "report.html"
    create_link_artifact(key="report", link=report.as_uri(), link_text="The report of this run")
    return list(runs)


@task(name="gate", cache_policy=NO_CACHE)
def gate(root: str) -> dict[str, Any]:
    """Judge the challenger against the champion on the promotion window; a readable record of the decision."""
    from components.registry.trial import run_gate

    workspace = Path(root)
    decision = run_gate(workspace, load_params(workspace / "params.yaml"))
    record = decision.as_record()
    create_markdown_artifact(key="verdict", markdown=verdict(record), description="What the gate decided, and why.")
    table = read_json(workspace / "reports" / "metrics.json")
    rows = [{"model": name, **values} for name, values in table.items() if isinstance(values, dict)]
    if rows:
        create_table_artifact(key="models", table=rows, description="Models beside the baselines, on the test window.")
    return dict(record)


@task(name="renew", cache_policy=NO_CACHE, retry_condition_fn=passes_by_itself)
def renew(root: str) -> dict[str, Any]:
    """Let the champion learn the new days, and judge what became of it; `cannot` says why there is no update."""
    from components.errors import NoUpdate
    from components.updating.update import update

    workspace = Path(root)
    try:
        record = dict(update(workspace, load_params(workspace / "params.yaml")))
    except NoUpdate as error:
        return {"cannot": str(error)}
    rows = [{"what": name, "value": str(value)} for name, value in record.items()]
    create_table_artifact(key="update", table=rows, description="What the champion learned, and from what it started.")
    return record


@task(name="gate update", cache_policy=NO_CACHE)
def gate_update(root: str) -> dict[str, Any]:
    """Judge the update against the champion on the promotion window; a readable record of the decision."""
    from components.updating.update import gate as ask

    workspace = Path(root)
    record = dict(ask(workspace, load_params(workspace / "params.yaml")).as_record())
    create_markdown_artifact(key="verdict", markdown=verdict(record), description="What the gate decided, and why.")
    return record


def verdict(record: dict[str, Any]) -> str:
    """The decision as Markdown."""
    head = {"promote": "**Promoted**", "refuse": "**Refused**"}.get(record["outcome"], "**Nothing to promote**")
    lines = [f"- {'✓' if check['passed'] else '✗'} {check['sentence']}" for check in record["checks"]]
    return f"{head}: {record['summary']}\n\n" + "\n".join(lines)


@task(name="promote", cache_policy=NO_CACHE, retry_condition_fn=passes_by_itself)
def promote(root: str, decision: dict[str, Any]) -> dict[str, Any]:
    """Verify, pack and promote: the log's next entry, then the registry's aliases."""
    from components.registry.decision import Decision
    from components.registry.promote import promote as put

    workspace = Path(root)
    entry = put(workspace, load_params(workspace / "params.yaml"), Decision.from_record(decision))
    return {"sequence": entry.sequence, "model": entry.model, "digest": entry.digest}


@task(name="package", cache_policy=NO_CACHE)
def package(root: str) -> str:
    """Build the Bento of the champion, in a process of its own (only `bento/` imports bentoml)."""
    import subprocess
    import sys

    from components.errors import ChronotopeError

    done = subprocess.run(
        [sys.executable, "-m", "bento.build", "--workspace", root], check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise ChronotopeError("a Bento of the champion", found=done.stderr.strip()[-400:], do="Mend it and run again.")
    return done.stdout.strip().splitlines()[-1]


@task(name="evolve", cache_policy=NO_CACHE, retry_condition_fn=passes_by_itself)
def evolve(root: str, again: bool = False) -> dict[str, Any]:
    """Tell how behaviour evolves, unless the report that stands rests on the same; what changed, for people."""
    from components.evolve import evolve as analyse
    from components.evolve import standing

    workspace = Path(root)
    params = load_params(workspace / "params.yaml")
    told = None if again else standing(workspace, params)
    made = told is None
    if told is None:
        analyse(workspace, params)
        told = read_json(workspace / "reports" / "evolution" / "summary.json")
    lines = [f"- {one['text']}" for one in told["changed"]] or ["- Nothing to compare with."]
    head = f"**Report {told['number']}** ({told['version']}), {told['log']['first']} to {told['log']['last']}"
    create_markdown_artifact(key="evolution", markdown=f"{head}\n\n" + "\n".join(lines), description="What changed.")
    page = workspace / "reports" / "evolution" / "index.html"
    create_link_artifact(key="evolution-page", link=page.as_uri(), link_text="How behaviour evolves")
    return {"made": made} | {name: told[name] for name in ("number", "version", "since", "changed")}
