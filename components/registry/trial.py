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
from dataclasses import dataclass, field
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
    "average": "An average of the memory and sequence models, with given weights.",
    "pool": "A product of what the memory and sequence models say, with given weights.",
    "stack": "A product of what the memory and sequence models say, with learned weights.",
    "trees": "Trees that rank what the memory, sequence models and others propose.",
    "gate": "A mixture of counts and models, weighed by what the question is like.",
}


@dataclass(frozen=True)
class Challenger:
    """Who stands trial.

    Attributes
    ----------
    one : its name and folder
    judged : how it answered the promotion window
    evaluation : record of that, which its card is written from
    run_id : of its training in MLflow, where it was logged
    chosen_by : each candidate's value on the blend window, where there was a choice
    more : what its lineage tells besides
    """

    one: contest.Contestant
    judged: Judgement
    evaluation: Mapping[str, Any]
    run_id: str | None
    chosen_by: Mapping[str, float] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


def run_gate(root: Path, params: Params, challenger: str | None = None) -> Decision:
    """Choose the challenger among what was trained, and try it: see `gate_of`.

    `challenger` names a candidate model that is not the best, but smaller or faster; None: the best.
    """
    store = Store.load(Workspace(root).features)
    return gate_of(root, params, store, _standing(root, params, store, challenger))


def pack_candidate(root: Path, params: Params, name: str) -> Manifest:
    """Pack a candidate model that stands no trial: an experiment tries it on people."""
    store = Store.load(Workspace(root).features)
    return pack(root, params, store, _standing(root, params, store, name))


def _standing(root: Path, params: Params, store: Store, challenger: str | None) -> Challenger:
    """A candidate model of that name, or the best, with what is known of it."""
    chosen, values = contest.choose(root, contest.candidates(root, params, challenger), store, params)
    logger.info("challenger: %s", chosen.name)
    run_id = runs.find(root, params.workspace.name, results.training(root, params, chosen).key)
    evaluation = read_json(Workspace(root).reports / "evaluation.json")
    judged = contest.judgement_of(root, chosen.name)
    return Challenger(chosen, judged, evaluation, run_id, values)


def gate_of(root: Path, params: Params, store: Store, challenger: Challenger) -> Decision:
    """Pack a challenger, and judge it against the champion on the promotion window.

    Parameters
    ----------
    root, params, store : of the workspace
    challenger : who stands trial

    Returns
    -------
    Decision
        With outcome "nothing" where there is nothing to decide: the challenger is the champion, was refused or
        rolled back before, or no event came since the last promotion.
    """
    begin = time.monotonic()
    entries = promotions.history(root)
    chosen, judged = challenger.one, challenger.judged
    manifest = pack(root, params, store, challenger)
    window = {**window_record(store, contest.PROMOTION), "chosen_by": dict(challenger.chosen_by)}
    champion = _champion(root, params, entries)
    settled = _settled(root, entries, champion, manifest, window, params.gate)
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


def pack(root: Path, params: Params, store: Store, challenger: Challenger) -> Manifest:
    """Pack a candidate model as an artifact of the workspace."""
    workspace, one = Workspace(root), challenger.one
    origin = {**lineage(root, store, challenger.run_id), **challenger.more}
    text = card(params.workspace.name, one.name, _KINDS[_kind(one.name, params)], challenger.evaluation, origin)
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
    models = params.training.models
    if name in params.training.compressed:
        return "compressed"
    methods = {name: str(one.method) for name, one in params.training.ensembles.items()}
    methods |= {name: one.method for name, one in params.training.rankers.items()}
    return models[name].kind if name in models else methods.get(name, "blend")


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
        known = {entry.digest for entry in promotions.history(root)} | promotions.protected(root)
        before = decisions.last(root)
        if manifest.digest not in known and (before is None or before.digest != manifest.digest):
            shutil.rmtree(folder)
        return
    decisions.remember(root, manifest.content, params.gate, decision)
    tags = versions.tags_of({"outcome": decision.outcome, "summary": decision.summary, "model": decision.challenger})
    versions.register(root, params.workspace.name, manifest.digest, tags)
    versions.point(root, params.workspace.name, {"challenger": manifest.digest}, 0)
    promotions.prune(root, KEEP, protect=[manifest.digest])
