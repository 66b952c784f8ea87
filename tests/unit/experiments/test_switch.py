"""The automatic switch, over whole simulated experiments that are looked at all the time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from components.experiments.assignment import arm_of
from components.experiments.exposure import Evidence
from components.experiments.log import active, history, start
from components.experiments.plan import Plan
from components.experiments.results import Results, results
from components.experiments.switch import switch_off, worse
from tests.experiments import HOUR_US, START_US, did, log_of, plan, shown

ROUNDS, USERS = 6, 300  # looks, and users between two of them


def play(root: Path, one: Plan, rates: dict[str, float], seed: int) -> int | None:
    """Run an experiment until it is turned off; the look at which it was, None = never."""
    rng, state, evidence = np.random.default_rng(seed), log_of([]), Evidence(one)
    for look in range(ROUNDS):
        for n in range(USERS):
            user = f"s{seed}-{look}-{n}"
            state.append(shown(one, user, ["a"], look))
            if rng.random() < rates[arm_of(one, user)]:
                state.append([did(user, "a", look + 0.5)])
        evidence.follow(state)
        under_way = active(root)
        assert under_way is not None
        if switch_off(root, under_way, results(evidence, START_US + 1_000 * HOUR_US)) is not None:
            return look
    return None


def settings(**more: float) -> Plan:
    return plan(least_users=100, aim_users=1_000, guard=0.02, **more)


def test_a_bad_arm_is_turned_off_by_itself_with_its_evidence(tmp_path: Path) -> None:
    start(tmp_path, settings(), "")
    assert play(tmp_path, settings(), {"champion": 0.4, "challenger": 0.15}, 0) in {0, 1, 2}
    entry = history(tmp_path)[-1]
    assert entry.kind == "off"
    assert "worse by more than 0.02 in conversion" in entry.reason
    assert entry.evidence is not None
    assert entry.evidence["difference"]["high"] < -0.02
    json.dumps(entry.as_record(), allow_nan=False)


@pytest.mark.parametrize("rates", [{"champion": 0.3, "challenger": 0.3}, {"champion": 0.2, "challenger": 0.5}])
def test_a_sound_arm_stays(tmp_path: Path, rates: dict[str, float]) -> None:
    for seed in range(4):
        root = tmp_path / str(seed)
        start(root, settings(), "")
        assert play(root, settings(), rates, seed) is None
        assert active(root) is not None


def _found(one: Plan, rates: dict[str, float], keep: float = 1.0) -> Results:
    rng, evidence, records = np.random.default_rng(0), Evidence(one), []
    for n in range(3_000):
        user = f"u{n}"
        if arm_of(one, user) == "challenger" and rng.random() > keep:
            continue
        records += shown(one, user, ["a"], 0)
        if rng.random() < rates[arm_of(one, user)]:
            records.append(did(user, "a", 1))
    evidence.follow(log_of(records))
    return results(evidence, START_US + 1_000 * HOUR_US)


def test_within_the_guard_it_stays() -> None:
    rates = {"champion": 0.4, "challenger": 0.2}
    assert worse(_found(plan(guard=0.02), rates)) is not None
    assert worse(_found(plan(guard=0.2), rates)) is None


def test_figures_that_cannot_be_trusted_turn_nothing_off() -> None:
    assert worse(_found(plan(guard=0.02), {"champion": 0.4, "challenger": 0.2}, keep=0.7)) is None
