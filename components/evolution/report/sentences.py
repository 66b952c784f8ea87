"""The findings in plain sentences: a number with its interval, and beside it the test and the sample.

Never here: a judgement that the test does not allow; what was not found is said as plainly as what was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from components.evolution.lifecycle import Lifecycle
from components.evolution.report.words import count, estimate, few, one_digit, p_words, share, signed_points
from components.params import EvolveParams

Record = dict[str, Any]
_CHAIN, _SIMPLE = "markov", "as last time"


@dataclass(frozen=True)
class Sentence:
    """What was found, and how it is known."""

    text: str
    known: str


def lifecycle_sentences(life: Lifecycle, params: EvolveParams) -> list[Sentence]:
    """States now and their change, moves, forecasts, churn."""
    asked = params.lifecycle
    found = [*_states(life.states), *_moves(life.transitions, asked.confidence)]
    chain = _row(life.backtest, method=_CHAIN, metric="accuracy")
    if chain is not None:
        found.append(
            Sentence(
                f"A chain of moves tells a user's next state in {estimate(chain, share)} of the cases, "
                f"{signed_points(chain['difference'])} points ({signed_points(chain['difference_low'])} to "
                f"{signed_points(chain['difference_high'])}) against “{_SIMPLE}”.",
                f"Markov chain, forecast {chain['steps']} moment ahead from up to {asked.origins} past moments; users "
                f"drawn anew {asked.bootstrap} times",
            )
        )
    churn = _row(life.judged, what="churn", method=asked.churn, measure="auc") or _row(
        life.judged, what="churn", method=f"{asked.churn}, as said", measure="auc"
    )
    if churn is not None:
        found.append(
            Sentence(
                f"Whoever does not come back within {asked.horizon} units is told from the others with an AUC of "
                f"{estimate(churn)}; how long someone has been away alone gives "
                f"{_less(churn)}.",
                f"{asked.churn} on the newest {asked.horizon} units, which it had not seen; "
                f"users drawn anew {asked.bootstrap} times",
            )
        )
    return found


def interest_sentences(found: Record, params: EvolveParams) -> list[Sentence]:
    """Drift, breadth, persistence, next month, popularity."""
    asked, users = params.interests, found["users"]
    least, fdr = asked.least_users, f"{asked.permutations} shuffles of each user's events, {_fdr(asked.level)}"
    said = [
        Sentence(
            f"The interests of {few(users['drifting'], least)} of {few(users['tested_drift'], least)} users changed "
            f"beyond chance from the first half of their history to the second; the halves differ by "
            f"{estimate({'value': users['excess_bits']})} bits more than shuffled ones.",
            f"Jensen–Shannon divergence of categories, {fdr}",
        ),
        Sentence(
            f"The interests of {few(users['widening'], least)} of {few(users['tested_slope'], least)} users widened and "
            f"those of {few(users['narrowing'], least)} narrowed beyond chance.",
            f"trend of the effective number of categories, windows of {asked.window_days} days, {fdr}",
        ),
    ]
    known = f"mean over users, who were drawn anew {asked.draws} times"
    if len(found["breadth"]) > 1:
        first, last = found["breadth"][0], found["breadth"][-1]
        said.append(
            Sentence(
                f"A user cared for {estimate(first['effective'], one_digit)} categories at first and for "
                f"{estimate(last['effective'], one_digit)} at the end (effective number).",
                f"first and last window of {asked.window_days} days, {count(first['users'])} and {count(last['users'])} "
                f"users; {known}",
            )
        )
    for row in found["persistence"][:1]:
        said.append(
            Sentence(
                f"{estimate(row['kept'], share)} of what a user did in a month was of a category that came back the next; "
                f"the mix of all users would give {estimate(row['anyone'], share)}, the difference is "
                f"{estimate(row['own'], signed_points)} points.",
                f"{count(row['pairs'])} pairs of months; {known}",
            )
        )
    forecast = found["forecast"]
    if "missing" in forecast:
        said.append(Sentence("Next month's interests were not forecast.", forecast["missing"]))
    else:
        best = next(way for way in forecast["ways"] if way["name"] == forecast["chosen"])
        said.append(
            Sentence(
                f"Next month's interests are told best by “{best['name']}”: {estimate(best['gain'])} nats an event better "
                "than “as last month”.",
                f"chosen on earlier months, scored once on the last {asked.scored_months}, "
                f"{count(forecast['users'])} users; {known}",
            )
        )
    if found["popularity"]:
        last = found["popularity"][-1]
        said.append(
            Sentence(
                f"{estimate(last['head'], share)} of the events of the last month went to the items that had made up "
                f"{share(asked.head_share)} of the events before, {estimate(last['new'], share)} to items never seen.",
                f"{count(last['events'])} events; {known}",
            )
        )
    return said


def habit_sentences(found: Record, params: EvolveParams) -> list[Sentence]:
    """Rhythm, predictability, shifts."""
    asked, least = params.habits, params.lifecycle.min_users
    known = f"{count(found['users'])} users with {asked.least_events} events or more, drawn anew {asked.draws} times"
    said = [
        Sentence(
            f"{few(found['daily_rhythm'], least)} of {count(found['users'])} users have a daily rhythm and "
            f"{few(found['weekly_rhythm'], least)} a weekly one.",
            f"Rayleigh test of the circle of hours, {_fdr(asked.level)}",
        )
    ]
    limits = found["predictability"]
    if "missing" not in limits:
        said.append(
            Sentence(
                f"Whoever knew the order of a user's past could tell the next item in {estimate(limits['most'], share)} of "
                f"the cases at most; who knew only how often, in {estimate(limits['most_uncorrelated'], share)}.",
                f"entropy rate (Lempel–Ziv) and Fano's inequality; {count(limits['users'])} users, "
                f"drawn anew {asked.draws} times",
            )
        )
    shifts = found["shifts"]
    chance = "" if shifts["tested"] is None else f" {share(0.05)} would be {0.05 * shifts['tested']:.0f}."
    said += [
        Sentence(
            f"The hours of {few(shifts['shifted'], least)} of {few(shifts['tested'], least)} users shifted to others "
            "at some day beyond chance.",
            f"largest divergence over all days, {asked.permutations} shuffles of days, {_fdr(asked.level)}; single tests "
            f"below 5%: {few(shifts['below_5_percent'], least)}, of which chance alone gives about one in twenty."
            + ("" if not chance else chance),
        ),
        Sentence(
            f"The regularity of a week is {estimate(found['regularity'])} (0: all hours alike, 1: one hour).", known
        ),
    ]
    return said


def space_sentences(found: Record, params: EvolveParams) -> list[Sentence]:
    """Where is hot, what moves together, how far people go."""
    asked, surface, mobility = params.space, found["surface"], found["mobility"]
    moran, near = surface["morans_i"], found["interaction"]
    shuffles = f"{asked.permutations} shuffles"
    known = f"{count(mobility['users'])} users, drawn anew {asked.draws} times"
    hot = surface["hot"][-1]
    lasting = surface.get("hot_classes", {}).get("persistent", 0) + surface.get("hot_classes", {}).get(
        "intensifying", 0
    )
    said = [
        Sentence(
            f"Busy cells lie beside busy cells: Moran's I is {estimate(moran)}, by chance {estimate({'value': moran['expected']})}."
            if moran["p"] <= asked.level
            else f"Busy cells lie anywhere: Moran's I is {estimate(moran)}.",
            f"{count(surface['cells'])} cells of resolution {asked.resolution}, {shuffles}, {p_words(moran['p'])}",
        ),
        Sentence(
            f"{count(hot)} cells were hot in the last of {count(surface['periods'])} periods"
            + (f"; {count(lasting)} of all have been hot nearly always." if "hot_classes" in surface else "."),
            f"Getis–Ord G*, periods of {asked.period_days} days, {shuffles}, {_fdr(asked.level)}",
        ),
        _nearness(near, asked.level, shuffles),
        Sentence(
            f"Half of the users stay within {mobility['radius_km']['p50']:.1f} km of their centre (radius of gyration; "
            f"one in ten beyond {mobility['radius_km']['p90']:.1f} km); {estimate(mobility['explorers'], share)} explore "
            "rather than return.",
            known,
        ),
        Sentence(
            f"A user who knows S places goes to a new one with probability {estimate(mobility['rho'])} · S^−γ, "
            f"γ = {estimate(mobility['gamma'])}.",
            f"maximum likelihood; {known}",
        ),
    ]
    leads = found["leads"]
    if leads["pairs"]:
        first = max(leads["pairs"], key=lambda one: abs(one["correlation"]))
        said.append(
            Sentence(
                f"{len(leads['pairs'])} pairs of regions lead each other; {first['leader']} leads {first['follower']} most, "
                f"by {first['lag_h']} h (correlation {first['correlation']:.2f}).",
                f"{leads['regions']} regions, week taken out, {_fdr(asked.level)}",
            )
        )
    else:
        said.append(
            Sentence(
                "No region leads another beyond chance.",
                f"{leads['regions']} regions, lags up to {asked.lag_h} h, {_fdr(asked.level)}",
            )
        )
    return said


def _nearness(near: Record, level: float, shuffles: str) -> Sentence:
    between = near["between_users"]
    where = f"{count(near['events'])} events, {shuffles} of the times of each user, {p_words(between['p_overall'])}"
    distance, span = near["distances_km"][0], near["spans_h"][0]
    ratio = between["ratio"][0][0]
    if between["p_overall"] > level or ratio is None:
        return Sentence("What happens near in space does not happen near in time beyond chance.", f"Knox test, {where}")
    return Sentence(
        f"What happens near in space happens near in time: within {distance:g} km and {span} h there are "
        f"{ratio:.1f} times as many pairs as by chance.",
        f"Knox test, {where}",
    )


def _states(states: pl.DataFrame) -> list[Sentence]:
    first = states.filter(pl.col("moment") == states["moment"].min())
    last = states.filter(pl.col("moment") == states["moment"].max())
    told = last.drop_nulls("share").sort("share", descending=True, maintain_order=True).to_dicts()
    if not told:
        return []
    listed = ", ".join(f"{share(row['share'])} {row['state']}" for row in told if row["users"])
    found = [
        Sentence(
            f"On {last['moment'][0]:%d %B %Y}, of those who are known, {listed}.",
            f"{count(int(last['users'].sum()))} users; each judged by the pauses that are usual for him",
        )
    ]
    both = first.select("state", before="share").join(last.select("state", after="share"), on="state").drop_nulls()
    moved = both.with_columns(change=pl.col("after") - pl.col("before")).sort(pl.col("change").abs(), "state")
    if moved.height:
        row = moved.row(-1, named=True)
        found.append(
            Sentence(
                f"The largest change: “{row['state']}” went from {share(row['before'])} on {first['moment'][0]:%d %B %Y} "
                f"to {share(row['after'])}.",
                f"{count(int(first['users'].sum()))} and {count(int(last['users'].sum()))} users; counts, not a test",
            )
        )
    return found


def _moves(table: pl.DataFrame, confidence: float) -> list[Sentence]:
    texts = []
    for start, end, words in (
        ("lapsing", "churned", "is lost by the next moment"),
        ("churned", "returning", "comes back by the next moment"),
    ):
        row = _row(table, **{"from": start, "to": end})
        if row is not None and row["probability"] is not None:
            one = {"value": row["probability"], "low": row["low"], "high": row["high"]}
            of = int(table.filter(pl.col("from") == start)["moves"].sum())
            texts.append(
                Sentence(
                    f"Someone {start} {words} with probability {estimate(one, share)}.",
                    f"{count(row['moves'])} of about {count(of)} moves of users, interval of {share(confidence)}",
                )
            )
    return texts


def _less(row: Record) -> str:
    if row["value"] is None or row["difference"] is None:
        return "–"
    return estimate({"value": row["value"] - row["difference"]})


def _row(table: pl.DataFrame, **where: str) -> Record | None:
    """The first row with these values; None where there is none, or no table."""
    if not set(where) <= set(table.columns):
        return None
    found = table.filter(pl.all_horizontal(pl.col(name) == value for name, value in where.items()))
    return found.row(0, named=True) if found.height else None


def _fdr(level: float) -> str:
    return f"false discoveries held at {share(level)}"
