"""What an experiment is: two artifacts, who gets which, and what decides; fixed before the first list is shown.

Never here: which artifact is tried (`experiments.challenger`), where plans are kept (`experiments.log`), what came of
them.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from components.errors import ConfigError
from components.params import ExperimentParams
from components.params.section import Section

Mode = Literal["shadow", "ab"]
Arm = Literal["champion", "challenger"]
ARMS: tuple[Arm, Arm] = ("champion", "challenger")
DIGEST = r"^[0-9a-f]{64}$"


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
    champion: str = Field(pattern=DIGEST)
    challenger: str = Field(pattern=DIGEST)
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
