"""What `/metrics` reads at the time of a look: the state's size, the model, freshness, drift, what waits."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from components.serving.pulse.pulse import CHAMPION

if TYPE_CHECKING:
    from bento.worker import Worker

_SIZES_S = 5.0  # sizes may be counted, so they are looked at no more often


class Gauges(Collector):
    """Of one worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._sizes: tuple[float, list[tuple[str, float]]] | None = None

    def describe(self) -> Iterable[Metric]:
        """Nothing is read when it is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every gauge."""
        worker = self._worker
        entry = worker.live.champion.entry
        info = GaugeMetricFamily(
            "chronotope_model", "The champion: its number in the promotion log.", labels=["model", "digest"]
        )
        info.add_metric([entry.model, entry.digest[:12]], entry.sequence)
        yield info
        for kind, n in self._state():
            yield GaugeMetricFamily(f"chronotope_state_{kind}", f"The live state: {kind}.", value=n)
        yield self._drift()
        for name, told, value in (
            ("newest_event_age_seconds", "Time since the newest event was received.", worker.metrics.newest_age_s),
            ("log_behind", "Records of the live log that this worker has not counted.", worker.behind()),
            ("waiting", "Requests that wait for their turn.", worker.waiting),
            ("streams", "Pages that follow the stream.", worker.streams),
        ):
            if value is not None:
                yield GaugeMetricFamily(f"chronotope_{name}", told, value=value)

    def _drift(self) -> Metric:
        """Of the models that answer now."""
        worker = self._worker
        found = GaugeMetricFamily(
            "chronotope_prediction_drift",
            "Stability index of the first items' categories since the model began to answer.",
            labels=["side"],
        )
        tried = worker.arms is not None and worker.arms.challenger is not None
        for side, index in worker.metrics.drift.items():
            if side == CHAMPION or tried:
                found.add_metric([side], index)
        return found

    def _state(self) -> list[tuple[str, float]]:
        now = time.monotonic()
        if self._sizes is None or now - self._sizes[0] > _SIZES_S:
            sizes = self._worker.state.sizes()
            counted = [("users", float(sizes.users)), ("records", float(sizes.records)), ("bytes", float(sizes.bytes))]
            self._sizes = now, counted
        return self._sizes[1]
