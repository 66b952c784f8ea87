"""What a path's query may hold: a whole number, or a time. One parameter a route, strict, each with its own schema.

Never here: what a parameter is for.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

from bento.exchange import Call, Refusal

#: ISO 8601 as JSON bodies have it: date, T, time to the second or finer, Z or an offset; never a number of seconds.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class Number:
    """A whole number."""

    name: str
    told: str
    default: int
    least: int
    most: int

    @property
    def schema(self) -> dict[str, Any]:
        """For the document of the API."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most, "default": self.default}

    def read(self, call: Call) -> int:
        """What the query holds, within its bounds.

        Raises
        ------
        Refusal
            422: it is none, or the query holds another parameter.
        """
        text = _text(call, self.name)
        if text is None:
            return self.default
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and self.least <= int(text) <= self.most):
            raise Refusal(422, f"needed a whole number of {self.least} to {self.most}", self.name)
        return int(text)


@dataclass(frozen=True)
class Moment:
    """A time with its zone; None where it is left out."""

    name: str
    told: str

    @property
    def schema(self) -> dict[str, Any]:
        """For the document of the API."""
        return {"type": "string", "format": "date-time"}

    def read(self, call: Call) -> dt.datetime | None:
        """What the query holds.

        Raises
        ------
        Refusal
            422: it is none, has no zone, or the query holds another parameter.
        """
        text = _text(call, self.name)
        if text is None:
            return None
        try:
            if text.isascii() and _MOMENT.fullmatch(text):
                return dt.datetime.fromisoformat(text).astimezone(dt.UTC)
        except (ValueError, OverflowError):
            pass
        raise Refusal(422, "needed a time in ISO 8601 with Z or an offset (its + is %2B in a path)", self.name)


def _text(call: Call, name: str) -> str | None:
    said = call.query()
    if not set(said) <= {name}:
        raise Refusal(422, f"needed no parameter but {name}", "query")
    return said.get(name)
