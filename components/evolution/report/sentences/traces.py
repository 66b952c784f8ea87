"""Raw traces in sentences: stays, trips, homes and places of work, courses that people share."""

from __future__ import annotations

from typing import Any

from components.evolution.report.sentences.courses import course_sentences
from components.evolution.report.sentences.sentence import Sentence, drawn
from components.evolution.report.words import count, estimate, few, one_digit, share
from components.params import EvolveParams

Record = dict[str, Any]


def trace_sentences(found: Record, params: EvolveParams) -> list[Sentence]:
    """Stays, trips, homes and places of work, courses that people share."""
    asked, least = params.traces, params.traces.least_users
    rule = (
        f"a stay: {one_digit(asked.least_min)} minutes within {count(round(asked.radius_m))} m, without a silence of "
        f"{one_digit(asked.silence_min)} minutes"
    )
    said = [
        Sentence(
            f"{count(found['positions'])} positions of {count(found['users'])} users hold {count(found['stays'])} "
            f"stays; half of them last less than {one_digit(found['stay_minutes']['p50'])} minutes. "
            f"{share(found['venues']['share'])} are at a venue of the log.",
            f"{rule}; {count(found['dropped'])} positions were dropped",
        ),
        *_trips(found["trips"], params),
    ]
    anchors = found["anchors"]
    apart = anchors["commute_km"]["p50"]
    said.append(
        Sentence(
            f"{few(anchors['with_home'], least)} users have a home, {few(anchors['with_work'], least)} a place of work"
            + ("." if apart is None else f"; half of those with both live within {one_digit(apart)} km of it."),
            f"the cell with most hours of presence, at night and on weekdays by day, with at least "
            f"{share(params.space.anchor_share)} of those hours",
        )
    )
    return said + course_sentences(found["courses"], params.space.level)


def _trips(found: Record, params: EvolveParams) -> list[Sentence]:
    if "missing" in found:
        return [Sentence(found["missing"], "trips between stays")]
    known = [(value, hour) for hour, value in enumerate(found["hours"]) if value is not None]
    busiest = max(known)[1] if known else None
    return [
        Sentence(
            f"{count(found['trips'])} trips lead from stay to stay: {estimate(found['mean_km'], one_digit)} km on "
            f"average, half of them {one_digit(found['km']['p50'])} km or less and "
            f"{one_digit(found['minutes']['p50'])} minutes or less"
            + ("." if busiest is None else f"; most begin between {busiest}:00 and {(busiest + 1) % 24}:00."),
            f"{count(found['users'])} users; {drawn(params.space.draws)}; no trip after "
            f"{params.traces.pause_h:g} h unseen",
        )
    ]
