"""A small workspace of the simulated city, and the command line as a user runs it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

BIN = Path(sys.executable).parent
FIRST, SECOND = "2025-02-17", "2025-02-24"  # the log is cut before these days


def chronotope(
    *arguments: str, cwd: Path, check: bool = True, timeout: float = 540
) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "CHRONOTOPE_"))}
    done = subprocess.run(
        [str(BIN / "chronotope"), *arguments],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    if check and done.returncode != 0:
        raise AssertionError(f"chronotope {' '.join(arguments)} → {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def last_json(text: str) -> dict[str, Any]:
    """The JSON object that ends the output."""
    return json.loads(text.strip().splitlines()[-1])


def make_city(folder: Path) -> None:
    """`chronotope init`, then a city that is learned in seconds; its first model is a weak one."""
    chronotope("init", str(folder), "--source", "city", "--name", "small-city", cwd=folder.parent)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["simulation"] |= {"users": 150, "items": 120, "start": "2025-01-06", "days": 60, "dirty": 0.004}
    # 150 people are too few for one day's shares to be steady.
    params["validation"] |= {"action_mix_tolerance": 0.6, "null_share_tolerance": 0.6}
    params["windows"] = {"tune": "5d", "blend": "5d", "test": "7d"}
    loop = params["training"]["loop"]
    loop |= {"epochs": 2, "patience": 2, "max_tune_queries": 300}
    models = params["training"]["models"]
    network = next(one for one in models.values() if one["network"])
    network["network"] |= {"width": 16, "max_history": 20, "encoder": {"kind": "gru", "options": {"layers": 1}}}
    params["training"]["models"] = {"memory": models["memory"], "gru": network}
    params["training"]["blend"] |= {"parts": ["memory", "gru"], "em_steps": 20}
    ranker = params["training"]["rankers"]["ranker"]
    params["training"]["rankers"] = {"ranker": ranker | {"parts": ["memory", "gru"], "em_steps": 20, "ablation": False}}
    params["evaluation"] |= {"max_queries": 3000, "bootstrap": 300}
    params["gate"] |= {"max_ece": 1.0, "max_latency_ms": 5000, "min_slice_queries": 30, "max_slice_loss": 0.2}
    params["serving"]["poll_s"] = 0.3
    set_params(folder, params)


def set_params(folder: Path, params: dict[str, Any]) -> None:
    """Write params.yaml."""
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def served(folder: Path) -> AbstractContextManager[str]:
    """`chronotope serve` until it is ready; the base URL."""
    return listening([str(BIN / "chronotope"), "serve", "--workspace", str(folder)], folder / "serve.log")


@contextmanager
def listening(
    command: list[str], log: Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    """A server in a process group of its own until it is ready; the base URL. Its port is added to the command."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            stdout=out, stderr=subprocess.STDOUT, start_new_session=True, cwd=cwd, env=environment,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + 240
            while True:
                assert process.poll() is None, log.read_text()[-2000:]
                assert time.monotonic() < deadline, log.read_text()[-2000:]
                try:
                    if httpx.get(f"{url}/readyz", timeout=5).status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                time.sleep(0.5)
            yield url
        finally:
            os.killpg(process.pid, 15)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
