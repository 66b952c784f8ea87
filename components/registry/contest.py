"""Challenger and champion on the same window: who is the challenger, and what the gate is told of each side.

The challenger is chosen on the blend window, before the promotion window, on which the report and the gate then look
at it once. (A blend's few weights were fitted on the blend window: with thousands of queries that is worth nothing
that the gate would not see. Of what the trees of a ranker were told, nobody is asked.) The champion is asked the same
queries in its own encoding, from the state that it was fitted in, taught what happened since up to the window. Never
here: the decision.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components import learners
from components.code import CODE, code_digest
from components.errors import ConfigError, DataError, IntegrityError
from components.evaluation.calibration import item_reliability
from components.evaluation.groups import groups_of
from components.evaluation.judge import judge, judge_by, teach
from components.evaluation.judgement import Judgement, same_queries
from components.evaluation.metrics import coverage
from components.evaluation.progress import spoken
from components.evaluation.protocol import Protocol, make_queries
from components.evaluation.slices import Masks, declared, flat, slices
from components.features.pack import pack
from components.features.store import WINDOWS, Store
from components.files import digest_of, read_json, sha256_file, sha256_tree, write_json
from components.params import Params
from components.predictor import Predictor, Queries, Window
from components.registry.artifact import LoadedArtifact
from components.registry.decision import Side
from components.workspace import Workspace

logger = logging.getLogger(__name__)
#: The window that the gate looks at.
PROMOTION = "test"
_CHOICE = "blend"
_SECONDARY = ("hr@1", "hr@10", "mrr")
#: Dimensions of slices that are known only with the answer: probability that is given to one is taken from another,
#: so a better model may well lose in one of them. All others (who asks, when, with how much history) are guarded, and
#: so are the groups that are declared, of users and of items.
_OF_THE_ANSWER = ("action", "choice", "item", "popularity of the answer")
_TIMED, _WARM, _AGAIN = 200, 20, 2


@dataclass(frozen=True)
class Contestant:
    """A candidate model: its name and the folder that it was saved in."""

    name: str
    folder: Path


def candidates(root: Path, params: Params, only: str | None = None) -> list[Contestant]:
    """The candidate models of a workspace: all of `training.models`, and what of all that is made of them may be
    promoted.

    `only` leaves the one of that name.

    Raises
    ------
    ConfigError
        No candidate has that name.
    DataError
        One of them was not trained.
    """
    workspace = Workspace(root)
    found = [Contestant(name, workspace.model(name)) for name in params.training.models]
    compressed, mixed = params.training.compressed, params.training.mixed
    found += [Contestant(name, workspace.model(name)) for name, one in compressed.items() if one.candidate]
    found += [Contestant(name, workspace.blends / name) for name, one in mixed.items() if one.candidate]
    if only is not None and only not in {one.name for one in found}:
        names = ", ".join(one.name for one in found)
        raise ConfigError(f"a candidate model of {names}", found=f"`{only}`", do="Name one that may be promoted.")
    found = [one for one in found if only in (None, one.name)]
    for one in found:
        if not one.folder.is_dir():
            raise DataError(f"the trained model {one.name}", found=f"nothing at {one.folder}", do="Run its stage.")
    return found


def choose(
    root: Path, contestants: Sequence[Contestant], store: Store, params: Params
) -> tuple[Contestant, Mapping[str, float]]:
    """The candidate with the best primary metric on the blend window, and everyone's value there.

    Only what came after all that any of them learned item by item is asked: the trees of a ranker grow on the older
    part of the window, and would be asked what they were told.

    A value is kept in the workspace under a digest of all that it depends on, and not computed twice.
    """
    if len(contestants) == 1:
        return contestants[0], {}
    since_s = max(int(read_json(one.folder / "config.json").get("learned_until_s", 0)) for one in contestants)
    common = {
        "since_s": since_s,
        "features": sha256_file(Workspace(root).features / "store.json"),
        "evaluation": params.evaluation.model_dump(mode="json"),
        "queries": params.training.loop.max_tune_queries,
        "seed": params.workspace.seed,
        "code": code_digest(CODE["evaluate"]),
    }
    values = {}
    for one in contestants:
        kept = Workspace(root).state / "choices" / f"{digest_of({**common, 'model': sha256_tree(one.folder)})}.json"
        if not kept.is_file():
            write_json(kept, {"model": one.name, "value": _on_blend(one, store, params, since_s)})
        values[one.name] = float(read_json(kept)["value"])
    return max(contestants, key=lambda one: values[one.name]), values


def _on_blend(one: Contestant, store: Store, params: Params, since_s: int) -> float:
    """Mean of the primary metric on the blend window; a query more, with 0, stands for there being none."""
    asked = np.asarray(store["target"]) & (np.asarray(store["time_s"]) > since_s)
    judged = judge(
        learners.load(one.folder),
        Window(replace(store, columns={**store.columns, "target": asked}), _CHOICE, params.evaluation.history),
        Protocol.of(params.evaluation),
        max_queries=params.training.loop.max_tune_queries,
        seed=params.workspace.seed,
        progress=spoken(logger.info, f"choosing on the {_CHOICE} window: {one.name}"),
    )
    return float(np.nanmean(np.append(judged.metric(params.evaluation.primary), 0.0)))


def judgement_of(root: Path, model: str) -> Judgement:
    """What the evaluate stage wrote down of a model or baseline on the promotion window."""
    return Judgement.load(Workspace(root).ranks / f"{model}.parquet")


def guarded(root: Path, judged: Judgement, store: Store, params: Params) -> Masks:
    """The groups of queries that must not lose: those that are known before the answer, and those that are declared."""
    return flat(_dimensions(root, judged, store, params)[0])


def apart(root: Path, judged: Judgement, store: Store, params: Params) -> dict[str, Masks]:
    """The declared groups, by dimension: those whose largest gap is told."""
    return _dimensions(root, judged, store, params)[1]


def _dimensions(
    root: Path, judged: Judgement, store: Store, params: Params
) -> tuple[dict[str, Masks], dict[str, Masks]]:
    """All that is guarded, and the declared groups among it."""
    groups = groups_of(Workspace(root).catalogue, params.evaluation.groups, store)
    found = slices(judged, params.evaluation.history_slices, groups=groups)
    guarded = {dimension: masks for dimension, masks in found.items() if dimension not in _OF_THE_ANSWER}
    return guarded, declared(found, groups)


def baselines(root: Path, params: Params) -> list[Side]:
    """The single counters, as the evaluate stage judged them."""
    record = read_json(Workspace(root).reports / "evaluation.json")
    names = [str(row["model"]) for row in record["models"] if row["kind"] == "baseline"]
    return [
        Side(name=name, digest="", value=judgement_of(root, name).metric(params.evaluation.primary)) for name in names
    ]


def unscored(baselines: Sequence[Side], params: Params) -> list[str]:
    """Single counters of the params that the evaluate stage did not judge."""
    return [name for name in params.memory.components if name not in {one.name for one in baselines}]


def side(judged: Judgement, digest: str, params: Params, *, latency_ms: float, size_mb: float) -> Side:
    """What the gate is told of a model."""
    primary = params.evaluation.primary
    return Side(
        name=judged.model,
        digest=digest,
        value=judged.metric(primary),
        secondary={name: judged.metric(name) for name in _SECONDARY if name != primary},
        ece=float(item_reliability(judged).error),
        latency_ms=latency_ms,
        size_mb=size_mb,
        coverage=float(coverage(judged.lists, judged.n_items)),
    )


def rescore(root: Path, params: Params, store: Store, champion: LoadedArtifact) -> tuple[Judgement, Store]:
    """Judge the champion on the promotion window of another store.

    Parameters
    ----------
    root : the workspace, whose validated events are packed again
    params : rules of the judgement
    store : the challenger's
    champion : loaded as it was fitted (`catch_up=False`)

    Returns
    -------
    (its judgement, the log in its encoding)

    Raises
    ------
    IntegrityError
        The validated events are not those of the store.
    """
    own = recode(pl.read_parquet(Workspace(root).validated / "events.parquet"), store, champion, params)
    if params.evaluation.history == "online":
        teach(champion.predictor, own, missed(own, champion))
    window = Window(own, PROMOTION, params.evaluation.history)
    progress = spoken(logger.info, f"asking the champion {champion.name} again")
    judged = judge_by(params, champion.predictor, window, replay=False, progress=progress)
    return replace(judged, model=champion.name), own


def recode(events: pl.DataFrame, store: Store, champion: LoadedArtifact, params: Params) -> Store:
    """The same log, row by row, in the champion's encoding, with the windows and targets of `store`."""
    own = pack(events, champion.encoding, params)
    same = own.n_events == store.n_events and np.array_equal(own["time_s"], store["time_s"])
    if not same or not np.array_equal(own.offsets, store.offsets):
        raise IntegrityError(
            f"the {store.n_events:,} events of data/features in data/validated",
            found=f"{own.n_events:,}, or others",
            do="Run the features stage again.",
        )
    return replace(own, columns={**own.columns, "window": store["window"], "target": store["target"]})


