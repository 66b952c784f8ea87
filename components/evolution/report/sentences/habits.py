"""Habits in sentences: rhythm, predictability, shifts, cohorts."""

from __future__ import annotations

from typing import Any

from components.evolution.report.sentences.sentence import Sentence, discoveries, drawn
from components.evolution.report.words import count, estimate, few, share
from components.params import EvolveParams

Record = dict[str, Any]


def habit_sentences(found: Record, params: EvolveParams) -> list[Sentence]:
    """Rhythm, predictability, shifts."""
    asked, least = params.habits, params.lifecycle.min_users
    known = f"{count(found['users'])} users with {asked.least_events} events or more; {drawn(asked.draws)}"
    said = [
        Sentence(
            f"{few(found['daily_rhythm'], least)} of {count(found['users'])} users keep to a time of the day and "
            f"{few(found['weekly_rhythm'], least)} to one part of the week.",
            f"Rayleigh test with whole days (weeks) as evidence, {discoveries(asked.level)}",
        )
    ]
    limits = found["predictability"]
    if "missing" not in limits:
        said.append(
            Sentence(
                "Whoever knew the order of a user's past could tell the next item in "
                f"{estimate(limits['most'], share)} of the cases at most; who knew only how often, in "
                f"{estimate(limits['most_uncorrelated'], share)}.",
                f"entropy rate (Lempel–Ziv) and Fano's inequality; {count(limits['users'])} users; "
                f"{drawn(asked.draws)}",
            )
        )
    shifts = found["shifts"]
    said += [
        Sentence(
            f"The hours of {few(shifts['shifted'], least)} of {few(shifts['tested'], least)} users shifted to others "
            "at some day beyond chance.",
            f"largest change over all days, {asked.permutations} shuffles of whole days, {discoveries(asked.level)}; "
            f"{few(shifts['below_5_percent'], least)} have a p below 5%, which chance gives one in twenty",
        ),
        Sentence(
            f"The regularity of a week is {estimate(found['regularity'])} (0: all hours alike, 1: one hour).", known
        ),
    ]
    aged = [one for one in found["cohorts"][1:] if len(one["retention"]) > 1 and one["retention"][1] is not None]
    if aged:
        last = aged[-1]
        said.append(
            Sentence(
                f"Of those first seen in {last['month']}, {estimate(last['retention'][1], share)} were there a month "
                "later.",
                f"{count(last['size'])} users, Wilson interval",
            )
        )
    return said
