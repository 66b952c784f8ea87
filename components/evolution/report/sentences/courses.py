"""Courses that people share, in a sentence: of raw traces, and of events with places."""

from __future__ import annotations

from typing import Any

from components.evolution.report.sentences.sentence import Sentence
from components.evolution.report.words import count, number, p_words, share

Record = dict[str, Any]


def course_sentences(found: Record, level: float) -> list[Sentence]:
    """Whether courses are more alike than chance has it; nothing where too few users have one."""
    if "missing" in found:
        return []
    sure = found["p"] <= level
    return [
        Sentence(
            ("People take each other's courses" if sure else "Courses are no more alike than chance has it")
            + f": the likest course of another user shares {share(found['likeness'])} of the cells, by chance "
            f"{share(found['expected'])}; it is {number(found['apart_km'])} km away, a random one "
            f"{number(found['random_km'])} km, and differs in {share(found['edits'])} of the steps, a random one in "
            f"{share(found['random_edits'])}.",
            f"{count(found['compared'])} of {count(found['trajectories'])} courses, {count(found['users'])} users; "
            f"Jaccard index, cells dealt anew, {p_words(found['p'])}; distance by dynamic time warping, "
            "order by edit distance",
        )
    ]
