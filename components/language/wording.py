"""How an event is put into words: a template, cut into pieces of which each depends on one thing alone.

`{title}, {category} {action} on {weekday} at {hour}` has four pieces: of the item, the action, the weekday, the hour.
A piece has as many wordings as there are items, actions, days or hours, so each is tokenised once and an event's text
is put together from them. What is empty is left out, with the words before it. Never sees a model or an event.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.errors import ConfigError

#: Field of a template → the code of an event that it depends on.
FIELDS: Mapping[str, str] = {
    **dict.fromkeys(("title", "category", "tags", "text", "item"), "item"),
    "action": "action",
    "device": "device",
    **dict.fromkeys(("hour", "daypart"), "hour"),
    "weekday": "weekday",
    "gap": "gap",
}
#: Codes that a log of mere order does not have.
TIMED = frozenset({"hour", "weekday", "gap"})
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOURS = tuple(f"{hour % 12 or 12} {'am' if hour < 12 else 'pm'}" for hour in range(24))
DAYPARTS = tuple(("night", "morning", "afternoon", "evening")[hour // 6] for hour in range(24))
#: Seconds since the event before, and the words below each edge; the first words stand where there is none in sight.
GAP_EDGES_S = (60, 3_600, 20 * 3_600, 36 * 3_600, 7 * 86_400, 30 * 86_400)
GAPS = ("", "at once", "minutes later", "hours later", "a day later", "days later", "weeks later", "months later")


@dataclass(frozen=True)
class Piece:
    """A stretch of a template that depends on one code.

    Attributes
    ----------
    column : a value of FIELDS
    parts : words and the field behind them, in order
    """

    column: str
    parts: tuple[tuple[str, str], ...]

    def wordings(self, words: Mapping[str, Sequence[str]]) -> list[str]:
        """The text of each code.

        Parameters
        ----------
        words : field → its words by code
        """
        columns = [words[field] for _, field in self.parts]
        return ["".join(self._said(at, values) for at, values in enumerate(row)) for row in zip(*columns, strict=True)]

    def _said(self, at: int, value: str) -> str:
        return f"{self.parts[at][0]}{value}" if value else ""


def pieces(template: str, timed: bool) -> tuple[Piece, ...]:
    """The pieces of a template.

    Parameters
    ----------
    template : words and fields in braces
    timed : whether the log has times; else the fields that need them are left out

    Raises
    ------
    ConfigError
        A field does not exist, nothing is left to say, or the braces do not match.
    """
    found: list[Piece] = []
    try:
        parsed = [(words, field) for words, field, form, turn in string.Formatter().parse(template) if not form or turn]
    except ValueError as error:
        parsed, problem = [], str(error)
    else:
        problem = ", ".join(f"`{field}`" for _, field in parsed if field is not None and field not in FIELDS)
    for words, field in parsed:
        column = FIELDS.get(field or "", "")
        if not column or (column in TIMED and not timed):
            continue
        if found and found[-1].column == column:
            found[-1] = Piece(column, (*found[-1].parts, (words, field or "")))
        else:
            found.append(Piece(column, ((words, field or ""),)))
    if problem or not found:
        raise ConfigError(
            f"a template with fields of {', '.join(FIELDS)} that the log has",
            found=f"{problem or 'none'} in {template!r}",
            do="Mend `encoder.options.template` in params.yaml.",
        )
    return tuple(found)
