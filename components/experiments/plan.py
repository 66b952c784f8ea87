"""What an experiment is: two artifacts, who gets which, and what decides; fixed before the first list is shown.

Never here: where plans are kept (`experiments.log`) and what came of them.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from components.errors import ConfigError, ExperimentError
from components.params import ExperimentParams
from components.params.section import Section
from components.registry.artifact import verify
from components.registry.promotions import Entry
from components.workspace import Workspace

Mode = Literal["shadow", "ab"]
Arm = Literal["champion", "challenger"]
ARMS: tuple[Arm, Arm] = ("champion", "challenger")
_DIGEST = r"^[0-9a-f]{64}$"
_LEAST_NAMED = 6


class Plan(Section):
    """An experiment.

    Attributes
    ----------
    name : of the experiment; never used twice in a workspace
    mode : ab (a share of the users is answered by the challenger) or shadow (it scores silently)
    champion, challenger : digests of the artifacts that are compared; under another champion the experiment rests
    salt : makes the assignment of this experiment independent of that of any other
    start_us : UTC microseconds, for people
    offset : of the live log when the experiment began: what came in before does not count
    settings : the rest, as params.yaml and the options of the command gave it
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    mode: Mode
    champion: str = Field(pattern=_DIGEST)
    challenger: str = Field(pattern=_DIGEST)
    salt: str = Field(min_length=1, max_length=64)
    start_us: int = Field(ge=0)
    offset: int = Field(ge=0)
    settings: ExperimentParams

    @model_validator(mode="after")
    def _two(self) -> Plan:
        if self.champion == self.challenger:
            raise ValueError("the challenger is the champion")
        return self

    def label(self, arm: Arm) -> str:
        """What impressions of an arm carry as their `arm`."""
        return f"{self.name}/{arm}"

    @property
    def horizon_us(self) -> int:
        return int(self.settings.horizon_h * 3.6e9)

    @property
    def window_us(self) -> int:
        return int(self.settings.window_h * 3.6e9)

    @property
    def ripe_us(self) -> int:
        """From a user's first list to the moment when nothing more can count."""
        return self.window_us + self.horizon_us


def new_salt() -> str:
    """A salt that nobody can guess: who knows it knows everybody's arm."""
    return secrets.token_hex(8)


def parse_plan(record: Mapping[str, Any]) -> Plan:
    """Check a plan that a person made.

    Raises
    ------
    ConfigError
        Something of it is missing or out of range.
    """
    try:
        return Plan.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"a valid {key or 'plan'}", found=f"{first['msg']} (got {first['input']!r:.80})", do="Mend the option."
        ) from error


def find_artifact(root: Path, named: str) -> str:
    """Digest of the one artifact of a workspace whose digest begins so (at least 6 characters).

    Raises
    ------
    ExperimentError
        There is none, or there are several.
    """
    folders = _folders(root)
    found = [one.name for one in folders if len(named) >= _LEAST_NAMED and one.name.startswith(named)]
    if len(found) != 1:
        raise ExperimentError(
            f"one artifact {named!r:.80}",
            found=f"{len(found)} among {len(folders)} in {Workspace(root).artifacts}",
            do=f"Name it by at least {_LEAST_NAMED} characters of a digest that is there.",
        )
    return found[0]


def _folders(root: Path) -> list[Path]:
    return [one for one in Workspace(root).artifacts.glob("[0-9a-f]*") if re.fullmatch(_DIGEST, one.name)]


def find_challenger(root: Path, champion: Entry, named: str | None = None) -> str:
    """Digest of the artifact to be tried.

    Parameters
    ----------
    root : the workspace
    champion : the entry in production, which cannot be its own challenger
    named : a digest or its beginning (at least 6 characters); None: the newest packed artifact

    Raises
    ------
    ExperimentError
        There is no such artifact, several begin so, or it answers exactly as the champion does.
    IntegrityError, UnsafeFileError
        It is not what its digest says.
    """
    if named is not None:
        digest = find_artifact(root, named)
    else:
        others = [one for one in _folders(root) if one.name != champion.digest]
        if not others:
            raise ExperimentError(
                "a packed artifact that is not the champion",
                found=f"none in {Workspace(root).artifacts}",
                do="Train a challenger (`chronotope run`): the gate packs it, and keeps it though it refuses it.",
            )
        digest = max(others, key=lambda one: one.stat().st_mtime).name
    manifest = verify(Workspace(root).artifact(digest), digest)
    if manifest.content == champion.content:
        raise ExperimentError(
            "a challenger that can differ from the champion",
            found=f"{manifest.digest[:12]}, which answers exactly as {champion.digest[:12]} does",
            do="Name another artifact.",
        )
    return manifest.digest
