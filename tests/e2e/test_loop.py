"""The whole loop as a user lives it: init, run, run again, serve, new days, a better model, rollback, dvc alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from components.files import read_json, sha256_tree
from tests.e2e import story

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace after its first run, which had only popularity to offer."""
    folder = tmp_path_factory.mktemp("loop") / "city"
    story.make_city(folder)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    components = params["memory"]["components"]
    weak = params | {
        "memory": params["memory"] | {"components": {k: components[k] for k in ("popularity", "user_frequency")}}
    }
    weak["training"] = params["training"] | {"models": {"memory": params["training"]["models"]["memory"]}}
    weak["training"]["blend"] = params["training"]["blend"] | {"parts": ["memory"], "candidate": False}
    weak["training"]["rankers"] = {}
    weak["evaluation"] = params["evaluation"] | {"baselines": ["popularity"]}
    story.set_params(folder, weak)
    (folder / "first.json").write_text(story.chronotope("run", "--until", story.FIRST, "--json", cwd=folder).stdout)
    (folder / "full.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    return folder


def first(city: Path) -> dict[str, Any]:
    return story.last_json((city / "first.json").read_text())


def test_the_first_run_ends_with_a_decision_and_its_reasons(city: Path) -> None:
    result = first(city)
    taken = result["ingest"]
    assert taken["rows_in"] == taken["kept"] + taken["quarantined"] + taken["duplicates"] + taken["left_out"]
    assert taken["kept"] > 1000
    assert taken["quarantined"] > 0
    assert result["decision"]["checks"], "a decision gives its reasons"
    assert result["decision"]["promote"], result["decision"]
    assert (city / "promotions" / "000001.json").exists()
    assert (city / "reports" / "report.html").stat().st_size > 10_000
    assert (city / "reports" / "data_docs" / "index.html").exists()


def test_stages_are_those_of_the_graph(city: Path) -> None:
    graph = yaml.safe_load((city / "dvc.lock").read_text())["stages"]
    assert {one["stage"] for one in first(city)["stages"]} == set(graph)


def test_run_again_says_that_nothing_changed(city: Path) -> None:
    started = time.monotonic()
    again = story.chronotope("run", "--until", story.FIRST, "--json", cwd=city)
    assert story.last_json(again.stdout) == {"changed": False}
    assert time.monotonic() - started < 60  # 15 s on a quiet machine: benchmarks/run.py


def test_dvc_alone_gives_the_same_bytes(city: Path) -> None:
    import subprocess

    def bytes_of() -> dict[str, str]:
        return {
            f"{part}/{name}": digest
            for part in ("data/validated", "data/features", "models", "blends", "reports/ranks", "reports/plots")
            for name, digest in sha256_tree(city / part).items()
        }

    before, lock = bytes_of(), (city / "dvc.lock").read_bytes()
    done = subprocess.run(
        [str(story.BIN / "dvc"), "repro", "--force"], cwd=city, capture_output=True, text=True, check=False,
        env={"PATH": f"{story.BIN}:/usr/bin:/bin", "HOME": str(city)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert bytes_of() == before
    assert (city / "dvc.lock").read_bytes() == lock


def test_new_days_a_better_model_and_back_again_under_load(city: Path) -> None:
    """The service follows a promotion and a rollback without one failed request."""
    user = next(iter(sorted(read_users(city))))
    seen: list[int] = []
    failed: list[str] = []
    stop = threading.Event()
    with story.served(city) as url:

        def hammer() -> None:
            with httpx.Client(base_url=url, timeout=60) as client:
                while not stop.is_set():
                    answer = client.post("/v1/predict", json={"user_id": user, "time": "2025-02-20T12:00:00Z", "k": 5})
                    if answer.status_code != 200:
                        failed.append(answer.text)
                    else:
                        seen.append(answer.json()["model"]["version"])
                    time.sleep(0.05)

        threads = [threading.Thread(target=hammer) for _ in range(2)]
        for one in threads:
            one.start()
        try:
            (city / "params.yaml").write_text((city / "full.yaml").read_text())
            result = story.last_json(story.chronotope("run", "--until", story.SECOND, "--json", cwd=city).stdout)
            assert result["decision"]["promote"], result["decision"]
            wait_for(seen, 2)
            back = story.last_json(story.chronotope("rollback", "--json", cwd=city).stdout)
            assert back["kind"] == "rollback"
            assert back["digest"] == read_json(city / "promotions" / "000001.json")["digest"]
            wait_for(seen, 3)
        finally:
            stop.set()
            for one in threads:
                one.join()
    assert not failed, failed[0]
    assert sorted(set(seen)) == [1, 2, 3]
    kinds = [one["kind"] for one in story.last_json(story.chronotope("history", "--json", cwd=city).stdout)]
    assert kinds == ["promote", "promote", "rollback"]


def read_users(city: Path) -> list[str]:
    from components.features.store import Store

    return [str(name) for name in Store.load(city / "data" / "features").users]


def wait_for(seen: list[int], version: int) -> None:
    deadline = time.monotonic() + 120
    while version not in seen:
        assert time.monotonic() < deadline, f"version {version} was never served, only {set(seen)}"
        time.sleep(0.2)
