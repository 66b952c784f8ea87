"""Four items for tests of the knowledge room."""

from __future__ import annotations

from typing import Any

import numpy as np

from components.knowledge.described import Described

_NAN = float("nan")


def four(**changes: Any) -> Described:
    """Two teas, a bicycle of which nothing is known, and a book that was not trained; the first two have places."""
    record: dict[str, Any] = {
        "ids": ["a", "b", "c", "d"],
        "trained": np.array([True, True, True, False]),
        "title": ["Green tea", "Black tea", "", "A novel"],
        "category": ["drinks", "drinks", "", "books"],
        "text": ["Green tea", "", "", "Of love."],
        "tags": ["hot\nleaf", "", "", ""],
        "latitude": np.array([48.8, 48.9, _NAN, 48.8]),
        "longitude": np.array([2.3, 2.4, _NAN, 2.3]),
    }
    return Described(**(record | changes))