def missed(store: Store, champion: LoadedArtifact) -> NDArray[np.int64]:
    """Rows between the end of the champion's training and the promotion window, oldest first."""
    time_s, window = np.asarray(store["time_s"]), np.asarray(store["window"])
    since = int(champion.lineage["windows"]["train"]["stop_s"])
    rows = np.flatnonzero((time_s > since) & (window < WINDOWS[PROMOTION]))
    return rows[np.argsort(time_s[rows], kind="stable")]


def comparable(a: Judgement, b: Judgement) -> None:
    """Refuse to compare answers to different questions."""
    if not same_queries(a, b):
        raise IntegrityError(
            f"{a.model} and {b.model} judged on the same queries",
            found="different ones",
            do="Run the evaluate stage again.",
        )


def p99_ms(predictor: Predictor, store: Store, params: Params) -> float:
    """99th percentile of the time of one in-process prediction, in milliseconds, one query at a time.

    The slowest tenth, which alone decides it, is asked again and each query counts with its best of three, so that
    what else the machine does is not held against the model. Never below what asking all of them thrice would give.
    """
    window = Window(store, PROMOTION, params.evaluation.history)
    rows = window.targets
    picked = rows[np.linspace(0, len(rows) - 1, min(_TIMED, len(rows))).astype(np.int64)]
    queries, _ = make_queries(window, Protocol.of(params.evaluation), picked)
    for n in range(min(_WARM, len(queries))):
        predictor.score(queries[n : n + 1])
    spent = np.array([_spent_ns(predictor, queries, n) for n in range(len(queries))])
    for n in np.argsort(-spent)[: max(1, len(queries) // 10)].tolist():
        spent[n] = min(spent[n], *(_spent_ns(predictor, queries, n) for _ in range(_AGAIN)))
    return float(np.percentile(spent, 99) / 1e6)


def _spent_ns(predictor: Predictor, queries: Queries, n: int) -> int:
    part = queries[n : n + 1]
    begin = time.perf_counter_ns()
    predictor.score(part)
    return time.perf_counter_ns() - begin
