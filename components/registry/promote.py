"""From trained models to a champion: log, judge, promote, roll back. Plain functions; the flow and the CLI call them.

The order of a promotion is fixed: the artifact is verified, then the log's next entry is created (that is the
promotion), then MLflow's version and aliases follow. Whatever a crash leaves after the entry, `registry.reconcile`
finishes. Callers hold the workspace (`workspace.hold`); two who do not still have exactly one winner.
"""

from __future__ import annotations

import csv
import datetime as dt
import itertools
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from components.errors import IntegrityError, PromotionError
from components.evaluation.judgement import Judgement
from components.features.store import Store
from components.files import digest_of, fault, read_json, sha256_file, sha256_tree
from components.params import GateParams, Params
from components.registry import contest, decisions, promotions
from components.registry.artifact import Manifest, compose, load_artifact, verify
from components.registry.card import card
from components.registry.gate import Case, Decision, Side, decide
from components.registry.lineage import kept_text, lineage, window_record
from components.registry.promotions import Entry
from components.registry.tracking import runs, versions
from components.workspace import Workspace

#: Champions whose artifacts stay in the workspace besides the protected ones; older ones are fetched when needed.
KEEP = 5
_KINDS = {
    "memory": "A mixture of counts that move with every event.",
    "network": "A sequence model: a network over the user's history.",
    "blend": "A mixture of the memory and sequence models.",
}


def log_runs(root: Path, params: Params) -> list[str]:
    """Log every training and the evaluation of a workspace to MLflow, each result once; the ids of their runs."""
    name = params.workspace.name
    stages = [_training(root, params, one) for one in contest.candidates(root, params)]
    stages.append(_evaluation(root, params))
    return [runs.log_stage(root, name, stage)[0] for stage in stages]


def _training(root: Path, params: Params, one: contest.Contestant) -> runs.StageRun:
    workspace = Workspace(root)
    entry = params.training.models.get(one.name)
    described = entry.model_dump() if entry is not None else params.training.blend.model_dump()
    timing = workspace.timings / f"{one.name}.json"
    seconds = read_json(timing) if timing.is_file() else {}
    machine = {"cpus": psutil.cpu_count(), "memory_gb": round(psutil.virtual_memory().total / 1e9, 1)}
    return runs.StageRun(
        name=f"train {one.name}",
        key=digest_of({"train": sha256_tree(one.folder)}),
        params={"model": described, "loop": params.training.loop.model_dump(), "machine": machine},
        metrics={key: float(value) for key, value in seconds.items()},
        curves=_curves(one.folder / "curves.csv"),
        tags={"stage": "train", "model": one.name},
        datasets={"features": sha256_file(workspace.features / "store.json")},
        files=[one.folder / "curves.csv", one.folder / "config.json"],
    )


def _curves(path: Path) -> dict[str, list[float]]:
    """Column → its values, row by row; empty where there is no such file."""
    if not path.is_file():
        return {}
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = [name for name in (rows[0] if rows else {}) if name not in {"step", "epoch"}]
    return {name: [float(row[name]) for row in rows if row[name]] for name in names}


def _evaluation(root: Path, params: Params) -> runs.StageRun:
    reports = Workspace(root).reports
    record = read_json(reports / "metrics.json")
    data = read_json(reports / "evaluation.json")["data"]
    return runs.StageRun(
        name="evaluate",
        key=digest_of({"evaluate": sha256_file(reports / "evaluation.json")}),
        params={"evaluation": params.evaluation.model_dump()},
        metrics={f"{model}/{name}": float(v) for model, values in record.items() for name, v in values.items()},
        tags={"stage": "evaluate"},
        datasets={"log": str(data["digest"])},
        files=[reports / one for one in ("report.html", "evaluation.json", "metrics.json", "validation.json", "plots")],
    )


def run_gate(root: Path, params: Params) -> Decision:
    """Choose the challenger, pack it, and judge it against the champion on the promotion window.

    Returns
    -------
    Decision
        With outcome "nothing" where there is nothing to decide: the challenger is the champion, was refused or
        rolled back before, or no event came since the last promotion.
    """
    store = Store.load(Workspace(root).features)
    entries = promotions.history(root)
    chosen, values = contest.choose(contest.candidates(root, params), store, params)
    run_id = runs.find(root, params.workspace.name, _training(root, params, chosen).key)
    manifest = pack(root, params, store, chosen, run_id)
    window = {**window_record(store, contest.PROMOTION), "chosen_by": dict(values)}
    champion = _champion(root, params, entries)
    settled = _settled(root, entries, champion, manifest, window, params.gate)
    judged = contest.judgement_of(root, chosen.name)
    case = Case(
        user=judged.user,
        slices=contest.guarded(judged, params),
        window=window,
        expected=len(entries),
        looks=decisions.looks(root, str(window["digest"]), manifest.content),
        metric=params.evaluation.primary,
        settled=settled,
        draws=params.evaluation.bootstrap,
        seed=params.workspace.seed,
    )
    fresh = load_artifact(Workspace(root).artifact(manifest.digest), manifest.digest, catch_up=False)
    mine = contest.side(
        judged,
        manifest.digest,
        params,
        latency_ms=contest.p99_ms(fresh.predictor, store, params) if settled is None else float("nan"),
        size_mb=manifest.size_mb,
    )
    theirs = _other_side(root, params, store, champion, judged) if settled is None else _named(champion)
    decision = decide(mine, theirs, contest.baselines(root, params), case, params.gate)
    _keep(root, params, manifest, decision)
    return decision


