"""The harness that sets the product beside its peers: what a driver says, and what is made of it. No timings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.peers.figures import Ratio, Round, compare, ready_of, round_of, summary

PEERS = Path(__file__).parents[3] / "benchmarks" / "peers"
DRIVER = """
import multiprocessing, time
from rounds import Rounds

def work(asked):
    while asked.get():
        begin = time.process_time()
        while time.process_time() - begin < 0.2:
            pass

if __name__ == "__main__":
    asked = multiprocessing.Queue()
    worker = multiprocessing.Process(target=work, args=(asked,), daemon=True)
    worker.start()
    rounds = Rounds({"name": "toy"}, lambda: [worker.pid])
    print("a library greets")
    targets = 0
    while rounds.after(targets):
        targets += 1
        asked.put(targets)
"""


def test_a_driver_trains_as_many_steps_as_asked_and_counts_its_workers(tmp_path: Path) -> None:
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    done = subprocess.run(
        [sys.executable, str(script)], input="2\n3\n", text=True, capture_output=True, check=True, timeout=60,
        env={"PYTHONPATH": str(PEERS)},
    )  # fmt: skip
    ready, *lines = done.stdout.splitlines()  # what a library prints is not among them
    assert ready_of(ready) == {"name": "toy"}
    first, second = round_of(lines[0], 2), round_of(lines[1], 3)
    assert (first.targets, second.targets) == (1 + 2, 3 + 4 + 5)
    assert first.cpu_s > 0.35  # two steps of the worker, of 0.2 s each, in ticks; this process did nothing
    assert second.cpu_s > 0.55


@pytest.mark.parametrize(
    "line",
    [
        "",
        "loss 3.2",
        json.dumps({"steps": 2, "targets": 10}),
        json.dumps({"steps": 3, "targets": 10, "cpu_s": 1.0}),
        json.dumps({"steps": 2, "targets": 0, "cpu_s": 1.0}),
        json.dumps({"steps": 2, "targets": 10, "cpu_s": 0.0}),
    ],
)
def test_an_answer_that_is_no_round_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="needed"):
        round_of(line, 2)


@pytest.mark.parametrize("line", ["", "[1, 2]", json.dumps({"steps": 1, "targets": 1, "cpu_s": 1.0})])
def test_a_driver_that_is_not_ready_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="ready"):
        ready_of(line)


def test_the_rate_of_a_loop_is_the_median_of_its_rounds() -> None:
    found = summary([Round(1, 10, 1.0), Round(1, 100, 2.0), Round(1, 30, 1.0)])
    assert found["targets_per_cpu_s"] == 30.0
    assert found["rounds"][1] == {"steps": 1, "targets": 100, "cpu_s": 2.0}


def test_a_ratio_compares_rounds_that_ran_side_by_side() -> None:
    """The neighbours slowed both loops in the second round: that is no difference between them."""
    ours = [Round(1, 100, 1.0), Round(1, 50, 1.0), Round(1, 90, 1.0)]
    theirs = [Round(1, 50, 1.0), Round(1, 10, 1.0), Round(1, 60, 1.0)]
    asked = (Ratio("a", "b", 2.0, 2.5), Ratio("b", "a", 1.0), Ratio("a", "not measured", 1.0))
    first, second = compare({"a": ours, "b": theirs}, asked)
    expected = {"ours": "a", "theirs": "b", "median": 2.0, "least": 1.5, "greatest": 5.0, "budget": 2.0, "aim": 2.5}
    assert first == expected
    assert second["median"] == 0.5
    assert "aim" not in second
