"""The pulse of the live page: right counts, bounded memory, private by default, and a stream that lets the slow go."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import h3
import numpy as np
import orjson
import pytest

from components.errors import BusyError
from components.serving.pulse import (
    Broadcast,
    Item,
    Pulse,
    Source,
    broadcast,
    cells,
    hits,
    item_in,
    model_of,
    places_in,
    shape,
)
from components.serving.pulse import pulse as module
from components.serving.pulse.cells import MOST, Cells
from components.serving.pulse.rolling import WINDOWS, Rolling
from components.serving.pulse.spread import Spread
from components.serving.state.protocol import Sizes, Stored
from components.serving.state.record import Kind, Record
from tests.serving import toy_champion

NOW = 1_750_000_000.0
CATALOGUE = {"cafe": Item("Blue Café", "place", 48.85, 2.35), "song": Item("Song", "music", None, None)}


class Clock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def a_pulse(clock: Clock | None = None) -> Pulse:
    return Pulse(
        Source(CATALOGUE.get, lambda: {"name": "blend"}, lambda: Sizes(1, 2, 3), "Europe/Paris"), clock or Clock()
    )


def stored(number: int, user: str = "ann", kind: Kind = "event", received_s: float = NOW, **payload: Any) -> Stored:
    payload = {"item_id": "cafe", "action": "view"} | payload
    return Stored(number, Record(kind, str(number), user, int(1e6 * NOW), int(1e6 * received_s), payload))


def test_who_is_forgotten_is_named_to_pages_as_they_were_shown_and_only_for_a_moment() -> None:
    clock = Clock()
    pulse = a_pulse(clock)
    before = pulse.snapshot(names=True)
    pulse.applied([stored(1, "ann@example.org", "tombstone")])
    delta = broadcast.difference(before, pulse.snapshot(names=True))
    assert delta["gone"] == ["ann@example.org"]
    stranger = Broadcast(pulse)._for(delta, False)
    assert stranger["gone"] == pulse.snapshot()["gone"] == [pulse.pseudonym("ann@example.org")]
    clock.now += module.GONE_S + 1
    assert pulse.snapshot(names=True)["gone"] == []


def test_windows_count_what_came_in_their_time() -> None:
    clock = Clock()
    pulse = a_pulse(clock)
    pulse.applied(
        [stored(1, received_s=NOW - 20_000), stored(2, received_s=NOW - 2_000), stored(3), stored(4, action="buy")]
    )
    assert pulse.snapshot()["events"] == {"buy": [1, 1, 1], "view": [1, 2, 3]}
    clock.now += 400
    assert pulse.snapshot()["events"] == {"buy": [0, 1, 1], "view": [0, 2, 3]}
    clock.now += 86_400
    assert pulse.snapshot()["events"] == {}


def test_a_clock_that_is_ahead_expires_nothing() -> None:
    pulse = a_pulse()
    pulse.applied([stored(1), stored(2, received_s=NOW + 1e6)])
    assert pulse.snapshot()["events"] == {"view": [2, 2, 2]}


def test_the_event_is_told_with_what_its_item_is_called() -> None:
    pulse = a_pulse()
    pulse.answered("ann", ["song", "cafe"], 0.004)
    pulse.applied([stored(1), stored(2, item_id="fresh")])
    first, second = pulse.snapshot(names=True)["newest"]  # type: ignore[misc]
    assert (first["title"], first["category"], first["rank"], first["new"]) == ("Blue Café", "place", 2, False)
    assert (second["title"], second["rank"], second["new"]) == (None, None, True)
    assert h3.latlng_to_cell(48.85, 2.35, cells.FINEST) == first["cell"], "the item's place where the event has none"
    assert pulse.snapshot()["new_items"] == {"count": 1, "newest": ["fresh"]}


def test_users_are_told_by_their_ids_only_when_asked_to() -> None:
    pulse, other = a_pulse(), a_pulse()
    pulse.applied([stored(1, user="ann@example.org"), stored(2, user="ann@example.org")])
    shown = pulse.snapshot()
    assert "example" not in orjson.dumps(shown).decode()
    names = {one["user"] for one in shown["newest"]}  # type: ignore[attr-defined]
    assert names == {pulse.pseudonym("ann@example.org")} != {other.pseudonym("ann@example.org")}
    assert pulse.snapshot(names=True)["newest"][0]["user"] == "ann@example.org"  # type: ignore[index]


def test_a_forgotten_user_leaves_the_stream_and_the_lists() -> None:
    pulse = a_pulse()
    pulse.answered("ann", ["cafe"], 0.004)
    pulse.applied([stored(1, user="bob"), stored(2)])
    pulse.answered("ann", ["cafe"], 0.004)
    pulse.applied([stored(3, kind="tombstone"), stored(4)])
    newest = pulse.snapshot(names=True)["newest"]
    assert [(one["user"], one["rank"]) for one in newest] == [("bob", None), ("ann", None)]  # type: ignore[attr-defined]


def test_lists_count_once_each_arm_for_itself() -> None:
    pulse = a_pulse()
    for _ in range(2):
        pulse.answered("ann", ["cafe", "song"], 0.004)
        pulse.shown("challenger", "ann", ["song"])
    pulse.applied([stored(1), stored(2), stored(3, user="bob"), stored(4, kind="impression", user="ann")])
    pulse.shown("challenger", "ann", ["cafe"])  # made after the event that it should have foretold
    pulse.applied([stored(5)])
    assert pulse.snapshot()["arms"] == [
        {"arm": "champion", "asked": [1, 1, 1], "hits": [1, 1, 1]},
        {"arm": "challenger", "asked": [1, 1, 1], "hits": [0, 0, 0]},
    ]


def test_hours_are_those_of_the_users_clock() -> None:
    pulse = a_pulse()
    pulse.applied([stored(1), stored(2, utc_offset_min=-600)])  # 15 June 2025 is a Sunday, 15:06 in UTC
    assert pulse.snapshot()["hours"] == {str(6 * 24 + 17): [1, 1, 1], str(6 * 24 + 5): [1, 1, 1]}


def test_freshness_is_of_what_came_since_the_start_and_latency_of_answers() -> None:
    clock = Clock()
    pulse = a_pulse(clock)
    clock.now += 10
    pulse.applied([stored(1, received_s=NOW - 5_000), *(stored(n, received_s=NOW + 9.9) for n in range(2, 102))])
    for milliseconds in range(1, 101):
        pulse.answered(None, [], milliseconds / 1000)
    fresh, latency = (pulse.snapshot()[name] for name in ("freshness_ms", "latency_ms"))
    assert (fresh["n"], latency["n"]) == (100, 100)  # type: ignore[index]
    assert fresh["p99"] == pytest.approx(100, rel=0.07)  # type: ignore[index]
    assert latency["p50"] == pytest.approx(50, rel=0.07)  # type: ignore[index]
    assert latency["p99"] == pytest.approx(99, rel=0.07)  # type: ignore[index]


def test_percentiles_are_within_a_bin_of_the_true_ones() -> None:
    spread, values = Spread(), np.random.default_rng(0).lognormal(-6, 1.5, 5_000)
    for value in values.tolist():
        spread.add(value, NOW)
    told = spread.told(NOW, (0.1, 0.5, 0.9, 0.99))
    for p in (10, 50, 90, 99):
        assert told[f"p{p}"] == pytest.approx(1000 * np.percentile(values, p), rel=0.08)
    assert told["series"][-1] == told["p99"]  # type: ignore[index]
    assert Spread().told(NOW)["p99"] is None


def test_cells_grow_coarse_before_they_grow_many() -> None:
    counted, chance = Cells(), np.random.default_rng(1)
    for latitude, longitude in chance.uniform([40, -75], [41, -73], (3_000, 2)).tolist():
        counted.add(latitude, longitude, "view", NOW)
    table = cells.by_cell(counted.counts.copied())
    assert MOST // 8 < len(table) <= MOST
    assert sum(counts[-1] for rows in table.values() for _, counts in rows) == 3_000, "coarse, but none is lost"
    assert {h3.get_resolution(cell) for cell in table} == {counted.resolution}
    counted.move(NOW + 90_000)
    assert counted.resolution == cells.FINEST, "an empty map begins anew"


def test_a_shape_is_the_cell_s_corners() -> None:
    for cell in ("881fb46625fffff", "8009fffffffffff", "80effffffffffff", "831c00fffffffff", "890d9a9a9a3ffff"):
        if not h3.is_valid_cell(cell):
            continue
        steps = np.array(shape(cell)).reshape(-1, 2).cumsum(axis=0) / 1e5
        true = np.array(h3.cell_to_boundary(cell))
        away = steps - true
        away[:, 1] = (away[:, 1] + 180) % 360 - 180
        assert np.abs(away).max() < 2e-5
    for wrong in ("", "nothing", "ffffffffffffffff"):
        with pytest.raises(ValueError, match="no H3 cell"):
            shape(wrong)


def test_a_cell_on_the_date_line_is_in_one_piece() -> None:
    cell = h3.latlng_to_cell(0.0, 180.0, 3)
    longitudes = np.array(shape(cell)).reshape(-1, 2).cumsum(axis=0)[:, 1] / 1e5
    assert np.ptp(longitudes) < 5


def test_memory_and_bytes_are_bounded_whatever_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hits, "MOST_LISTS", 50)
    clock, chance = Clock(), np.random.default_rng(2)
    pulse = a_pulse(clock)
    for n in range(6_000):
        clock.now += 0.1
        latitude, longitude = chance.uniform([-80, -180], [80, 180]).tolist()
        pulse.answered(f"u{n}", [f"i{n}"], 0.01, arm=f"arm {n % 9}")
        long = {"action": f"a{n}" * 5, "item_id": f"i{n}" * 60}
        pulse.applied(
            [stored(n, f"u{n - 1}" * 20, received_s=clock.now, latitude=latitude, longitude=longitude, **long)]
        )
    told = pulse.snapshot(names=True)
    assert len(orjson.dumps(told)) <= 50_000
    monkeypatch.setattr(module, "MOST_BYTES", 30_000)
    less = pulse.snapshot(names=True)
    assert len(orjson.dumps(less)) <= 30_000
    shown, left_out = less["map"]["cells"], less["map"]["left_out"]  # type: ignore[index]
    assert left_out > 0
    assert left_out + len(shown) == len(told["map"]["cells"]) + told["map"]["left_out"]  # type: ignore[index]
    assert sum(counts[-1] for counts in told["events"].values()) == 6_000  # type: ignore[attr-defined]
    assert len(told["events"]) <= 13  # type: ignore[arg-type]
    assert len(told["arms"]) == hits.MOST_ARMS  # type: ignore[arg-type]
    assert all(len(lists) <= 50 for lists in pulse._hits._lists.values())
    assert len(pulse._new_items) <= 10_000


def test_threads_lose_no_count() -> None:
    pulse = a_pulse()

    def send(first: int) -> None:
        for n in range(first, first + 500):
            pulse.applied([stored(n)])
            pulse.answered("bob", ["cafe"], 0.001)

    threads = [threading.Thread(target=send, args=(1_000 * n,)) for n in range(4)]
    for one in threads:
        one.start()
    while any(one.is_alive() for one in threads):
        pulse.snapshot()
    assert pulse.snapshot()["events"] == {"view": [2_000] * 3}
    assert pulse.snapshot()["latency_ms"]["n"] == 2_000  # type: ignore[index]


def test_a_ring_that_is_left_for_long_is_empty() -> None:
    ring: Rolling[str] = Rolling(*WINDOWS["5m"])
    ring.add("a", NOW)
    ring.move(NOW + 1e9)
    ring.add("late", NOW)
    assert ring.total == {}
    assert not any(ring.slots())


def test_what_the_champion_knows_is_told_and_nothing_else() -> None:
    champion = toy_champion()
    known = str(champion.encoding.vocabularies["item"].ids[2])
    found = item_in(champion, known)
    assert found is not None
    assert item_in(champion, "never seen") is None
    assert model_of(champion, None, "why not")["refused"] == "why not"
    places = places_in(champion, most=3)
    assert len(places) <= 6
    assert all(isinstance(degree, int) for degree in places)


def test_the_stream_is_the_snapshot_kept_up() -> None:
    async def told() -> tuple[list[Any], dict[str, object], int]:
        pulse = a_pulse()
        pulse.applied([stored(1)])
        caster = Broadcast(pulse)
        listener = caster.listen(names=True)
        heard = [await anext(listener)]
        pulse.applied([stored(2, latitude=10.0, longitude=10.0), stored(3, item_id="song")])
        heard.append(await asyncio.wait_for(anext(listener), 5))
        await listener.aclose()  # type: ignore[attr-defined]
        return heard, pulse.snapshot(names=True), caster.listeners

    heard, whole, left = asyncio.run(told())
    (first, snapshot), (second, delta) = heard
    assert (first, second, left) == ("snapshot", "delta", 0)
    assert [one["n"] for one in delta["newest"]] == [2, 3]
    assert delta["events"] == whole["events"]
    assert {**snapshot["map"]["cells"], **delta["map"]["cells"]} == whole["map"]["cells"]  # type: ignore[index]
    assert "model" not in delta, "what is as it was is not told again"


def test_one_who_may_not_read_hears_no_names() -> None:
    async def told() -> str:
        pulse = a_pulse()
        pulse.applied([stored(1, user="ann@example.org")])
        listener = Broadcast(pulse).listen(names=False)
        heard = [await anext(listener)]
        pulse.applied([stored(2, user="ann@example.org")])
        heard.append(await asyncio.wait_for(anext(listener), 5))
        await listener.aclose()  # type: ignore[attr-defined]
        return orjson.dumps(heard).decode()

    said = asyncio.run(told())
    assert "example" not in said
    assert '"names":false' in said


def test_the_slow_are_let_go_and_the_many_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "EVERY_S", 0.01)

    async def told() -> tuple[int, int, bool]:
        pulse = a_pulse()
        caster = Broadcast(pulse, most=2)
        slow, quick = caster.listen(), caster.listen()
        await anext(slow)
        await anext(quick)
        with pytest.raises(BusyError):
            await anext(caster.listen())
        heard = 0
        for n in range(40):
            pulse.applied([stored(n)])
            await asyncio.wait_for(anext(quick), 5)
            heard += 1
        rest = [one async for one in slow]
        idle = caster.listeners
        await quick.aclose()  # type: ignore[attr-defined]
        return heard, len(rest), idle == 1 and caster._producer is None

    assert asyncio.run(told()) == (40, 0, True)
