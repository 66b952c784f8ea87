"""The benchmark on files of its own making: the shape of its JSON, resuming, divided files, baskets, wrong options."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from components.benchmark import BenchmarkResult, Options, benchmark
from components.benchmark import run as module
from components.benchmark.__main__ import main
from components.benchmark.load import load_log
from components.benchmark.paired import ahead_of_baselines, difference
from components.benchmark.run import params_behind
from components.code import CODE, code_digest
from components.errors import ConfigError, DataError
from components.evaluation.significance import Bootstrap

MAPPING = "user_id: who\nitem_id: what\naction: how\ntimestamp: when\n"
QUICK = "evaluation: {bootstrap: 100}\nmemory: {em_steps: 5}\nfeatures: {session_gap_s: 36000}\n"


def write_log(path: Path, first: int = 0, last: int = 60, tied: bool = False) -> Path:
    """Thirty users who walk along a ring of 12 items, with noise."""
    rng = np.random.default_rng(0)
    lines = ["who,what,how,when"]
    for user in range(30):
        item = user
        for step in range(60):
            item = item + 1 if rng.random() < 0.9 else int(rng.integers(12))
            if first <= step < last:
                hour = (step // 3 * 3) if tied else step
                lines.append(f"u{user},i{item % 12},view,2024-01-{1 + hour // 2:02d}T{hour % 2 * 9:02d}:{user:02d}:00Z")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def options(tmp_path: Path) -> Options:
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    (tmp_path / "params.yaml").write_text(QUICK)
    return Options(
        source="csv",
        path=write_log(tmp_path / "log.csv"),
        mapping=tmp_path / "mapping.yaml",
        params=tmp_path / "params.yaml",
        models=("memory",),
        json=tmp_path / "out.json",
    )


def changed(options: Options, **changes: object) -> Options:
    return Options(**(vars(options) | changes))  # type: ignore[arg-type]


def test_the_json_has_exactly_the_promised_shape(options: Options) -> None:
    benchmark(options)
    assert options.json is not None
    record = json.loads(options.json.read_text())
    assert set(record) == {"protocol", "data", "rows", "primary", "confidence", "paired", "made_by"}
    assert set(record["data"]) == {"digest", "users", "items", "events", "ties", "tied_targets"}
    assert {"split", "target_time", "history", "seen", "unseen", "ties"} <= set(record["protocol"])
    assert (record["data"]["users"], record["data"]["items"], record["data"]["events"]) == (30, 12, 1800)
    assert [row["model"] for row in record["rows"]][-1] == "memory"
    for row in record["rows"]:
        assert set(row) == {"model", "kind", "metrics", "seeds", "seed_means", "train_seconds"}
        assert row["kind"] == ("model" if row["model"] == "memory" else "baseline")
        assert row["seed_means"] == [pytest.approx(row["metrics"]["ndcg@10"]["value"])]
        assert {"ndcg@10", "hr@1", "mrr"} <= set(row["metrics"])
        for one in row["metrics"].values():
            assert set(one) == {"value", "low", "high"}
            assert one["low"] <= one["value"] <= one["high"]
    by_name = {row["model"]: row["metrics"]["hr@1"]["value"] for row in record["rows"]}
    assert by_name["markov"] > 0.8 > by_name["popularity"] + 0.5


def test_the_json_says_what_made_it_and_not_where(options: Options) -> None:
    made_by = benchmark(options).record()["made_by"]
    assert made_by["options"] | {"models": ["memory"]} == {
        "source": "csv",
        "path": "log.csv",
        "mapping": "mapping.yaml",
        "params": "params.yaml",
        "protocol": "temporal",
        "models": ["memory"],
        "seeds": 1,
    }
    assert made_by["code"] == code_digest(CODE["blend"])
    elsewhere = changed(options, path=options.path.rename(options.path.with_name("moved.csv")), json=None)  # type: ignore[union-attr]
    again = benchmark(elsewhere).record()["made_by"]
    assert again["params"] == made_by["params"]
    assert benchmark(changed(elsewhere, seen="filtered")).record()["made_by"]["params"] != made_by["params"]


def test_every_model_is_paired_with_every_other_row(options: Options) -> None:
    result = benchmark(options)
    record, values = result.record(), {row.model: row.judgements[0].metric("ndcg@10") for row in result.rows}
    assert set(record["paired"]) == {"memory"}, "counters are not compared with each other"
    assert set(record["paired"]["memory"]) == set(values) - {"memory"}
    for other, found in record["paired"]["memory"].items():
        assert found["value"] == pytest.approx(np.mean(values["memory"] - values[other]))
        assert found["low"] <= found["value"] <= found["high"]
    assert record["paired"]["memory"]["popularity"]["low"] > 0.3


def test_the_table_marks_what_is_ahead_of_every_baseline(options: Options) -> None:
    result = benchmark(options)
    result.record()["paired"]["memory"] = {name: {"low": 0.1} for name in result.record()["paired"]["memory"]}
    assert "memory *" in shown(result)
    result.record()["paired"]["memory"]["popularity"] = {"low": 0.0}
    assert "memory" in shown(result)
    assert "memory *" not in shown(result)


def shown(result: BenchmarkResult) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    result.print(console)
    return console.export_text()


def test_what_is_done_is_not_done_again(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    first = benchmark(options).record()
    built: list[str] = []
    monkeypatch.setattr(module._Run, "_fitted", lambda self, name, seed: built.append(name))
    assert benchmark(options).record() == first
    assert built == []
    with pytest.raises(TypeError):  # other rules: nothing of it may be taken from what is kept
        benchmark(changed(options, target_time="given"))
    assert built == ["popularity"]


def test_a_learner_more_leaves_the_others_as_they_are(options: Options, tmp_path: Path) -> None:
    log, *_ = load_log(options, lambda _: None)
    (tmp_path / "more.yaml").write_text(
        QUICK + "training: {models: {gru: {network: {width: 8}}}, rankers: {gate: {parts: [memory, item_knn]}}}\n"
    )
    more, *_ = load_log(changed(options, params=tmp_path / "more.yaml"), lambda _: None)
    for name in ("memory", "markov", "item_knn", "transformer", "ranker", "blend"):
        assert params_behind(more, name) == params_behind(log, name), name
    for name in ("gru", "gate"):
        assert params_behind(more, name) != params_behind(log, name), name
    assert params_behind(more, "gate")["training"]["models"].keys() == {"memory"}
    assert params_behind(more, "tests.own:Last") == more.model_dump(mode="json")


def test_new_code_does_everything_again(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark(options)
    built: list[str] = []
    monkeypatch.setattr(module._Run, "_fitted", lambda self, name, seed: built.append(name))
    monkeypatch.setattr(module, "code_digest", lambda parts: "of other code")
    with pytest.raises(TypeError):
        benchmark(options)
    assert built == ["popularity"]


def test_files_that_come_divided_are_taken_as_they_are(options: Options, tmp_path: Path) -> None:
    parts = {
        "train": write_log(tmp_path / "train.csv", 0, 40),
        "valid": write_log(tmp_path / "valid.csv", 40, 50),
        "test": write_log(tmp_path / "test.csv", 50, 60),
    }
    result = benchmark(changed(options, path=None, **parts))
    record, source = result.record(), result.params.events.source
    assert source.path is None, "the log is no one file"
    assert source.mapping == benchmark(changed(options, json=None)).params.events.source.mapping
    assert record["protocol"]["targets_in_window"] == 300
    assert record["data"]["events"] == 1800
    del parts["valid"]
    assert benchmark(changed(options, path=None, **parts)).record()["protocol"]["targets_in_window"] == 300


@pytest.mark.parametrize("protocol", ["leave_one_out", "last_of_trajectory", "temporal"])
def test_every_split_runs_and_asks_what_it_should(options: Options, protocol: str) -> None:
    dropped = protocol != "last_of_trajectory"
    found = benchmark(
        changed(options, protocol=protocol, history="train_only", unseen="dropped" if dropped else "miss")
    )
    asked = found.record()["protocol"]["queries"]
    assert asked == {"leave_one_out": 30, "last_of_trajectory": 90, "temporal": 180}[protocol]
    assert all(row.judgements[0].metric("mrr").mean() > 0 for row in found.rows)


def test_what_is_given_its_weights_needs_no_window_to_learn_them_on(options: Options, tmp_path: Path) -> None:
    (tmp_path / "mixed.yaml").write_text(
        QUICK
        + """
