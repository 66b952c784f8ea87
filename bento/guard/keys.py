"""API keys: who may ask for what. Only digests are kept, and they are compared in constant time.

A key is `chronotope_<name>_<secret>`; its secret is 256 random bits, so a plain SHA-256 is as good as a slow digest.
What is configured is one line for each key, `<name> <scopes> <sha256 of the key>`, in the file that CHRONOTOPE_KEYS
names, or in that variable itself. A file that changes is read again: a key is withdrawn by taking its line away.
Never here: limits, and secrets in any message.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from components.errors import ConfigError

logger = logging.getLogger(__name__)
ENVIRONMENT = "CHRONOTOPE_KEYS"
OPEN = "CHRONOTOPE_OPEN"  # "1": answer whoever reaches the port, without keys
#: read: predictions, reasons, users, models; write: what comes in; admin: forgetting; metrics: /metrics.
Scope = Literal["read", "write", "admin", "metrics"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
_LINE = re.compile(r"([a-z0-9-]{1,32})\s+([a-z,]+)\s+([0-9a-f]{64})")
_KEY = re.compile(r"chronotope_([a-z0-9-]{1,32})_[A-Za-z0-9_-]{43}")
_NOBODY = hashlib.sha256(secrets.token_bytes(32)).digest()
_LOOK_S = 1.0


@dataclass(frozen=True)
class Key:
    """A configured key: what it may do, and its digest (32 bytes)."""

    name: str
    scopes: frozenset[str]
    digest: bytes


def new_key(name: str, scopes: list[str]) -> tuple[str, str]:
    """A new key, and the line that configures it.

    Raises
    ------
    ConfigError
        The name or a scope is none.
    """
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise ConfigError(f"scopes of {', '.join(SCOPES)}", found=", ".join(unknown) or "none", do="Name at least one.")
    if not re.fullmatch(r"[a-z0-9-]{1,32}", name):
        raise ConfigError("a name of a-z, 0-9 and -, at most 32", found=repr(name), do="Choose another.")
    key = f"chronotope_{name}_{secrets.token_urlsafe(32)}"
    return key, f"{name} {','.join(dict.fromkeys(scopes))} {hashlib.sha256(key.encode()).hexdigest()}"


def parse(text: str, where: str) -> dict[str, Key]:
    """Keys by name, from lines; `#` begins a remark.

    Raises
    ------
    ConfigError
        A line is none, or a name comes twice. The message never holds the line.
    """
    keys: dict[str, Key] = {}
    for number, line in enumerate(re.split(r"[\n;]", text), 1):
        said = line.partition("#")[0].strip()
        if not said:
            continue
        found = _LINE.fullmatch(said)
        if found is None or not set(found[2].split(",")) <= set(SCOPES) or found[1] in keys:
            raise ConfigError(
                "lines of `<name> <scopes> <sha256>`, each name once",
                found=f"something else in line {number} of {where}",
                do="Make lines with `chronotope keys new`.",
            )
        keys[found[1]] = Key(found[1], frozenset(found[2].split(",")), bytes.fromhex(found[3]))
    return keys


class Keys:
    """The keys that are configured, as they are now.

    Parameters
    ----------
    text : lines, or the path of a file of lines; empty: there are no keys
    open_to_all : whether, without keys, other machines are answered as this one is
    """

    def __init__(self, text: str = "", *, open_to_all: bool = False) -> None:
        path = Path(text) if text and not _LINE.search(text) else None
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._looked = time.monotonic()
        self.open_to_all = open_to_all
        self._keys: Mapping[str, Key] = self._read() if path else parse(text, ENVIRONMENT)
        if text.strip() and not self._keys:
            raise ConfigError("at least one key", found=f"none in {path or ENVIRONMENT}", do=f"Unset {ENVIRONMENT}.")

    def _read(self) -> dict[str, Key]:
        assert self._path is not None
        try:
            about = self._path.stat()
            keys = parse(self._path.read_text("utf-8"), str(self._path))
        except (OSError, ValueError) as error:
            found = str(error.strerror) if isinstance(error, OSError) else "bytes that are no UTF-8"
            raise ConfigError(
                f"the file of keys that {ENVIRONMENT} names", found=found, do="Make it, or unset it."
            ) from error
        self._stamp = (about.st_mtime_ns, about.st_size)
        return keys

    @property
    def configured(self) -> bool:
        """Whether there are keys at all; a file that has lost its last one still shuts everybody out."""
        return self._path is not None or bool(self._keys)

    def find(self, presented: str) -> Key | None:
        """The key that was presented; an unknown name takes as long as a wrong secret."""
        self._look()
        shaped = _KEY.fullmatch(presented)
        known = self._keys.get(shaped[1]) if shaped else None
        digest = hashlib.sha256(presented.encode("utf-8", "surrogateescape")).digest()
        same = hmac.compare_digest(digest, known.digest if known else _NOBODY)
        return known if same else None

    def _look(self) -> None:
        """Read the file again if it has changed; one that is broken changes nothing."""
        now = time.monotonic()
        if self._path is None or now - self._looked < _LOOK_S:
            return
        self._looked = now
        try:
            about = self._path.stat()
            if (about.st_mtime_ns, about.st_size) != self._stamp:
                self._keys = self._read()
        except (OSError, ConfigError) as error:
            logger.error("the keys stay as they are: %s", error)


def from_environment() -> Keys:
    """The keys of CHRONOTOPE_KEYS, and whether CHRONOTOPE_OPEN says that none are needed."""
    return Keys(os.environ.get(ENVIRONMENT, ""), open_to_all=os.environ.get(OPEN) == "1")
