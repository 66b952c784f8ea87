"""Explicit feedback as a wide table: one line per answer sheet, one column per question or rated thing.

Each answer becomes an event: the question is the item, a number is its value, anything else its text; what was left
blank is no event. Ratings as `user, item, rating` lines need no module of their own: `delimited` maps them.
Options: `questions` (columns), `scale` (answer → number), those of time and of the file.
Never here: what an answer means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from components.errors import ConfigError, SchemaError
from components.events.rules import MALFORMED
from components.events.sources.attributes import attribute_files, attributes
from components.events.sources.common import TIME_OPTIONS, Layout, event_path, files_in, numbered, options_of
from components.events.sources.delimited import PATTERNS, raw
from components.params import Params

__all__ = ["ACTIONS", "OPTIONS", "TIME_KIND", "attribute_files", "files", "items", "read", "users"]
OPTIONS = (*TIME_OPTIONS, "separator", "quote", "encoding", "questions", "scale", "user_mapping")
ACTIONS = ("answer",)
TIME_KIND = "real"
_QUESTION, _ANSWER = "question", "answer"


def files(params: Params, root: Path) -> list[Path]:
    """Every file of answer sheets, by name."""
    return files_in(event_path(params, root), PATTERNS)


def _answers(chunk: pl.DataFrame, options: Mapping[str, Any]) -> pl.DataFrame:
    """One row per answer; broken lines stay one row."""
    questions = options.get("questions")
    if not isinstance(questions, list) or not questions:
        raise ConfigError(
            "the columns of the questions at `events.source.options.questions`",
            found=repr(questions),
            do="List them, for example [q1, q2].",
        )
    missing = sorted(set(questions) - set(chunk.columns))
    if missing:
        raise SchemaError(
            f"the questions {', '.join(missing)}",
            found=f"the columns {', '.join(chunk.columns)}",
            do="Mend `questions`.",
        )
    rest = [name for name in chunk.columns if name not in questions]
    long = chunk.unpivot(questions, index=rest, variable_name=_QUESTION, value_name=_ANSWER)
    broken = pl.col(MALFORMED).is_not_null() if MALFORMED in rest else pl.lit(False)
    blank = pl.col(_ANSWER).is_null() | (pl.col(_ANSWER).str.strip_chars() == "")
    long = long.filter((~blank & ~broken) | (broken & (pl.col(_QUESTION) == questions[0])))
    scale = {str(answer): str(number) for answer, number in options.get("scale", {}).items()}
    number = pl.col(_ANSWER).replace(scale).cast(pl.Float64, strict=False)
    return long.with_columns(
        number.alias("value"),
        pl.when(number.is_null()).then(pl.col(_ANSWER)).alias("text"),
        pl.col(_QUESTION).alias("item_id"),
    ).drop(_QUESTION, _ANSWER)


def read(params: Params, root: Path, path: Path | None) -> Iterator[pl.DataFrame]:
    """Chunks of answers; the value and text of an answer, the question as its item."""
    options = options_of(params, OPTIONS)
    chunks = (_answers(chunk, options) for chunk in raw(path or event_path(params, root), options))
    return numbered(chunks, params, Layout({}, {"action": "answer"}))


def items(params: Params, root: Path) -> pl.DataFrame | None:
    """Attributes of the questions, from the catalogue file."""
    return attributes(params, root, "item", [], None)


def users(params: Params, root: Path) -> pl.DataFrame | None:
    """Attributes of those who answered, from the users file or from columns of the sheets."""
    options = options_of(params, OPTIONS)
    return attributes(params, root, "user", files(params, root), lambda path: raw(path, options))