training:
  blend: {parts: [memory, item_knn]}
  ensembles:
    together: &one {parts: [memory, item_knn], method: pool, weights: {memory: 3, item_knn: 1}, history_buckets: [0],
      em_steps: 5, pull: 1.0, max_queries: 100, candidate: true}
    learned: {<<: *one, method: stack}
"""
    )
    said: list[str] = []
    mixed = ("memory", "item_knn", "blend", "together", "learned")
    alone = changed(options, protocol="leave_one_out", params=tmp_path / "mixed.yaml", models=mixed)
    rows = [row.model for row in benchmark(alone, said.append).rows]
    assert "together" in rows
    assert {"blend", "learned"}.isdisjoint(rows)
    assert sum("leaves no window" in line for line in said) == 2


def test_a_protocol_that_finds_nothing_to_ask_says_so(options: Options, tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text("features: {session_gap_s: 60}\n")
    with pytest.raises(DataError, match="to be predicted"):
        benchmark(changed(options, protocol="last_of_trajectory", params=tmp_path / "short.yaml"))


def test_ties_can_be_shuffled_or_judged_as_baskets(options: Options, tmp_path: Path) -> None:
    tied = changed(options, path=write_log(tmp_path / "tied.csv", tied=True), json=None)
    as_given = benchmark(tied).record()
    assert as_given["data"]["ties"] == pytest.approx(2 / 3, abs=0.01)
    assert as_given["data"]["tied_targets"] == pytest.approx(2 / 3, abs=0.01)
    shuffled = benchmark(changed(tied, ties="shuffled")).record()
    markov = {
        name: {row["model"]: row for row in record["rows"]}["markov"]["metrics"]["hr@1"]["value"]
        for name, record in (("given", as_given), ("shuffled", shuffled))
    }
    assert markov["shuffled"] < markov["given"] - 0.2  # the order within a tie was all that was predictable
    baskets = benchmark(changed(tied, ties="basket")).record()
    assert baskets["protocol"]["queries"] * 3 == as_given["protocol"]["queries"]
    assert baskets["data"]["tied_targets"] == 0.0


def test_wrong_options_are_told_before_anything_is_trained(options: Options, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(ConfigError, match="either --path"):
        benchmark(changed(options, test=options.path))
    with pytest.raises(ConfigError, match="either --path"):
        benchmark(changed(options, path=None))
    with pytest.raises(ConfigError, match="'oracle9'"):
        benchmark(changed(options, models=("oracle9",)))
    assert main(["--source", "nonsense", "--path", str(options.path)]) == ConfigError.exit_code
    assert "nonsense" in capsys.readouterr().err


def test_seeds_are_paired_in_their_order_and_what_draws_nothing_stands_against_each() -> None:
    rng = np.random.default_rng(0)
    bootstrap = Bootstrap(np.arange(400) // 2, 400, 0.95, 0)
    easy = rng.random(400)  # what a question is worth to everybody
    a = [easy + 0.1, easy + 0.2]
    assert difference(a, [easy], bootstrap).value == pytest.approx(0.15)
    paired = difference(a, [easy + 0.1, easy + 0.2], bootstrap)
    assert (paired.low, paired.high) == (pytest.approx(0.0, abs=1e-9), pytest.approx(0.0, abs=1e-9))
    alone = difference([easy], [rng.random(400)], bootstrap)
    assert alone.low < alone.value < alone.high


def test_a_record_of_old_without_pairs_marks_nobody() -> None:
    assert not ahead_of_baselines({"rows": [{"model": "a"}, {"model": "b"}]}, "a")
