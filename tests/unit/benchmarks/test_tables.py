"""What stored results look like on the page: bold, marks, published rows, gaps, and what is said where nothing is."""

from __future__ import annotations

import doctest
from types import ModuleType
from typing import Any

import pytest

from benchmarks.keep import kept
from benchmarks.page import anchor, at_a_glance, render
from benchmarks.suite import Column, Published, Section, Source, Suite, Table
from benchmarks.tables import encoders, fields, ranking, streams, text, ties
from benchmarks.tables.ranking import Stored

SOURCES = {"paper": Source(name="a paper", url="https://example.org/paper"), "note": Source(name="a note")}
Record = dict[str, Any]


def around(value: float, width: float = 0.01) -> Record:
    return {"value": value, "low": value - width, "high": value + width}


def row(model: str, value: float, **more: Any) -> Record:
    return {"model": model, "metrics": {"ndcg@10": around(value), "hr@10": around(2 * value)}, "seeds": 1} | more


def record(**changes: Any) -> Record:
    """A network that is ahead of both counters, and a memory that is ahead of one."""
    return {
        "protocol": {
            "split": "temporal",
            "target_time": "hidden",
            "history": "online",
            "seen": "kept",
            "unseen": "miss",
            "ties": "source",
            "queries": 1000,
            "users_asked": 90,
            "unseen_share": 0.02,
        },
        "data": {
            "digest": "abcdef1234567890",
            "users": 90,
            "items": 70,
            "events": 5000,
            "ties": 0.4,
            "tied_targets": 0.3,
        },
        "primary": "ndcg@10",
        "confidence": 0.95,
        "rows": [
            row("popularity", 0.10, kind="baseline"),
            row("user_markov", 0.20, kind="baseline"),
            row("memory", 0.25, kind="model"),
            row("gru", 0.30, kind="model", seeds=3, seed_means=[0.29, 0.30, 0.31]),
        ],
        "paired": {
            "memory": {"popularity": around(0.15), "user_markov": around(0.05, 0.06), "gru": around(-0.05)},
            "gru": {"popularity": around(0.20), "user_markov": around(0.10), "memory": around(0.05)},
        },
        "made_by": {
            "options": {"source": "csv", "path": "log.csv", "protocol": "temporal", "seeds": 3},
            "code": "c0de" * 16,
        },
    } | changes


def table(**changes: Any) -> Table:
    given: Record = {
        "name": "one",
        "kind": "ranking",
        "title": "A table",
        "result": "one.json",
        "command": ["chronotope benchmark --source csv --path DATA/log.csv --seeds 3"],
        "columns": ["ndcg@10", "hr@10"],
    }
    return Table.model_validate(given | changes)


def holding(**results: Record) -> Stored:
    return lambda name: results.get(name.removesuffix(".json"))


def shown(one: Table, found: Record | None) -> str:
    return "\n\n".join(ranking.render(one, holding(**({} if found is None else {"one": found})), SOURCES))


def line(page: str, start: str) -> str:
    (found,) = [one for one in page.splitlines() if one.startswith(f"| {start}")]
    return found


