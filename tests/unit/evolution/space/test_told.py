"""The sentence about nearness tells the surest distance and span, and only what was found beyond chance."""

from __future__ import annotations

import pytest

from components.evolution.report.sentences.space import _nearness


@pytest.mark.parametrize(
    ("overall", "family", "told"),
    [
        (0.2, [[0.9, 0.6], [0.01, 0.5]], "not do near in time beyond chance"),
        (0.01, [[0.9, 0.6], [0.3, 0.5]], "at no one distance"),
        (0.01, [[0.9, 0.6], [0.02, 0.5]], "within 2 km and 4 h there are 3.0 times"),
    ],
)
def test_the_surest_cell_is_told(overall: float, family: list[list[float]], told: str) -> None:
    between = {"p_overall": overall, "p_family": family, "ratio": [[0.5, 1.5], [3.0, 2.0]]}
    near = {"events": 900, "distances_km": [1.0, 2.0], "spans_h": [4, 24], "between_users": between}
    assert told in _nearness(near, 0.05).text
