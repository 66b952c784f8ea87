"""The log: what it holds, at which rates, and that the rules of the city hold in it."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from components.events.contract import ITEM_SCHEMA, SCHEMA
from components.events.simulator import catalogue, rules, simulate, truth
from tests.city import SEED, clean_log, small_city, whole_log


@pytest.fixture(scope="module")
def log() -> pl.DataFrame:
    """The small city's log without duplicates and dirt."""
    return clean_log(small_city())


@pytest.fixture(scope="module")
def people(log: pl.DataFrame) -> pl.DataFrame:
    """The same without bots, with local hours and what each item is, by user and time."""
    items = catalogue(small_city(), SEED)[0].select("item_id", "category", "price")
    local = pl.col("timestamp").dt.convert_time_zone(rules.TIMEZONE)
    return (
        log.filter(pl.col("device") != "bot")
        .join(items, on="item_id", how="left", maintain_order="left")
        .with_columns(
            hour=local.dt.hour() + local.dt.minute() / 60,
            date=local.dt.date(),
            weekday=local.dt.weekday(),
        )
    )


def test_columns_are_the_contracts(log: pl.DataFrame) -> None:
    assert {name: SCHEMA[name] for name in log.columns} == dict(log.schema)
    assert set(SCHEMA) - set(log.columns) == {"event_id", "event_key"}
    items, users = catalogue(small_city(), SEED)
    assert dict(items.schema) == dict(ITEM_SCHEMA)
    assert set(log["item_id"]) <= set(items["item_id"])
    assert set(log["user_id"]) <= set(users["user_id"])


def test_same_seed_same_bytes_other_seed_other_log() -> None:
    city = small_city(days=3)
    assert whole_log(city, 1).equals(whole_log(city, 1))
    assert not whole_log(city, 1).equals(whole_log(city, 2))
    assert catalogue(city, 1)[0].equals(catalogue(city, 1)[0])


def test_days_in_order_and_source_seq_unique() -> None:
    log = whole_log(small_city())
    assert log["source_seq"].is_unique().all()
    days = [c["timestamp"].min() for c in simulate(small_city(), SEED, dt.date(2025, 3, 3), dt.date(2025, 3, 9))]
    assert len(days) == 7
    assert days == sorted(days)


def test_duplicates_are_exact_and_at_their_rate() -> None:
    city = small_city(users=400, duplicates=0.02, dirty=0.0)
    log = whole_log(city)
    twice = len(log) - len(log.drop("source_seq").unique())
    clean = len(clean_log(city))
    assert len(log) == clean + twice
    assert twice / clean == pytest.approx(0.02, rel=0.2)


def test_dirt_comes_in_every_kind_at_its_rate_and_adds_rows_only() -> None:
    city = small_city(users=400, duplicates=0.0, dirty=0.02)
    log, clean = whole_log(city), clean_log(city)
    keys = [c for c in log.columns if c != "source_seq"]
    dirt = log.join(clean, on=keys, how="anti", nulls_equal=True)
    assert len(log) == len(clean) + len(dirt)
    assert len(dirt) / len(clean) == pytest.approx(0.02, rel=0.2)
    counts = dirt.select(
        latitude=(pl.col("latitude") > 90).sum(),
        no_action=pl.col("action").is_null().sum(),
        unknown_action=(~pl.col("action").is_in(rules.ACTIONS)).sum(),
        future=(pl.col("timestamp").dt.year() > 2100).sum(),
        negative_duration=(pl.col("duration_s") < 0).sum(),
        no_user=(pl.col("user_id") == "").sum(),
        no_item=pl.col("item_id").is_null().sum(),
        half_place=(pl.col("latitude").is_not_null() & pl.col("longitude").is_null()).sum(),
    ).row(0, named=True)
    assert tuple(counts) == rules.DIRT
    assert sum(counts.values()) == len(dirt)
    assert min(counts.values()) > 0.05 * len(dirt)


def test_bots_read_in_order_at_a_fixed_period() -> None:
    city = small_city(users=600, bots=0.03)
    log = clean_log(city)
    bots = log.filter(pl.col("device") == "bot")
    told = truth(city, SEED, city.start)["users"]
    assert told["bot"].mean() == pytest.approx(0.03, abs=0.02)
    assert set(bots["user_id"]) <= set(told.filter("bot")["user_id"])
    days = bots.group_by("user_id", "session_id", maintain_order=True).agg(
        gap=pl.col("timestamp").diff().drop_nulls().n_unique(), n=pl.len()
    )
    assert (days["gap"] == 1).all()
    assert (days["n"] == rules.BOT_EVENTS).all()
    reading = len(days) / (told["bot"].sum() * city.days)
    assert reading == pytest.approx(1 / rules.BOT_EVERY, abs=0.02)


