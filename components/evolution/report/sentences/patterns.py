"""Recurring patterns in sentences: the surest ones by name, with when, where, who."""

from __future__ import annotations

from typing import Any

from components.evolution.report.sentences.sentence import Sentence, discoveries
from components.evolution.report.words import count, p_words, share
from components.params import EvolveParams

Record = dict[str, Any]
_TOLD = 8


def pattern_sentences(found: Record, params: EvolveParams) -> list[Sentence]:
    """The surest patterns, or that there are none beyond chance."""
    asked = params.patterns
    how = (
        f"{count(found['users'])} users, {found['weeks']:.0f} weeks, {count(found['tested'])} places and times "
        f"looked at; {count(asked.permutations)} shuffles of each user's visits (the largest of all, "
        f"Westfall–Young), and over users {discoveries(asked.level)}"
    )
    if not found["patterns"]:
        return [Sentence("Nothing recurs beyond what users' own places and hours would give.", how)]
    return [_told(one, how if place == 0 else None) for place, one in enumerate(found["patterns"][:_TOLD])]


def _told(one: Record, how: str | None) -> Sentence:
    spot = f", most in {one['place']}" if one["place"] not in {None, one["where"]} else ""
    name = one["name"][0].upper() + one["name"][1:]
    return Sentence(
        f"{name}: {one['who']} ({one['when']}{spot}). {count(one['visits'])} visits, {one['ratio']:.1f} times as many "
        f"as their own places and hours would give.",
        f"seen in {share(one['weeks_share'])} of those weeks; {p_words(one['p'])}" + (f"; {how}" if how else ""),
    )
