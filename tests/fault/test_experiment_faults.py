"""Experiments under fire: a kill between decision and entry, workers that decide at once, a kill beside the lists."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from components.experiments.assignment import arm_of
from components.experiments.exposure import Evidence
from components.experiments.log import active, history, start
from components.experiments.results import Results, results
from components.experiments.silent import Silent, pairs
from components.experiments.switch import switch_off
from tests.experiments import HOUR_US, START_US, did, log_of, plan, shown
from tests.fault.test_promotion_faults import CONTEXT, run_in_process
from tests.unit.experiments.test_shadow import answer


def _bad() -> Results:
    one, records = plan(guard=0.02), []
    for n in range(600):
        records += shown(one, f"u{n}", ["a"], 0)
        if arm_of(one, f"u{n}") == "champion" and n % 2:
            records.append(did(f"u{n}", "a", 1))
    evidence = Evidence(one)
    evidence.follow(log_of(records))
    return results(evidence, START_US + 1_000 * HOUR_US)


def _switch(root: Path) -> None:
    under_way = active(root)
    assert under_way is not None
    switch_off(root, under_way, _bad())


def _race(root: Path, gate: Any, found: Any) -> None:
    under_way, bad = active(root), _bad()
    assert under_way is not None
    gate.wait()
    entry = switch_off(root, under_way, bad)
    found.put(None if entry is None else entry.sequence)


def _keep_and_die(root: Path) -> None:
    silent = Silent(root, waiting=1_000, k=3, head=lambda: 0)
    for n in range(450):
        silent.offer(f"u{n}", n, 0, answer("a"), lambda: answer("b"))
    while silent.asked < 450:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_kill_between_decision_and_entry_leaves_it_to_the_next_look(tmp_path: Path) -> None:
    start(tmp_path, plan(guard=0.02), "")
    assert run_in_process(_switch, tmp_path, CHRONOTOPE_FAULT="before-experiment-end") == -signal.SIGKILL
    assert len(history(tmp_path)) == 1
    assert run_in_process(_switch, tmp_path) == 0
    assert [entry.kind for entry in history(tmp_path)] == ["start", "off"]


def test_two_workers_that_decide_at_once_write_one_entry(tmp_path: Path) -> None:
    start(tmp_path, plan(guard=0.02), "")
    gate, found = CONTEXT.Barrier(2), CONTEXT.Queue()
    racers = [CONTEXT.Process(target=_race, args=(tmp_path, gate, found)) for _ in range(2)]
    for racer in racers:
        racer.start()
    ends = [found.get(timeout=300) for _ in racers]
    for racer in racers:
        racer.join()
    assert sorted(ends, key=str) == [2, None]
    assert [entry.kind for entry in history(tmp_path)] == ["start", "off"]


def test_a_kill_loses_the_unwritten_lists_of_both_models_and_leaves_whole_files(tmp_path: Path) -> None:
    assert run_in_process(_keep_and_die, tmp_path) == -signal.SIGKILL
    kept = list(pairs(tmp_path))
    assert len(kept) == 400
    assert all(one.champion == ("a",) and one.challenger == ("b",) for one in kept)
