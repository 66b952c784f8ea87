"""The log of the city, day by day: the embedded default source.

Never here: writing files, or cleaning what the city left dirty.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import polars as pl

from components.events.simulator.city import build_city
from components.events.simulator.day import Day, build_day
from components.events.simulator.draw import generator
from components.events.simulator.frame import Names, bot_steps, clean_rows, in_order, numbered, soiled
from components.events.simulator.habits import Diary, Habits
from components.events.simulator.people import build_people
from components.events.simulator.sessions import live
from components.params import SimulationParams

#: Users that are simulated together; fixed, because each block of a day has its own generator.
BLOCK = 1 << 15
#: Chunks that are made at the same time, and kept ready; neither changes a byte.
WORKERS, AHEAD = 2, 3


def simulate(simulation: SimulationParams, seed: int, first_day: dt.date, last_day: dt.date) -> Iterator[pl.DataFrame]:
    """The city's log from `first_day` to `last_day`, both included.

    A day's rows depend on the parameters, the seed and the day alone: any range gives the same bytes for the days
    that it shares with another. Days before `simulation.start` do not exist.

    Yields
    ------
    pl.DataFrame
        One chunk a day and block of users, in time order but for duplicates and dirty rows at its end; the
        contract's columns but `event_id` and `event_key`.
    """
    city = build_city(simulation, seed)
    starts = range(0, simulation.users, BLOCK)
    people = [build_people(city, start, start + BLOCK) for start in starts]
    diaries = [Diary(city, block) for block in people]
    names = [Names.of(city, block) for block in people]
    first, last = ((day - simulation.start).days for day in (first_day, last_day))

    def chunk(day: Day, block: int, habits: Habits) -> pl.DataFrame:
        steps = live(city, people[block], habits, day, generator(seed, "live", day.number, block))
        steps = in_order(steps, bot_steps(city, people[block], day))
        rng = generator(seed, "log", day.number, block)
        rows = clean_rows(city, people[block], names[block], day, steps, rng)
        return numbered(soiled(city, rows, rng), day, block)

    with ThreadPoolExecutor(WORKERS) as pool:
        waiting: deque[Future[pl.DataFrame]] = deque()
        for number in range(max(first, 0), last + 1):
            day = build_day(city, number)
            for block in range(len(people)):
                waiting.append(pool.submit(chunk, day, block, diaries[block].on(number)))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
