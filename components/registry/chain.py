"""An append-only log in a folder: `000001.json, 000002.json, …`, each with the digest of the one before.

Reading checks numbers and chain, so that a missing or changed entry is seen. Never here: what an entry means, and
when one may be added (`registry.promotions`, `components.experiments.log`).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from components.errors import IntegrityError

FIRST = "0" * 64  # the chain of the first entry


class Chained(BaseModel):
    """An entry of such a log.

    Attributes
    ----------
    sequence : 1, 2, …
    chain : digest of the bytes of the entry before; 64 zeros for the first
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sequence: int = Field(ge=1)
    chain: str = Field(pattern=r"^[0-9a-f]{64}$")

    def as_record(self) -> dict[str, Any]:
        """The entry as JSON."""
        return self.model_dump()


Kind = TypeVar("Kind", bound=Chained)


def text_of(entry: Chained) -> bytes:
    """The bytes that an entry is kept as."""
    text = json.dumps(entry.as_record(), indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return f"{text}\n".encode()


def chained(folder: Path, kind: type[Kind], what: str) -> list[Kind]:
    """All entries of a log, oldest first, with numbers and chain checked.

    Parameters
    ----------
    folder : of the log
    kind : of its entries
    what : they are called in messages, e.g. promotion

    Raises
    ------
    IntegrityError
        An entry is missing, cannot be read, or was changed after the next one was written.
    """
    entries: list[Kind] = []
    chain = FIRST
    for number, path in enumerate(sorted(folder.glob("[0-9]*.json")), start=1):
        data = path.read_bytes()
        try:
            entry = kind.model_validate_json(data)
        except ValidationError as error:
            raise IntegrityError(
                f"a {what} entry in {path}", found=str(error.errors()[0]["msg"]), do="Bring it back from git."
            ) from error
        if path.name != f"{number:06d}.json" or entry.sequence != number:
            raise IntegrityError(
                f"entry {number} of the {what} log",
                found=f"{path.name}, which calls itself {entry.sequence}",
                do="Bring the missing entries back from git.",
            )
        if entry.chain != chain:
            raise IntegrityError(
                f"entry {number - 1} of the {what} log as it was when entry {number} was written",
                found=f"digest {chain[:12]} in place of {entry.chain[:12]}",
                do=f"Bring {folder.name}/{number - 1:06d}.json back from git.",
            )
        chain = hashlib.sha256(data).hexdigest()
        entries.append(entry)
    return entries
