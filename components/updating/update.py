"""An update of a workspace: the champion renewed on its newest features, judged, kept, and told to MLflow.

It lies below `.chronotope/update/`, beside what DVC made: an update stands on the champion, which is no file of the
graph. What is judged is what was saved. Never here: the decision of the gate, which `registry.trial` asks for.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components import learners
from components.errors import NoUpdate
from components.evaluation.groups import groups_of
from components.evaluation.judge import judge_by
from components.evaluation.judgement import Judgement
from components.evaluation.progress import spoken
from components.evaluation.summary import Judged, record_of
from components.features.store import Store
from components.files import digest_of, read_json, replace_folder, sha256_file, sha256_tree, write_json
from components.params import Params, check_agreement
from components.predictor import NoTracker, Window
from components.registry import contest, promotions, trial
from components.registry.artifact import load_artifact
from components.registry.decision import Decision
from components.registry.tracking import runs
from components.updating.renew import Renewal
from components.workspace import Workspace

logger = logging.getLogger(__name__)
_MODEL, _RECORD, _EVALUATION, _RANKS = "model", "record.json", "evaluation.json", "ranks.parquet"


def update(root: Path, params: Params) -> Mapping[str, Any]:
    """Renew the champion of a workspace on `data/features`, and judge it on the promotion window.

    Returns
    -------
    mapping
        `model`, `from` (digest of the champion's artifact), `entry` (its number in the promotion log), `networks`
        (what each learned and took), `seconds`, `primary` and its `value`, `run` (id in MLflow).

    Raises
    ------
    NoUpdate
        There is no champion, nothing new, or params describe another model.
    """
    check_agreement(params)
    entry = promotions.current(root)
    if entry is None:
        raise NoUpdate("a champion to update", found="none yet", do="Train the first: `chronotope run`.")
    trial.whole(root, params, entry.digest)
    champion = load_artifact(Workspace(root).artifact(entry.digest), entry.digest, catch_up=False)
    store = Store.load(Workspace(root).features)
    since_s = int(champion.lineage["windows"]["train"]["stop_s"])
    renewal = Renewal(params, store, champion.encoding, entry.digest, since_s, NoTracker())
    begin = time.monotonic()
    renewed = renewal.of(champion.predictor)
    seconds = time.monotonic() - begin
    with replace_folder(Workspace(root).update) as folder:
        renewed.save(folder / _MODEL)
        judged, evaluation = _judged(folder / _MODEL, store, root, params)
        judged.save(folder / _RANKS)
        write_json(folder / _EVALUATION, evaluation)
        record = {
            "model": renewed.name,
            "from": entry.digest,
            "entry": entry.sequence,
            "networks": renewal.told,
            "seconds": round(seconds, 3),
            "primary": params.evaluation.primary,
            "value": evaluation["models"][0]["metrics"][params.evaluation.primary]["value"],
        }
        record["run"] = _log(root, params, record, folder / _MODEL)
        write_json(folder / _RECORD, record)
    return record


def _judged(model: Path, store: Store, root: Path, params: Params) -> tuple[Judgement, dict[str, Any]]:
    """How the saved update answers the promotion window, and the record that its card is written from."""
    predictor = learners.load(model)
    window = Window(store, contest.PROMOTION, params.evaluation.history)
    progress = spoken(logger.info, f"asking the update of {predictor.name}")
    found = judge_by(params, predictor, window, progress=progress)
    groups = groups_of(Workspace(root).catalogue, params.evaluation.groups, store)
    one = Judged(found, "model", None, getattr(predictor, "adds", None))
    least = params.gate.min_slice_queries
    return found, record_of([one], store, params.evaluation, params.workspace.seed, groups, least)


def _log(root: Path, params: Params, record: Mapping[str, Any], model: Path) -> str:
    stage = runs.StageRun(
        name=f"update {record['model']}",
        key=digest_of({"update": sha256_tree(model), "from": record["from"]}),
        params={"update": params.update.model_dump(), "networks": record["networks"]},
        metrics={"fit_seconds": record["seconds"], record["primary"]: record["value"]},
        tags={"stage": "update", "model": record["model"], "from": record["from"], "entry": str(record["entry"])},
        datasets={"features": sha256_file(Workspace(root).features / "store.json")},
        files=[model / "config.json"],
    )
    return runs.log_stage(root, params.workspace.name, stage)[0]


def gate(root: Path, params: Params) -> Decision:
    """What the gate says of the last update against the champion.

    Raises
    ------
    DataError
        There is no update.
    """
    home = Workspace(root).update
    record = read_json(home / _RECORD)
    challenger = trial.Challenger(
        contest.Contestant(str(record["model"]), home / _MODEL),
        Judgement.load(home / _RANKS),
        read_json(home / _EVALUATION),
        str(record["run"]),
        more={"updated_from": record["from"], "updated_entry": record["entry"]},
    )
    decision = trial.gate_of(root, params, Store.load(Workspace(root).features), challenger)
    if decision.outcome == "nothing":
        shutil.rmtree(home)
    return decision