@pytest.mark.parametrize("module", [text, fields, ranking], ids=lambda module: module.__name__)
def test_the_examples_hold(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.failed == 0
    assert found.attempted > 0


def test_models_stand_among_baselines_best_first_with_the_gap_to_the_best() -> None:
    page = shown(table(), record())
    order = [one.split(" |")[0] for one in page.splitlines() if one.startswith("| ")][2:]
    assert order == ["| **GRU** ▲", "| **memory**", "| user Markov", "| popularity"]
    assert "| against user Markov |" in page
    assert "**+.1000** (+.090 to +.110)" in line(page, "**GRU**")
    assert "+.0500 (−.010 to +.110)" in line(page, "**memory**"), "an interval that holds zero is not bold"
    assert line(page, "**GRU**").count("**.") == 2, "the best of each column is bold"
    assert "**." not in line(page, "**memory**")
    assert "this project, 3 seeds" in line(page, "**GRU**")
    assert "GRU − memory **+.0500** (+.040 to +.060)" in page
    assert "Seed by seed, NDCG@10: GRU .2900, .3000, .3100." in page


def test_the_rules_are_told() -> None:
    page = shown(table(), record())
    for words in (
        "split temporal",
        "target time hidden",
        "unseen miss (2.0% of answers)",
        "1,000 questions of 90 users",
    ):
        assert words in page
    assert "ties source (40.0% of events, 30.0% of answers)" in page
    assert "data abcdef123456 · code c0dec0dec0de" in page


def test_a_result_of_old_is_shown_as_far_as_it_goes() -> None:
    old = record()
    for one in old["rows"]:
        del one["kind"]
    del old["paired"], old["made_by"], old["primary"], old["data"]["tied_targets"]
    page = shown(table(), old)
    assert "against" not in page
    assert "▲" not in page
    assert "| user Markov | baseline |" in page


def test_a_result_of_another_command_says_so() -> None:
    assert "made with" not in shown(table(), record())
    command = ["chronotope benchmark --source csv --path DATA/log.csv --seen filtered"]
    page = shown(table(command=command), record())
    assert "*The stored result was made with seeds 3 (the command: 1); seen left out (the command: filtered).*" in page
    old = record()
    del old["made_by"]
    assert "made with" not in shown(table(), old)
    assert "made with seeds 3 (the command: 1)" in shown(table(command=command), old)


def test_published_rows_stand_where_they_can_be_compared() -> None:
    one = table(
        published=[
            {"model": "Rival", "values": {"ndcg@10": 0.35}, "source": "paper", "comparable": "wholly"},
            {
                "model": "Like",
                "values": {"ndcg@10": 0.1},
                "source": "note",
                "comparable": "partly",
                "why": "ties unknown",
            },
            {
                "model": "Seer",
                "values": {"hr@10": 0.9},
                "source": "note",
                "comparable": "not",
                "why": "sees the answer",
                "quoted": True,
            },
        ]
    )
    page = shown(one, record())
    assert page.index("| Rival |") < page.index("| **GRU** ▲ |") < page.index("| ≈ Like |") < page.index("| Seer |")
    assert "[a paper](https://example.org/paper) | **.3500** | – | – |" in line(page, "Rival")
    assert "- ≈ Like: ties unknown." in page
    assert line(page, "Seer") == "| Seer | quoted in a note | sees the answer | .9000 |"
    missing = shown(one, None)
    assert "**.3500**" in line(missing, "Rival")
    assert "Seer" in missing


def test_a_row_that_cannot_be_compared_says_why() -> None:
    with pytest.raises(ValueError, match="says why"):
        Published(model="a", values={}, source="paper", comparable="not")
    with pytest.raises(ValueError, match="says why"):
        Published(model="a", values={}, source="paper", comparable="partly")
    Published(model="a", values={}, source="paper", comparable="partly", quoted=True)


def test_ties_show_what_their_order_was_worth() -> None:
    one = table(kind="ties", against="two.json", command=[])
    twin = record(rows=[row("popularity", 0.1, kind="baseline"), row("gru", 0.15, kind="model")])
    says, page = ties.render(one, holding(one=record(), two=twin), SOURCES)
    assert "40.0% of the events" in says
    assert "30.0% of the answers" in says
    assert line(page, "GRU").endswith("| 50% |")
    assert line(page, "popularity").endswith("| 0% |")
    assert "memory" not in page
    assert ties.render(one, holding(one=record()), SOURCES) == []


def test_encoders_stand_beside_their_twins() -> None:
    found = record(
        popularity={"ndcg@10": around(0.05)},
        rows=[
            {
                "model": "gru",
                "metrics": {"ndcg@10": around(0.2)},
                "twin": {"ndcg@10": around(0.1)},
                "against_twin": around(0.1),
                "against_popularity": around(0.15),
            },
            {
                "model": "st_lstm",
                "metrics": {"ndcg@10": around(0.3)},
                "twin": {"ndcg@10": around(0.3)},
                "against_twin": around(0.0),
                "against_popularity": around(0.25),
            },
        ],
    )
    page = "\n".join(encoders.render(table(kind="encoders"), holding(one=found), SOURCES))
    assert line(page, "GRU ▲").startswith("| GRU ▲ | .2000 (.190–.210) | .1000 (.090–.110) | **+.1000**")
    assert line(page, "ST LSTM").startswith("| ST LSTM | **.3000** (.290–.310)"), "not ahead of its twin: no mark"
    assert page.index("ST LSTM") < page.index("GRU")


def test_streams_show_seeds_recipes_and_constants() -> None:
    figures = {
        "type_error_percent": 8.0,
        "log_likelihood": 0.5,
        "log_likelihood_time": 0.8,
        "log_likelihood_type": -0.3,
        "mae_median": 0.1,
        "coverage_80": 0.8,
    }
    rows = [{"events": 1000, **figures, "type_error_percent": error} for error in (7.9, 8.1)]
    constants = {"type_error_majority_percent": 55.0, "type_error_last_again_percent": 90.0, "mae_constant_median": 0.2}
    one = table(
        kind="streams",
        published=[{"model": "Recipe", "values": {"log_likelihood": 0.4}, "source": "note", "comparable": "wholly"}],
    )
    page = "\n".join(streams.render(one, holding(one={"mean": figures, "rows": rows, "constants": constants}), SOURCES))
    assert "**8.00** (7.90 to 8.10)" in page
    assert "this project, 2 seeds" in page
    assert line(page, "Recipe") == "| Recipe | a note | – | .400 | – | – | – | – |"
    assert line(page, "always the median gap").endswith("| .2000 | – |")


def test_any_json_is_a_table() -> None:
    one = table(
        kind="fields",
        path="rates",
        columns=[
            {"title": "loop", "key": "@key"},
            {"title": "rate", "key": "@value", "form": ",.0f"},
            {"title": "×", "key": "@value", "over": "plain", "form": ".2f", "unit": "×"},
            {"title": "none", "key": "nothing"},
        ],
    )
    (page,) = fields.render(one, holding(one={"rates": {"plain": 1000, "ours": 5250}}), SOURCES)
    assert line(page, "ours") == "| ours | 5,250 | 5.25× | – |"
    grouped = table(
        kind="fields",
        path="rows",
        group="head",
        columns=["head", {"title": "worse", "key": "worse", "form": "+.1f"}, "@count"],
    )
    rows = [{"head": "item", "worse": -1.0}, {"head": "time", "worse": 1.0}, {"head": "item", "worse": -2.0}]
    (page,) = fields.render(grouped, holding(one={"rows": rows}), SOURCES)
    assert line(page, "item") == "| item | −1.5 | 2 |"
    told = table(
        kind="fields",
        path="rows",
        columns=[
            "model",
            {"title": "hr", "key": "hr@10", "form": "estimate"},
            {"title": "Δ", "key": "d", "form": "gap"},
        ],
    )
    rows = [{"model": "a", "hr@10": around(0.5)}, {"model": "b", "hr@10": around(0.6), "d": around(0.1)}]
    (page,) = fields.render(told, holding(one={"rows": rows}), SOURCES)
    assert line(page, "a") == "| a | .5000 (.490–.510) | – |"
    assert line(page, "b") == "| b | .6000 (.590–.610) | **+.1000** (+.090 to +.110) |"
    single = table(
        kind="fields",
        columns=[
            {"title": "M rows/s", "key": "a.rows", "scale": 1e-6, "form": ".2f"},
            {"title": "errors", "key": "errors"},
        ],
    )
    assert fields.sentence(single, holding(one={"a": {"rows": 1_140_000}, "errors": 0})) == "1.14 M rows/s, 0 errors"
    assert Column(title="x", key="y").scale == 1.0


def suite(*tables: Table, **more: Any) -> Suite:
    return Suite(intro="How to read.", sources=SOURCES, sections=(Section(title="A log", tables=tables, **more),))


def test_the_page_says_what_was_not_run() -> None:
    page = render(suite(table(), table(name="two", result="two.json", otherwise="Seen once: 5.")), holding())
    assert "*Not run yet*: `one.json` is not stored" in page
    assert "Seen once: 5." in page
    assert "--seeds 3 --json benchmarks/results/one.json" in page
    run = render(
        suite(table(), table(name="two", result="two.json", otherwise="Seen once: 5.")),
        holding(one=record(), two=record()),
    )
    assert "Not run yet" not in run
    assert "Seen once" not in run


def test_the_page_is_seen_at_a_glance() -> None:
    one = table(published=[{"model": "Rival", "values": {"ndcg@10": 0.35}, "source": "paper", "comparable": "wholly"}])
    glance = at_a_glance(suite(one), holding(one=record()))
    assert "| [A log](#a-log): A table | NDCG@10 | GRU .3000 (.290–.310) | user Markov .2000 (.190–.210) |" in glance
    assert "| **+.1000** (+.090 to +.110) | .3500 Rival |" in glance
    assert anchor("Heads, together & alone") == "heads-together--alone"


def test_a_compact_section_has_a_line_for_each_result() -> None:
    columns = [{"title": "s", "key": "seconds", "form": ".1f"}]
    first = table(kind="fields", columns=columns, command=["python -m benchmarks.validation"])
    second = first.model_copy(update={"name": "two", "result": "two.json", "title": "Another", "otherwise": "3 s"})
    page = render(suite(first, second, compact=True), holding(one={"seconds": 2.04}))
    assert "| A table | 2.0 s | `python -m benchmarks.validation --json benchmarks/results/one.json` |" in page
    assert "| Another | 3 s *(by hand)* |" in page


def test_two_tables_of_one_name_and_sources_nobody_told_are_refused() -> None:
    with pytest.raises(ValueError, match="one name"):
        suite(table(), table())
    with pytest.raises(ValueError, match="not told"):
        suite(table(published=[{"model": "a", "values": {}, "source": "rumour", "comparable": "wholly"}]))


def test_the_last_run_of_a_workspace_becomes_a_result() -> None:
    found = record()
    base = {"to": "user_markov"}
    models = [
        {
            "model": "gru",
            "kind": "model",
            "metrics": found["rows"][3]["metrics"],
            "difference": around(0.1) | base,
            "slices": {},
        },
        {"model": "user_markov", "kind": "baseline", "metrics": found["rows"][1]["metrics"]},
        {
            "model": "oracle",
            "kind": "observer",
            "metrics": found["rows"][2]["metrics"],
            "difference": around(0.2) | base,
        },
    ]
    stated = ("queries", "users_asked", "unseen_share")
    data = found["data"] | {name: found["protocol"][name] for name in stated} | {"targets_in_window": 5, "windows": []}
    evaluation = {
        "protocol": found["protocol"] | {"window": "test"},
        "data": data,
        "models": models,
        "primary": "ndcg@10",
        "confidence": 0.95,
    }
    result = kept(evaluation)
    assert "slices" not in result["rows"][0]
    page = shown(table(command=["make run"]), result)
    assert "**+.1000** (+.090 to +.110)" in line(page, "**GRU**")
    assert "| observer |" in page
