"""Counters of one worker, and the page that Prometheus reads.

With several workers the page that any of them shows is of all: prometheus_client sums their files in
PROMETHEUS_MULTIPROC_DIR (BentoML and `chronotope serve --bare` set it). What is read at the time of a look (state,
model, drift) is of the worker that shows the page. No label names a user, an item or a key.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from bento.metrics.drift import Drift
from components.serving.pulse.pulse import CHAMPION
from components.serving.question import Answer
from components.serving.state.protocol import Stored

KIND = CONTENT_TYPE_LATEST
_REQUEST_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_FRESH_S = (0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1, 5, 30, 300)


class Metrics:
    """What one worker counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "chronotope_request_seconds", "Time of a request, from its head to its answer.", ["route"],
            registry=self.registry, buckets=_REQUEST_S,
        )  # fmt: skip
        self._requests = Counter("chronotope_requests", "Requests.", ["route", "status"], registry=self.registry)
        self._records = Counter(
            "chronotope_records", "Records that came in, by what became of them.", ["kind", "outcome"],
            registry=self.registry,
        )  # fmt: skip
        self._fresh = Histogram(
            "chronotope_event_applied_seconds", "Time from an event's receipt to its being counted by this worker.",
            registry=self.registry, buckets=_FRESH_S,
        )  # fmt: skip
        self._predictions = Counter(
            "chronotope_predictions", "Predictions, by the arm that gave them.", ["arm"], registry=self.registry
        )
        self._swaps = Counter("chronotope_swaps", "Champions that took over.", registry=self.registry)
        self._children: dict[tuple[str, int], tuple[Histogram, Counter]] = {}
        self._arms: dict[str, Counter] = {}
        self._drift = {CHAMPION: Drift()}
        self._newest_us = 0

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Note an answer."""
        found = self._children.get((route, status))
        if found is None:
            found = self._seconds.labels(route), self._requests.labels(route, str(status))
            self._children[route, status] = found
        found[0].observe(seconds)
        found[1].inc()

    def predicted(self, answer: Answer, model: object, arm: str = "champion") -> None:
        """Note a prediction: of which model and arm."""
        counter = self._arms.get(arm)
        if counter is None:
            counter = self._arms[arm] = self._predictions.labels(arm)
        counter.inc()
        side = arm.rpartition("/")[2]  # arms take turns: each side is held against its own first answers
        self._drift.setdefault(side, Drift()).add(model, answer.items[0].category if answer.items else None)

    def swapped(self) -> None:
        """Note that another champion has taken over."""
        self._swaps.inc()

    def taken(self, kind: str, accepted: int, duplicates: int, refused: int) -> None:
        """Note what became of records."""
        for outcome, n in (("accepted", accepted), ("duplicate", duplicates), ("refused", refused)):
            if n:
                self._records.labels(kind, outcome).inc(n)

    def applied(self, records: Sequence[Stored]) -> None:
        """A listener of the live system: note how long records took to be counted."""
        now_us = time.time_ns() // 1000
        for one in records:
            if one.record.kind == "event":
                self._fresh.observe(max(now_us - one.record.received_us, 0) / 1e6)
                self._newest_us = max(self._newest_us, one.record.received_us)

    @property
    def drift(self) -> dict[str, float]:
        """Champion or challenger → stability index of the newest predictions against the first of that model."""
        return {side: index for side, one in self._drift.items() if (index := one.index()) is not None}

    @property
    def newest_age_s(self) -> float | None:
        """Seconds since the newest event was received; None = none has been yet."""
        return None if self._newest_us == 0 else max(time.time_ns() // 1000 - self._newest_us, 0) / 1e6

    def page(self, gauges: Collector) -> bytes:
        """Everything in Prometheus' text format; `gauges` is what is read now."""
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
        else:
            registry = self.registry
        now = CollectorRegistry()
        now.register(gauges)
        return generate_latest(registry) + generate_latest(now)