def test_rate_of_events_is_that_of_an_active_user() -> None:
    city = small_city(users=600)
    log = clean_log(city).filter(pl.col("device") != "bot")
    assert len(log) / log["session_id"].n_unique() == pytest.approx(rules.MEAN_SESSION, rel=0.05)
    active = sum(
        truth(city, SEED, city.start + dt.timedelta(days=day))["users"]
        .filter(~pl.col("bot"))["state"]
        .replace_strict(dict(zip(rules.STATES, rules.STATE_RATE, strict=True)), return_dtype=pl.Float64)
        .sum()
        for day in range(city.days)
    )
    assert len(log) / active == pytest.approx(3.0, rel=0.15)


def test_nothing_human_happens_at_night_and_sessions_stay_in_their_slot(people: pl.DataFrame) -> None:
    assert people["hour"].min() >= rules.SLOT_EDGES_H[0]
    slot = pl.sum_horizontal(pl.col("hour") >= edge for edge in rules.SLOT_EDGES_H[1:-1])
    spread = (
        people.with_columns(slot=slot)
        .group_by("session_id")
        .agg(slots=pl.col("slot").n_unique(), dates=pl.col("date").n_unique(), users=pl.col("user_id").n_unique())
    )
    assert (spread.select("slots", "dates", "users").to_numpy() == 1).all()


def test_opening_hours(people: pl.DataFrame) -> None:
    """Nobody visits what is closed: by category and slot, and on the weekday on which a venue closes."""
    free = dict(_kinds_of_days(people["date"].unique().to_list()))
    edges = list(rules.SLOT_EDGES_H)
    for hour, category, date in people.select("hour", "category", "date").unique().iter_rows():
        at = max(i for i in range(rules.SLOTS) if edges[i] <= hour)
        one = rules.CATEGORIES[rules.NAMES.index(category)]
        assert (one.free if free[date] else one.working)[at] > 0, (category, hour, date)
    closed = truth(small_city(), SEED, dt.date(2025, 3, 3))["items"].filter(pl.col("closed_weekday") >= 0)
    assert len(closed) > 5
    visits = people.join(closed, on="item_id")
    assert len(visits) > 100
    assert visits.filter(pl.col("weekday") - 1 == pl.col("closed_weekday")).is_empty()


def _kinds_of_days(dates: list[dt.date]) -> list[tuple[dt.date, bool]]:
    """Free or working, from the calendar alone: Easter Monday is the one holiday of the small city's weekdays."""
    return [(d, d.weekday() >= 5 or d == dt.date(2025, 4, 21)) for d in dates]


def test_items_come_and_are_not_seen_before(people: pl.DataFrame) -> None:
    items = truth(small_city(), SEED, dt.date(2025, 3, 3))["items"]
    late = items.filter(pl.col("launched") > dt.date(2025, 3, 3))
    assert len(late) / len(items) == pytest.approx(rules.LATE_SHARE, abs=0.08)
    seen = people.join(late, on="item_id")
    assert len(seen) > 100
    assert (seen["date"] >= seen["launched"]).all()


def test_funnel_runs_in_order(people: pl.DataFrame) -> None:
    """A cart follows a view or like, a purchase follows a cart or a visit: of the same item in the same session."""
    same = (pl.col("item_id") == pl.col("item_id").shift()) & (pl.col("session_id") == pl.col("session_id").shift())
    steps = people.with_columns(before=pl.when(same).then(pl.col("action").shift()))
    allowed = {"cart": {"view", "like"}, "purchase": {"cart", "checkin"}, "like": {"view", "checkin"}}
    for action, earlier in allowed.items():
        found = steps.filter(pl.col("action") == action)
        assert len(found) > 20
        assert set(found["before"]) == earlier
    assert steps.filter(pl.col("action").is_in(["cart", "purchase"]))["value"].null_count() == 0
    share = steps.filter(pl.col("before") == "cart").filter(pl.col("action") == "purchase")
    carts = steps.filter(pl.col("action") == "cart")
    assert 0.2 < len(share) / len(carts) < 0.6


def test_visits_have_a_place_in_the_city(people: pl.DataFrame) -> None:
    visits = people.filter(pl.col("action") == "checkin")
    assert visits["latitude"].null_count() == 0
    shown = people.drop_nulls("latitude")
    assert shown["latitude"].is_between(rules.SOUTH - 0.01, rules.NORTH + 0.01).all()
    assert shown["longitude"].is_between(rules.WEST - 0.01, rules.EAST + 0.01).all()
    assert (people["duration_s"].drop_nulls() >= 0).all()


def test_smallest_city_lives() -> None:
    city = small_city(users=1, items=2, days=30, bots=0.0, events_per_user_day=20.0)
    log = clean_log(city, 3)
    assert len(log) > 5
    assert set(log["item_id"]) <= {"i000000", "i000001"}
    assert catalogue(city, 3)[0]["category"][0] == rules.NAMES[0], "something is always open"
    assert (rules.APPETITE[:, 0] > 0).all()
    assert clean_log(small_city(bots=1.0, users=3, days=2)).filter(pl.col("device") != "bot").is_empty()
