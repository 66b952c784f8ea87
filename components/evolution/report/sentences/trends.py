"""Trends in sentences: growth, what comes next, cycles, unusual days and their causes, holidays, changes of level."""

from __future__ import annotations

import datetime as dt
from typing import Any

from components.evolution.report.sentences.sentence import Sentence
from components.evolution.report.words import count, estimate, number, one_digit, p_words, share
from components.evolution.trends.ahead import ADDING_UP
from components.evolution.trends.series import TOTAL
from components.params import EvolveParams

Record = dict[str, Any]
_TOLD = 3  # unusual spans in words; all of them are in the table
_SEASONS = {("hour", 24): "the day", ("hour", 168): "the week", ("day", 7): "the week", ("week", 52): "the year"}


def trend_sentences(found: Record, params: EvolveParams) -> list[Sentence]:
    """Growth, what comes next, cycles, unusual days, holidays, changes of level."""
    return [
        *_growth(found["growth"], found["users"]),
        *(_ahead(step, one) for step, one in found["steps"].items()),
        *_cycles(found["cycles"], params.trends.level),
        *_unusual(found["unusual"], found["causes"], params),
        *_holidays(found["holidays"], params),
        *_changes(found["changes"], params),
    ]


def _growth(found: Record, users: int) -> list[Sentence]:
    if "missing" in found:
        return []
    return [
        Sentence(
            f"On the last {found['days']} days there were {one_digit(found['after'])} events a day, on the first "
            f"{one_digit(found['before'])}: {estimate(found['ratio'])} times as many.",
            f"{count(users)} users; interval of drawing users anew (delta method)",
        )
    ]


def _ahead(step: str, found: Record) -> Sentence:
    if "missing" in found:
        return Sentence(f"The log is too short to forecast by the {step}.", found["missing"])
    low, high = found["levels"][0], found["levels"][-1]
    fullest = max(range(found["horizon"]), key=lambda at: found["point"][0][at])
    quantiles = found["quantiles"][0][fullest]
    scores = found["scores"][ADDING_UP]
    coverage = scores["coverage"]
    held = (
        ""
        if coverage is None
        else f" Past intervals of {share(high - low)} held {share(coverage['value'])} of what came."
    )
    better = scores["against_naive"]
    verdict = (
        "better than the same as a season ago" if (better["high"] or 0) < 0
        else "worse than the same as a season ago" if (better["low"] or 0) > 0
        else "no surer than the same as a season ago"
    )  # fmt: skip
    apart = "" if found["apart"] == found["horizon"] else f", {found['apart']} {step}s apart (they overlap)"
    chosen = [one["method"] for one in found["selected"] if one["shortlisted"]]
    return Sentence(
        f"The fullest of the next {found['horizon']} {step}s, which begins {_moment(found['begins'][fullest])}, will "
        f"hold about {count(round(found['point'][0][fullest]))} events ({share(high - low)}: "
        f"{count(round(quantiles[0]))} to {count(round(quantiles[-1]))}). Such forecasts were {verdict}: "
        f"a scaled error (MASE) of {number(scores['mase']['value'])}, a difference of "
        f"{estimate(better)}.{held}",
        f"{scores['series']} series, {found['origins']} rolling origins{apart}; {found['rule']} of "
        f"{', '.join(chosen)}, "
        "methods chosen on an earlier origin; rule and conformal intervals judged on origins left out",
    )  # fmt: skip


def _cycles(found: list[Record], level: float) -> list[Sentence]:
    whole = [one for one in found if one["by"] == TOTAL]
    if not whole:
        return []
    said = [
        f"{_SEASONS[one['step'], one['season']]} {number(one['strength'])} by the {one['step']} "
        f"({'beyond' if one['strength'] > one['noise'] else 'not beyond'} noise, {number(one['noise'])})"
        for one in whole
    ]
    return [
        Sentence(
            f"Strength of the cycles, from 0 to 1: {'; '.join(said)}.",
            f"decomposition (MSTL); about {share(level)} of series of white noise are above the figure of noise",
        )
    ]


def _unusual(found: Record, causes: list[Record], params: EvolveParams) -> list[Sentence]:
    known = (
        f"largest deviation of a day from the median of the same hours of {params.trends.around} weeks around; "
        f"{found['series']} series, about {one_digit(found['expected_false'])} false alarms to be expected in all"
    )
    whole = [one for one in found["days"] if one["by"] == TOTAL]
    others = len(found["days"]) - len(whole)
    if not whole:
        return [Sentence(f"No day of the whole was unusual; {others} days or spans of single parts were.", known)]
    said = [
        Sentence(
            f"{_span(one)} held {count(round(one['actual']))} events where {count(round(one['usual']))} are usual."
            + _made_of(one, causes),
            known + f"; {p_words(one['p'])}",
        )
        for one in whole[:_TOLD]
    ]
    rest = len(whole) - len(said)
    if rest or others:
        more = [f"{rest} of the whole"] * (rest > 0) + [f"{others} of single parts"] * (others > 0)
        said.append(Sentence(f"In the table are more unusual days or spans: {' and '.join(more)}.", known))
    return said


def _made_of(one: Record, causes: list[Record]) -> str:
    mine = [cause for cause in causes if cause["first"] == one["first"]]
    if not mine:
        return ""
    telling = max(mine, key=lambda cause: cause["telling"])
    first = next(cause for cause in mine if cause["by"] == telling["by"])
    return (
        f" What tells most is {telling['by']}: “{first['value']}” made {share(first['share'])} of the difference "
        f"({count(round(first['actual']))} for {count(round(first['usual']))})."
    )


def _holidays(found: Record, params: EvolveParams) -> list[Sentence]:
    if "missing" in found:
        return []
    sure = found["p"] <= params.trends.level
    known = (
        f"{found['holidays']} holidays, {params.trends.permutations} draws of as many other days, {p_words(found['p'])}"
    )
    return [
        Sentence(
            f"On public holidays there is {share(found['ratio'])} of what like weekdays have."
            if sure
            else "Public holidays are like other days of their weekday, as far as the log tells.",
            known,
        )
    ]


def _changes(found: list[Record], params: EvolveParams) -> list[Sentence]:
    known = (
        f"change points (PELT), the week taken out, levels of {params.trends.level_days} days or more, penalty for "
        "noise that remembers"
    )
    if not found:
        return [Sentence("The level of no series changed for good at some day.", known)]
    first = max(found, key=lambda one: (one["by"] == TOTAL, abs(one["size"])))
    name = "all events" if first["by"] == TOTAL else f"“{first['value']}” ({first['by']})"
    return [
        Sentence(
            f"The level changed {len(found)} times among the series; of {name} it went from "
            f"{one_digit(first['before'])} to {one_digit(first['after'])} events a day on {_day(first['at'])}.",
            known + f"; {number(first['size'])} standard deviations of the noise",
        )
    ]


def _span(one: Record) -> str:
    return _day(one["first"]) if one["first"] == one["last"] else f"{_day(one['first'])} to {_day(one['last'])}"


def _day(text: str) -> str:
    return f"{dt.date.fromisoformat(text):%d %B %Y}".lstrip("0")


def _moment(text: str) -> str:
    moment = dt.datetime.fromisoformat(text)
    return f"{moment:%d %B %Y, %H:%M}" if moment.hour else f"{moment:%d %B %Y}"
