"""Events over HTTP as the world sends them: twice, late, in any order, in any zone, dated by clocks that are wrong.

Real servers on loopback. What a service says afterwards rests on the events' own times alone.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bento.client import Client, Refused
from components.serving.live import Live
from tests.live import toy_app
from tests.running import running
from tests.serving import toy_champion

START = dt.datetime(2025, 3, 29, 20, tzinfo=dt.UTC)  # the clocks of Europe go forward in the night that follows
LATER = START + dt.timedelta(days=2)
Event = dict[str, Any]


class Clock:
    """The service's own clock, which a test may set."""

    def __init__(self, now: dt.datetime) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now


@contextmanager
def service(clock: Clock | None = None) -> Iterator[Client]:
    """A service with a champion and a state of its own."""
    app = toy_app(champion=toy_champion())
    worker = app.worker
    assert worker is not None
    worker.live = Live(worker.watch, worker.state, worker.params, clock or Clock(LATER))
    with running(app) as url, Client(url, retries=0) as client:
        yield client


def made(chance: random.Random) -> list[Event]:
    """Events of three users (one is known) with places, some at the same moment."""
    return [
        {
            "user_id": chance.choice(["user00003", "ann", "Zoë/1"]), "item_id": f"item{chance.randrange(20):05d}",
            "action": "view", "event_id": f"e{n}", "latitude": 48.8, "longitude": 2.3,
            "timestamp": START + dt.timedelta(minutes=chance.randrange(900)),
        }
        for n in range(90)
    ]  # fmt: skip


def somewhere(event: Event, chance: random.Random) -> Event:
    """The same event, its time written in another zone."""
    zone = dt.timezone(dt.timedelta(minutes=chance.choice([-720, -150, 0, 60, 120, 345, 840])))
    return event | {"timestamp": event["timestamp"].astimezone(zone).isoformat()}


def told(client: Client) -> list[Any]:
    """All that is said of the users, but for where in the log an event is."""
    found: list[Any] = []
    for user in ("user00003", "ann", "Zoë/1", "a stranger"):
        answer = client.predict(user, k=20, time=LATER)
        found.append({one.item_id: pytest.approx(one.probability, rel=1e-6) for one in answer.items})
        found.append([one.model_dump(exclude={"offset"}) for one in client.timeline(user, 500).events])
        journey = client.journey(user, LATER)
        found.append((journey.events, journey.last, journey.state, journey.segment))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_order_batches_zones_and_repetitions_change_nothing(seed: int) -> None:
    chance = random.Random(seed)
    events = made(chance)
    with service() as client:
        assert client.events(sorted(events, key=lambda one: one["timestamp"])).accepted == len(events)
        expected = told(client)
    with service() as client:
        sent = [somewhere(one, chance) for one in events + chance.sample(events, 40)]
        chance.shuffle(sent)
        accepted = duplicates = 0
        while sent:
            size = chance.choice([1, 2, 7, 30])
            part, sent = sent[:size], sent[size:]
            answer = client.events(part)
            accepted, duplicates = accepted + answer.accepted, duplicates + answer.duplicates
        assert (accepted, duplicates) == (len(events), 40)
        assert told(client) == expected


def test_an_event_of_the_future_is_refused_and_taken_when_its_time_has_come() -> None:
    clock = Clock(START)
    with service(clock) as client:
        tolerated = {"user_id": "ann", "item_id": "item00001", "action": "view", "event_id": "soon",
                     "timestamp": START + dt.timedelta(hours=23)}  # fmt: skip
        beyond = tolerated | {"event_id": "far", "timestamp": START + dt.timedelta(hours=25)}
        answer = client.events([tolerated, beyond])
        assert (answer.accepted, [one.index for one in answer.refused]) == (1, [1])
        assert answer.refused[0].rule == "timestamp_in_future"
        with pytest.raises(Refused, match="422"):
            client.events([beyond])
        assert client.predict("ann", time=START).history_events == 0, "what is dated later has not happened yet"
        clock.now += dt.timedelta(hours=2)
        assert client.events([beyond]).accepted == 1
        assert client.predict("ann", time=START + dt.timedelta(days=2)).history_events == 2


def test_a_clock_that_goes_back_changes_no_order_and_loses_nothing() -> None:
    clock = Clock(LATER)
    events = made(random.Random(9))
    with service() as client:
        client.events(events)
        expected = told(client)
    with service(clock) as client:
        for n, event in enumerate(events):
            clock.now = LATER - dt.timedelta(hours=7 * (n % 3))  # back and forth, while events come in
            assert client.events([event]).accepted == 1
        assert told(client) == expected


def test_the_hour_that_summer_time_skips_and_the_one_that_winter_time_repeats() -> None:
    local = "2025-10-26T02:30:00"  # twice in Paris: first at +02:00, then at +01:00
    event = {"user_id": "ann", "action": "view"}
    with service(Clock(dt.datetime(2025, 11, 1, tzinfo=dt.UTC))) as client:
        second = event | {"item_id": "item00002", "timestamp": f"{local}+01:00", "utc_offset_min": 60}
        first = event | {"item_id": "item00001", "timestamp": f"{local}+02:00", "utc_offset_min": 120}
        assert client.events([second, first]).accepted == 2, "an hour apart, though one clock shows both alike"
        assert [one.item_id for one in client.timeline("ann").events] == ["item00002", "item00001"]
        skipped = event | {"item_id": "item00003", "timestamp": "2025-03-30T02:30:00+01:00"}
        assert client.events([skipped]).accepted == 1, "with an offset there is no hour that does not exist"
        assert client.timeline("ann").events[-1].time == dt.datetime(2025, 3, 30, 1, 30, tzinfo=dt.UTC)
        assert client.events([event | {"item_id": "item00004", "timestamp": local}]).accepted == 1
        assert client.timeline("ann").events[0].time.isoformat() == f"{local}+00:00", "no zone is UTC, as in files"
        for wrong in ("yesterday", 1_761_442_200, "2025-10-26T02:30:00+25:00"):
            with pytest.raises(Refused, match="422"):
                client.events([event | {"item_id": "item00005", "timestamp": wrong}])