def pack(root: Path, params: Params, store: Store, one: contest.Contestant, run_id: str | None) -> Manifest:
    """Pack a candidate model, trained in the run `run_id`, as an artifact of the workspace."""
    workspace = Workspace(root)
    entry = params.training.models.get(one.name)
    origin = lineage(root, store, run_id)
    evaluation = read_json(workspace.reports / "evaluation.json")
    text = card(params.workspace.name, one.name, _KINDS[entry.kind if entry else "blend"], evaluation, origin)
    return compose(
        workspace.artifacts,
        one.folder,
        store,
        name=one.name,
        history=params.serving.history,
        lineage=origin,
        card=text,
    )


def _champion(root: Path, params: Params, entries: Sequence[Entry]) -> tuple[Entry, Manifest] | None:
    """The last entry and its artifact, verified; brought back from the registry where it is gone or damaged."""
    if not entries:
        return None
    return entries[-1], whole(root, params, entries[-1].digest)


def whole(root: Path, params: Params, digest: str) -> Manifest:
    """An artifact, verified; brought back from the registry where it is gone or damaged."""
    folder = Workspace(root).artifact(digest)
    try:
        return verify(folder, digest)
    except IntegrityError:
        versions.fetch(root, params.workspace.name, digest)
        return verify(folder, digest)


def _settled(
    root: Path,
    entries: Sequence[Entry],
    champion: tuple[Entry, Manifest] | None,
    manifest: Manifest,
    window: Mapping[str, Any],
    bounds: GateParams,
) -> str | None:
    """Why there is nothing to decide, if there is not."""
    if champion is not None and champion[1].content == manifest.content:
        return f"The challenger is the champion of entry {champion[0].sequence}, byte for byte."
    for entry, after in itertools.pairwise(entries):
        if after.kind == "rollback" and after.returns_to != entry.sequence and entry.content == manifest.content:
            return f"The challenger was champion as entry {entry.sequence}, and was rolled back."
    for entry in reversed(entries):
        if entry.window is not None and entry.window["digest"] == window["digest"]:
            return (
                f"The promotion window was already judged for entry {entry.sequence}: without new events there is "
                "nothing to promote."
            )
    if champion is not None:
        cut = _cut_off(root, champion[1])
        if int(window["start_s"]) <= cut:
            return (
                f"The promotion window begins before the champion's own windows ended ({_utc(cut)}): it cannot be "
                "judged there. Take newer days."
            )
    earlier = decisions.recall(root, str(window["digest"]), manifest.content, bounds)
    if earlier is not None and earlier.outcome == "refuse":
        return f"The same challenger was refused on the same window before: {earlier.summary}"
    return None


def _cut_off(root: Path, champion: Manifest) -> int:
    """The last second (UTC) that the champion was fitted or chosen on."""
    windows = read_json(Workspace(root).artifact(champion.digest) / "lineage.json")["windows"]
    return max((int(span["stop_s"]) for name, span in windows.items() if name in {"train", "tune", "blend"}), default=0)


def _utc(time_s: int) -> str:
    return dt.datetime.fromtimestamp(time_s, dt.UTC).isoformat(" ", "minutes")


def _named(champion: tuple[Entry, Manifest] | None) -> Side | None:
    return Side(champion[0].model, champion[0].digest, np.empty(0)) if champion is not None else None


def _other_side(
    root: Path,
    params: Params,
    store: Store,
    champion: tuple[Entry, Manifest] | None,
    judged: Judgement,
) -> Side | None:
    if champion is None:
        return None
    entry, manifest = champion
    loaded = load_artifact(Workspace(root).artifact(entry.digest), entry.digest, catch_up=False)
    own, log = contest.rescore(root, params, store, loaded)
    contest.comparable(judged, own)
    latency_ms = contest.p99_ms(loaded.predictor, log, params)
    return contest.side(own, entry.digest, params, latency_ms=latency_ms, size_mb=manifest.size_mb)


