"""What must hold for any log: updates in any order, merging, forgetting, and no view of the future."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.features.store import Store
from components.memory.counter import World
from components.memory.predictor import MemoryPredictor
from components.memory.replay import ask_online
from components.memory.tables import Tables
from components.params import ComponentParams, MemoryParams, load_params
from components.predictor import NoTracker, Window
from tests.conftest import ROOT
from tests.toy import toy_store

_PARAMS = load_params(ROOT / "params.yaml").memory
MEMORY: MemoryParams = _PARAMS.model_copy(
    update={
        "components": {
            **_PARAMS.components,
            "item_hour": ComponentParams(kind="item_hour", options={"sigma_h": 2.0}),
            "gravity": ComponentParams(kind="gravity", options={"scale_km": 1.0}),
            "sudden": ComponentParams(kind="recent_popularity", options={"half_life_days": 0.05}),
            "quick": ComponentParams(kind="markov", options={"max_gap_h": 12}),
        }
    }
)
LOG = toy_store(n_users=8, n_items=9, events_per_user=25, pattern="random", seed=4)
FITTED = MemoryPredictor(MEMORY)
FITTED.fit(Window(LOG, "train"), Window(LOG, "tune"), NoTracker())


def empty() -> Tables:
    """Tables that have counted nothing, with the components of time of the training window."""
    return Tables(MEMORY, World.of(LOG.encoding, MEMORY), FITTED._heads(Window(LOG, "train")))


def counted(*blocks: np.ndarray) -> Tables:
    tables = empty()
    for block in blocks:
        tables.update(LOG, block)
    return tables


def same(one: Tables, two: Tables, rounding: float = 1e-9) -> None:
    """Equal in everything that they answer: all counters, actions, pauses, cells."""
    queries = ask_online(Window(LOG, "test"), True).queries
    queries = replace(queries, time_s=np.full(len(queries), LOG["time_s"].max()))
    first, second = one.answer(queries), two.answer(queries)
    assert one.count == pytest.approx(two.count, abs=1e-9)
    for code in range(2, LOG.encoding.n_items):
        item = np.full(len(queries), code)
        assert first.at(item) == pytest.approx(second.at(item), rel=1e-5, abs=rounding)
    assert one.heads is not None
    assert two.heads is not None
    assert one.heads.actions.parts(first.ask) == pytest.approx(two.heads.actions.parts(first.ask), abs=1e-9)
    assert one.heads.gaps.parts(first.ask) == pytest.approx(two.heads.gaps.parts(first.ask), abs=1e-9)
    even = np.full((len(queries), LOG.encoding.n_items), 1 / LOG.encoding.n_items)
    assert one.heads.cells is not None
    assert two.heads.cells is not None
    assert one.heads.cells.parts(first.ask, even) == pytest.approx(two.heads.cells.parts(first.ask, even), abs=1e-6)


ROWS = np.arange(LOG.n_events)
orders = st.permutations(list(range(LOG.n_events))).map(np.array)
quick = settings(max_examples=8, deadline=None, derandomize=True)


@quick
@given(orders, st.lists(st.integers(0, LOG.n_events), max_size=6))
def test_any_order_in_any_blocks_counts_the_same(order: np.ndarray, cuts: list[int]) -> None:
    same(counted(ROWS), counted(*np.split(order, sorted(cuts))))


def test_one_by_one_counts_the_same() -> None:
    same(counted(ROWS), counted(*ROWS[:, None]))


@quick
@given(orders, st.integers(0, LOG.n_events))
def test_merged_is_as_if_both_had_been_read(order: np.ndarray, cut: int) -> None:
    one, two = counted(order[:cut]), counted(order[cut:])
    one.merge(two)
    same(one, counted(ROWS))


@quick
@given(st.sets(st.integers(0, LOG.n_users - 1), min_size=1))
def test_forgotten_users_leave_nothing(users: set[int]) -> None:
    gone = np.isin(LOG.user, list(users))
    tables = counted(ROWS)
    tables.update(LOG, ROWS[gone], -1.0)
    # sums of powers of two that differ by hundreds of half-lives cancel to 16 digits of the largest
    same(tables, counted(ROWS[~gone]), rounding=1e-6)


@quick
@given(st.integers(0, LOG.n_events - 1), st.randoms(use_true_random=False))
def test_what_happens_later_changes_no_answer(cut: int, random: object) -> None:
    """Alter every event at or after a moment: queries asked until then, and counts until then, do not move."""
    moment = int(np.sort(LOG["time_s"])[cut])
    altered = scrambled(LOG, moment)
    past = ROWS[np.asarray(LOG["time_s"]) < moment]
    one, two = FITTED.tables.copy(), FITTED.tables.copy()
    one.update(LOG, past)
    two.update(altered, past)
    asked = ask_online(Window(LOG, "train"), False).queries
    keep = np.flatnonzero(asked.time_s < moment)
    keep = keep[np.asarray(LOG["time_s"])[np.maximum(asked.stop[keep] - 1, 0)] < moment]
    queries = asked[keep]
    first, second = one.answer(queries), two.answer(replace(queries, store=altered))
    for code in range(2, LOG.encoding.n_items):
        item = np.full(len(queries), code)
        assert np.array_equal(first.at(item), second.at(item))


def scrambled(store: Store, moment: int) -> Store:
    """The same log, with everything at or after a moment replaced."""
    late = np.asarray(store["time_s"]) >= moment
    columns = {name: np.array(column) for name, column in store.columns.items()}
    columns["item"][late] = 2
    columns["action"][late] = 2
    columns["latitude"][late] = 0
    columns["cell_8"][late] = 2
    columns["session"][late] = 999
    return replace(store, columns=columns)


def test_a_single_event_costs_the_same_in_a_log_ten_times_as_long() -> None:
    """The number of table cells that one event touches does not grow with the log."""
    sizes = []
    for events in (50, 500):
        log = toy_store(n_users=20, n_items=50, events_per_user=events, pattern="random")
        memory = MemoryPredictor(MEMORY)
        memory.count(Window(log, "train"))
        before = {name: part.state() for name, part in memory.tables.copy()._parts().items()}
        memory.update(log, Window(log, "tune").events[:1])
        after = {name: part.state() for name, part in memory.tables.copy()._parts().items()}
        touched = 0
        for name, arrays in after.items():
            for key, array in arrays.items():
                was = before[name][key]
                touched += int((was != array).sum()) if was.shape == array.shape and key != "edges" else 1
        sizes.append(touched)
    assert max(sizes) < 150
