"""Experiments without a service: plans, lists and events as the live log would hold them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import yaml

from components.experiments.assignment import arm_of
from components.experiments.plan import Arm, Plan
from components.params import ExperimentParams
from components.serving.state.memory import MemoryState
from components.serving.state.record import Record
from tests.conftest import ROOT

HOUR_US = 3_600_000_000
START_US = 1_750_000_000_000_000
CHAMPION, CHALLENGER = "a" * 64, "b" * 64


@cache
def _settings() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "params.yaml").read_text())["experiment"]


def plan(mode: str = "ab", name: str = "trial", **settings: Any) -> Plan:
    """A plan with the settings of params.yaml, some of them replaced; small enough for a handful of users to speak."""
    record = _settings() | {"least_users": 10} | settings
    return Plan(
        name=name, mode=mode, champion=CHAMPION, challenger=CHALLENGER, salt="salt", start_us=START_US, offset=0,
        settings=ExperimentParams.model_validate(record),
    )  # fmt: skip


def shown(
    of: Plan, user: str, items: Iterable[str], at_h: float, list_id: str | None = None, arm: Arm | None = None
) -> list[Record]:
    """A list that a user was shown some hours after the start."""
    time_us = START_US + int(at_h * HOUR_US)
    name = list_id or f"{user}-{at_h}"
    return [
        Record(
            "impression", f"{name}:{place}", user, time_us, time_us,
            {"item_id": item, "position": place, "probability": 1.0, "list_id": name,
             "arm": of.label(arm or arm_of(of, user))},
        )
        for place, item in enumerate(items, start=1)
    ]  # fmt: skip


def did(user: str, item: str, at_h: float, action: str = "view", name: str | None = None) -> Record:
    """An event some hours after the start."""
    time_us = START_US + int(at_h * HOUR_US)
    return Record("event", name or f"{user}-{item}-{at_h}", user, time_us, time_us, {"item_id": item, "action": action})


def log_of(records: Iterable[Record]) -> MemoryState:
    """A live log with these records."""
    state = MemoryState()
    state.append(list(records))
    return state