def _keep(root: Path, params: Params, manifest: Manifest, decision: Decision) -> None:
    """Remember a decision and show the challenger in the registry; drop what was packed for nothing."""
    folder = Workspace(root).artifact(manifest.digest)
    if decision.outcome == "nothing":
        known = {entry.digest for entry in promotions.history(root)}
        before = decisions.last(root)
        if manifest.digest not in known and (before is None or before.digest != manifest.digest):
            shutil.rmtree(folder)
        return
    decisions.remember(root, manifest.content, params.gate, decision)
    tags = versions.tags_of({"outcome": decision.outcome, "summary": decision.summary, "model": decision.challenger})
    versions.register(root, params.workspace.name, manifest.digest, tags)
    versions.point(root, params.workspace.name, {"challenger": manifest.digest}, 0)
    promotions.prune(root, KEEP, protect=[manifest.digest])


def promote(root: Path, params: Params, decision: Decision) -> Entry:
    """Make the challenger of a positive decision the champion.

    Called again for the same decision (after a crash or a lost answer) it finishes what is left and adds no entry.

    Raises
    ------
    PromotionError
        The decision is not to promote.
    IntegrityError
        The artifact is not what was judged; the old champion stands.
    StalePromotion
        Another champion was promoted since the decision.
    ServiceError
        The promotion stands, but MLflow does not answer: `reconcile` will bring it up to date.
    """
    if not decision.promote:
        raise PromotionError("a decision to promote", found=decision.summary, do="See `chronotope promote`.")
    entries = promotions.history(root)
    if len(entries) == decision.expected + 1 and entries[-1].digest == decision.digest:
        follow(root, params)
        return entries[-1]
    loaded = load_artifact(Workspace(root).artifact(decision.digest), decision.digest)
    entry = promotions.append(
        root,
        expected=decision.expected,
        kind="promote",
        model=decision.challenger,
        digest=decision.digest,
        content=loaded.manifest.content,
        reason=decision.summary,
        decision={name: value for name, value in decision.as_record().items() if name != "window"},
        window=decision.window,
        dvc_lock=kept_text(Workspace(root).dvc_lock),
        params=kept_text(Workspace(root).params),
    )
    fault("after-log-entry")
    follow(root, params)
    return entry


def rollback(root: Path, params: Params, to: int | None = None, reason: str | None = None) -> Entry:
    """Go back to an earlier champion (see `promotions.rollback`), and let MLflow follow."""
    entry = promotions.rollback(root, to, reason)
    fault("after-log-entry")
    follow(root, params)
    return entry


def adopt(root: Path, params: Params) -> Entry:
    """Take over a champion alias that a person moved: an entry of its own, after the artifact has been verified.

    Raises
    ------
    PromotionError
        The alias is where the log says, or points to a version that holds no artifact of ours.
    """
    entries = promotions.history(root)
    here = versions.read(root, params.workspace.name)
    digest = here.aliases.get("champion")
    if digest is None or not entries or digest == entries[-1].digest or digest not in here.versions:
        raise PromotionError(
            "a champion alias that was moved to another version of ours",
            found=f"it at {digest or 'nothing'}",
            do="Move the alias to a version that Chronotope registered, or promote through the gate.",
        )
    whole(root, params, digest)
    loaded = load_artifact(Workspace(root).artifact(digest), digest)
    entry = promotions.append(
        root,
        expected=len(entries),
        kind="adopt",
        model=loaded.name,
        digest=digest,
        content=loaded.manifest.content,
        reason=f"The alias champion was moved by hand to version {here.versions[digest]}, and taken over on request.",
    )
    fault("after-log-entry")
    follow(root, params)
    return entry


def expected_aliases(root: Path) -> dict[str, str | None]:
    """Alias → digest as the log and the last decision have it."""
    entries = promotions.history(root)
    before = promotions.fallback(entries)
    decision = decisions.last(root)
    challenger = decision.digest if decision is not None and decision.outcome == "refuse" else None
    return {
        "champion": entries[-1].digest if entries else None,
        "previous": before.digest if before is not None else None,
        "challenger": challenger,
    }


def follow(root: Path, params: Params) -> None:
    """Bring MLflow's versions and aliases up to the promotion log."""
    entries = promotions.history(root)
    if not entries:
        return
    name, entry = params.workspace.name, entries[-1]
    tags = versions.tags_of(
        {"sequence": entry.sequence, "model": entry.model, "kind": entry.kind, "git": entry.git_sha}
    )
    versions.register(root, name, entry.digest, tags)
    fault("after-version")
    versions.point(root, name, expected_aliases(root), entry.sequence)
