"""A summary of a report of how behaviour evolves, as `chronotope evolve` writes it."""

from __future__ import annotations

from typing import Any


def told(**changed: Any) -> dict[str, Any]:
    """A whole summary, with some parts changed."""
    return {
        "format": 1, "number": 2, "version": "abcdef012345", "made_of": "ab" * 32, "since": 1,
        "log": {"users": 100, "events": 1000, "first": "2025-01-01", "last": "2025-03-01"},
        "forecasts": [{"step": "day", "by": "all", "value": "all", "interval": 0.8, "begins": ["2025-03-02T00:00:00"],
                       "point": [10], "low": [8.0], "high": [12.5]}],
        "unusual": [{"by": "all", "value": "all", "first": "2025-02-01", "last": "2025-02-02", "actual": 90.0,
                     "usual": 30.0, "p": 1e-5}],
        "changes": [{"by": "action", "value": "view", "at": "2025-02-10", "before": 1.0, "after": 2.0}],
        "states": {"moment": "2025-03-01", "now": [{"state": "active", "users": 90, "share": 0.9},
                                                   {"state": "new", "users": None, "share": None}],
                   "forecast": [{"moment": "2025-03-08", "state": "active", "users": 88.5}]},
        "segments": [{"segment": "active", "users": 90, "slope": None, "slope_q": None, "drift_q": 0.4,
                      "interests": [{"category": "cafe", "share": 0.2, "low": 0.1, "high": 0.3, "before": None}]}],
        "hot_spots": [{"cell": "881fb46625fffff", "kind": "hot", "class": "new", "latitude": 48.0, "longitude": 2.0}],
        "patterns": [{"name": "the lunch crowd", "where": "cafe", "place": None, "when": "weekdays 11:00–14:00",
                      "who": "40 users", "users": 40, "regulars": 20, "visits": 300, "ratio": 2.5, "p": 0.001,
                      "weeks_share": 0.9}],
        "changed": [{"text": "More.", "known": "100 users"}],
    } | changed  # fmt: skip
