"""`GET /v1/model`: which models are loaded. Never here: a way to change them; that is the promotion log's."""

from __future__ import annotations

import orjson

from bento.exchange import Call, Reply, dumped
from bento.routes.route import Route
from bento.schemas.answers import ModelState
from bento.worker import Worker
from components.registry.artifact import LoadedArtifact
from components.serving.champion import Champion

_KEPT = 8
_told: dict[tuple[int, str], orjson.Fragment] = {}


def model_info(champion: Champion) -> orjson.Fragment:
    """Name, version and lineage of a model as JSON, made once: every answer carries it."""
    key = champion.entry.sequence, champion.entry.digest
    made = _told.get(key)
    if made is None:
        if len(_told) >= _KEPT:
            _told.clear()
        told = {"name": champion.entry.model, "version": champion.entry.sequence, "digest": champion.entry.digest}
        made = _told[key] = orjson.Fragment(dumped(told | {"lineage": _lineage(champion.artifact)}))
    return made


def _lineage(artifact: LoadedArtifact) -> dict[str, str | int | float]:
    return {key: value for key, value in artifact.lineage.items() if isinstance(value, str | int | float)}


async def model(_: Call, worker: Worker) -> Reply:
    """The champion, the one before, and why a newer one was refused."""
    watch = worker.watch
    answer = {
        "champion": model_info(watch.champion),
        "previous": model_info(watch.previous) if watch.previous else None,
        "refused": watch.last_error,
        "experiment": None if worker.arms is None else worker.arms.status(),
    }
    return Reply(dumped(answer))


ROUTES = (
    Route("GET", "/v1/model", "model", "The model that serves, the one before, and why a newer one was refused.",
          "read", model, ModelState),
)  # fmt: skip
