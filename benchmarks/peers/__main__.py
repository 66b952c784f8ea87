"""Training speed: the product beside RecTools, RecBole and pmixer's SASRec, in valid targets per CPU second.

    OMP_NUM_THREADS=1 python -m benchmarks.peers --rectools PYTHON --recbole PYTHON --pmixer PYTHON --pmixer-code DIR
        [--rounds 3] [--json OUT]

One log (that of `benchmarks.training`, shaped like ML-1M; the last two events of each user held out), one size (2
blocks, width 64, the last 200 events, batches of 128 or as many places), one thread. Every loop is a process of its
own in an environment of its own and takes a few steps at a time, one loop after the other, round by round; the first
step of each is not counted. CPU time is compared, that of a loader's processes included, because the neighbours of a
busy machine take wall time from whom they will. A target is valid when it is no padding. What a loop prints of itself
stands in the JSON. Without a peer's PYTHON its rows are left out.

Environments, each apart from the project's:

    python -m venv rectools && rectools/bin/pip install torch==2.13.0
    rectools/bin/pip install torch==2.13.0 rectools[torch]==0.19.0 numpy==1.26.4 pandas==2.3.3 pytorch-lightning==2.5.2
    python -m venv recbole && recbole/bin/pip install torch==2.13.0
    recbole/bin/pip install torch==2.13.0 recbole==1.2.1 numpy==1.26.4 pandas==2.3.3
    recbole/bin/pip install 'setuptools<70'   # its ray needs pkg_resources; pip warns that torch wants a newer one
    git clone https://github.com/pmixer/SASRec.pytorch   # runs in any environment with torch and numpy
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from benchmarks.machine import machine
from benchmarks.peers.figures import Ratio, Round, compare, ready_of, round_of, summary
from benchmarks.training import synthetic_log

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

#: Loops of the product and the padded one → steps of a round, so that each lasts seconds.
OURS = {"padded": 2, "full": 5, "sampled": 8, "gbce": 8, "gru": 5, "joint": 4, "copying": 1}
PEERS = {"pmixer": 5, "rectools softmax": 2, "rectools gBCE": 1, "recbole": 2}
RATIOS = (
    Ratio("full", "padded", 5.0),
    Ratio("full", "pmixer", 2.0, 2.5),
    Ratio("sampled", "pmixer", 2.0, 2.5),
    Ratio("full", "rectools softmax", 7.0, 12.0),
    Ratio("gbce", "rectools gBCE", 7.0, 12.0),
    Ratio("full", "recbole", 300.0),
    Ratio("joint", "padded", 1.0),
)


@dataclass(frozen=True)
class Driver:
    """A process that trains when it is asked, and where its complaints go."""

    name: str
    process: subprocess.Popen[str]
    complaints: Path

    @classmethod
    def start(cls, name: str, command: list[str], folder: Path) -> Self:
        """Start it; it is ready when `ready` returns."""
        complaints = folder / f"{name.replace(' ', '_')}.err"
        with complaints.open("w") as out:
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out, text=True,
                env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        return cls(name, process, complaints)

    def ready(self) -> dict[str, Any]:
        """Wait for its first step; what it is."""
        return ready_of(self._line())

    def round(self, steps: int) -> Round:
        """Ask for steps and wait."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return round_of(self._line(), steps)

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended: {self.complaints.read_text()[-2000:]}")
        return line

    def stop(self) -> None:
        """Let it end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def commands(options: argparse.Namespace, log: Path) -> dict[str, list[str]]:
    """Command of each loop that can be run."""
    read = ["--log", str(log)]
    found = {kind: [sys.executable, "-m", "benchmarks.peers.run_ours", *read, "--kind", kind] for kind in OURS}
    if options.pmixer and options.pmixer_code:
        code = ["--code", str(options.pmixer_code.resolve())]
        found["pmixer"] = [options.pmixer, str(HERE / "run_pmixer.py"), *read, *code]
    if options.rectools:
        for loss in ("softmax", "gBCE"):
            script = str(HERE / "run_rectools.py")
            found[f"rectools {loss}"] = [options.rectools, script, *read, "--loss", loss]
    if options.recbole:
        found["recbole"] = [options.recbole, str(HERE / "run_recbole.py"), *read]
    return {name: command for name, command in found.items() if not options.only or name in options.only}


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Start every loop, alternate their rounds, sum up."""
    log = folder / "log.npz"
    user, item = synthetic_log()
    np.savez(log, user=user, item=item)
    drivers, about = [], {}
    try:
        for name, command in commands(options, log).items():
            drivers.append(Driver.start(name, command, folder))
            about[name] = drivers[-1].ready()  # one after the other: a start is no neighbour's burden
            print(f"ready: {name}", flush=True)
        ran_on = machine()
        rounds: dict[str, list[Round]] = {driver.name: [] for driver in drivers}
        for _ in range(options.rounds):
            for driver in drivers:
                rounds[driver.name].append(driver.round((OURS | PEERS)[driver.name]))
    finally:
        for driver in drivers:
            driver.stop()
    loops = {name: {"about": about[name], **summary(found)} for name, found in rounds.items()}
    shape = {"users": int(user[-1]) + 1, "items": int(item.max()) + 1, "events": len(user)}
    return {
        "unit": "valid targets per CPU second, 1 thread; medians over rounds of loops that alternate",
        "machine": ran_on | {"load_average_after": machine()["load_average"]},
        "log": shape,
        "loops": loops,
        "ratios": compare(rounds, RATIOS),
    }


def main() -> None:
    """Measure, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for peer in ("rectools", "recbole", "pmixer"):
        parser.add_argument(f"--{peer}", metavar="PYTHON", help=f"the interpreter of the environment of {peer}")
    parser.add_argument("--pmixer-code", type=Path, metavar="DIR", help="a checkout of pmixer/SASRec.pytorch")
    parser.add_argument("--only", nargs="+", choices=sorted(OURS | PEERS), help="these loops alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        record = measure(options, Path(folder))
    for name, loop in record["loops"].items():
        print(f"{name:18} {loop['targets_per_cpu_s']:10,.0f} targets per CPU second")
    for row in record["ratios"]:
        print(f"{row['ours']:>8} / {row['theirs']:18} {row['median']:7.2f}×  {row['least']}–{row['greatest']}")
    if options.json:
        options.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
