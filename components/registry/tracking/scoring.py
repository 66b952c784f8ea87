"""For people who score through MLflow: `mlflow.pyfunc.load_model("models:/NAME@champion").predict(frame)`.

MLflow keeps this file beside the artifact and runs it to load a version: models-from-code, so nothing is pickled.
It reads the artifact through the verified loader. The service never comes this way.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext

from components.errors import DataError
from components.features.pack import pack_history
from components.features.store import Store
from components.predictor import Queries
from components.registry.artifact import LoadedArtifact, load_artifact


class Scorer(PythonModel):  # type: ignore[misc]  # mlflow is untyped
    """The first k items of each row.

    Input columns, all text: `user_id` (of a stored history) or `history` (JSON: a list of events with `item_id`,
    `action`, `timestamp` in ISO 8601, and any other column of the event contract); `time` of the request (ISO 8601;
    default: the last event). Parameter `k` (default 10).
    Output columns: `row` (of the input), `rank`, `item_id`, `probability`.
    """

    _artifact: LoadedArtifact

    def load_context(self, context: PythonModelContext) -> None:
        """Verify and load the artifact that MLflow keeps beside this file."""
        self._artifact = load_artifact(Path(context.artifacts["artifact"]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Answer every row of a table."""
        k = int((params or {}).get("k", 10))
        parts = [self._row(n, row, k) for n, row in enumerate(model_input.to_dict("records"))]
        return pd.concat(parts, ignore_index=True)

    def _row(self, n: int, row: Mapping[Any, Any], k: int) -> pd.DataFrame:
        store, user = self._history(row)
        start, stop = int(store.offsets[user]), int(store.offsets[user + 1])
        time_s = int(store["time_s"][stop - 1]) if stop > start else int(np.max(self._artifact.histories["time_s"]))
        if _given(row, "time"):
            time_s = int(pd.Timestamp(row["time"]).timestamp())
            stop = start + int(np.searchsorted(np.asarray(store["time_s"])[start:stop], time_s, side="right"))
        nowhere = np.full(1, np.nan, np.float32)
        query = Queries(
            store=store,
            user=np.array([user], np.int32),
            start=np.array([start], np.int64),
            stop=np.array([stop], np.int64),
            time_s=np.array([time_s], np.int64),
            utc_offset_min=np.array([store["utc_offset_min"][stop - 1] if stop > start else 0], np.int16),
            latitude=nowhere,
            longitude=nowhere,
            time_given=_given(row, "time"),
        )
        score = self._artifact.predictor.score(query).item[0]
        best = np.argsort(-score, kind="stable")[: min(k, len(score) - 2)]
        ids = self._artifact.encoding.vocabularies["item"].ids
        return pd.DataFrame(
            {"row": n, "rank": np.arange(1, len(best) + 1), "item_id": ids[best], "probability": np.exp(score[best])}
        )

    def _history(self, row: Mapping[Any, Any]) -> tuple[Store, int]:
        if _given(row, "history"):
            return pack_history(_events(str(row["history"])), self._artifact.encoding, user_id="inline"), 0
        if not _given(row, "user_id"):
            raise DataError("a user_id or a history in every row", found=repr(dict(row))[:80], do="Add one.")
        known = np.flatnonzero(self._artifact.histories.users == str(row["user_id"]))
        if len(known):
            return self._artifact.histories, int(known[0])
        return pack_history([], self._artifact.encoding, user_id=str(row["user_id"])), 0


def _given(row: Mapping[Any, Any], name: str) -> bool:
    value = row.get(name)
    return value is not None and not (isinstance(value, float) and np.isnan(value))


def _events(text: str) -> list[dict[str, Any]]:
    try:
        return [{**one, "timestamp": _moment(str(one["timestamp"]))} for one in json.loads(text)]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            "events with item_id, action and an ISO 8601 timestamp", found=str(error), do="Mend the history."
        ) from error


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


mlflow.models.set_model(Scorer())
