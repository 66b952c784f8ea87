"""The trial of a challenger: who it is, its artifact, and what the gate says of it against the champion.

Never here: how the two are scored (`registry.contest`), what the gate asks for (`registry.gate`), and what becomes of
its decision (`registry.promote`).
"""

from __future__ import annotations

import datetime as dt
import itertools
import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components.errors import IntegrityError
from components.evaluation.judgement import Judgement
from components.features.store import Store
from components.files import read_json
from components.params import GateParams, Params
from components.registry import contest, decisions, promotions, results
from components.registry.artifact import Manifest, compose, load_artifact, verify
from components.registry.card import card
from components.registry.decision import Case, Decision, Side
from components.registry.gate import decide
from components.registry.lineage import lineage, window_record
from components.registry.promotions import Entry
from components.registry.tracking import runs, versions
from components.workspace import Workspace

logger = logging.getLogger(__name__)
#: Champions whose artifacts stay in the workspace besides the protected ones; older ones are fetched when needed.
KEEP = 5
_KINDS = {
    "memory": "A mixture of counts that move with every event.",
    "network": "A sequence model: a network over the user's history.",
    "compressed": "A sequence model made smaller or faster out of another.",
    "blend": "A mixture of the memory and sequence models.",
    "trees": "Trees that rank what the memory, sequence models and others propose.",
    "gate": "A mixture of counts and models, weighed by what the question is like.",
}


def run_gate(root: Path, params: Params, challenger: str | None = None) -> Decision:
    """Choose the challenger, pack it, and judge it against the champion on the promotion window.

    Parameters
    ----------
    root, params : of the workspace
    challenger : a candidate model by its name, for one that is not the best but smaller or faster; None: the best

    Returns
    -------
    Decision
        With outcome "nothing" where there is nothing to decide: the challenger is the champion, was refused or
        rolled back before, or no event came since the last promotion.
    """
    begin = time.monotonic()
    store = Store.load(Workspace(root).features)
    entries = promotions.history(root)
    chosen, values = contest.choose(root, contest.candidates(root, params, challenger), store, params)
    logger.info("challenger: %s", chosen.name)
    run_id = runs.find(root, params.workspace.name, results.training(root, params, chosen).key)
    manifest = pack(root, params, store, chosen, run_id)
    window = {**window_record(store, contest.PROMOTION), "chosen_by": dict(values)}
    champion = _champion(root, params, entries)
    settled = _settled(root, entries, champion, manifest, window, params.gate)
    judged = contest.judgement_of(root, chosen.name)
    counters = contest.baselines(root, params) if champion is None and settled is None else []
    case = Case(
        user=judged.user,
        slices=contest.guarded(root, judged, store, params),
        window=window,
        expected=len(entries),
        looks=decisions.looks(root, str(window["digest"]), manifest.content),
        metric=params.evaluation.primary,
        settled=settled,
        draws=params.evaluation.bootstrap,
        seed=params.workspace.seed,
        unscored=contest.unscored(counters, params),
        groups=contest.apart(root, judged, store, params),
    )
    mine, theirs = Side(chosen.name, manifest.digest, np.empty(0)), _named(champion)
    if settled is None:
        mine = _own_side(root, params, store, manifest, judged)
        theirs = _other_side(root, params, store, champion, judged)
    decision = decide(mine, theirs, counters, case, params.gate)
    _keep(root, params, manifest, decision)
    logger.info("gate: %s (%.1f s)", decision.outcome, time.monotonic() - begin)
    return decision


def pack(root: Path, params: Params, store: Store, one: contest.Contestant, run_id: str | None) -> Manifest:
    """Pack a candidate model, trained in the run `run_id`, as an artifact of the workspace."""
    workspace = Workspace(root)
    origin = lineage(root, store, run_id)
    evaluation = read_json(workspace.reports / "evaluation.json")
    text = card(params.workspace.name, one.name, _KINDS[_kind(one.name, params)], evaluation, origin)
    return compose(
        workspace.artifacts,
        one.folder,
        store,
        name=one.name,
        history=params.serving.history,
        lineage=origin,
        card=text,
    )


def _kind(name: str, params: Params) -> str:
    models, rankers = params.training.models, params.training.rankers
    if name in params.training.compressed:
        return "compressed"
    return models[name].kind if name in models else rankers[name].method if name in rankers else "blend"


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


def _own_side(root: Path, params: Params, store: Store, manifest: Manifest, judged: Judgement) -> Side:
    """The challenger as the evaluate stage judged it; its speed is measured here, of the very artifact."""
    logger.info("timing %s …", judged.model)
    fresh = load_artifact(Workspace(root).artifact(manifest.digest), manifest.digest, catch_up=False)
    latency_ms = contest.p99_ms(fresh.predictor, store, params)
    return contest.side(judged, manifest.digest, params, latency_ms=latency_ms, size_mb=manifest.size_mb)


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
    logger.info("asking the champion %s what %s was asked …", entry.model, judged.model)
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
