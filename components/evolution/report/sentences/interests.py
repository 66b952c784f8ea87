"""Interests in sentences: drift, breadth, persistence, next month, popularity."""

from __future__ import annotations

from typing import Any

from components.evolution.interests.forecast import LAST_MONTH
from components.evolution.report.sentences.sentence import Sentence, discoveries, drawn
from components.evolution.report.words import count, estimate, few, number, one_digit, share, signed_points
from components.params import EvolveParams

Record = dict[str, Any]


def interest_sentences(found: Record, params: EvolveParams) -> list[Sentence]:
    """Drift, breadth, persistence, next month, popularity."""
    asked, users, of = params.interests, found["users"], found["of"]
    many = {"category": "categories", "item": "items"}[of]
    least = asked.least_users
    shuffled = f"{asked.permutations} shuffles of each user's days, {discoveries(asked.level)}"
    said = [
        Sentence(
            f"The interests of {few(users['drifting'], least)} of {few(users['tested_drift'], least)} users changed "
            f"beyond chance from the first half of their history to the second; the halves differ by "
            f"{estimate({'value': users['excess_bits']})} bits more than shuffled ones.",
            f"Jensen–Shannon divergence of {many}, {shuffled}",
        ),
        Sentence(
            f"The interests of {few(users['widening'], least)} of {few(users['tested_slope'], least)} users widened "
            f"and those of {few(users['narrowing'], least)} narrowed beyond chance.",
            f"trend of the effective number of {many}, windows of {asked.window_days} days, {shuffled}",
        ),
    ]
    known = drawn(asked.draws)
    moved = [row for row in found["segments"] if row["drift_q"] is not None and row["drift_q"] <= asked.level]
    for row in moved:
        said.append(
            Sentence(
                f"As a group, the {count(row['users'])} users who are “{row['segment']}” now changed their mix of "
                f"interests: {number(row['divergence_bits'])} bits between the halves, "
                f"{number(row['expected_bits'])} by chance.",
                f"{shuffled}; q = {number(row['drift_q'])}",
            )
        )
    if len(found["breadth"]) > 1:
        first, last = found["breadth"][0], found["breadth"][-1]
        said.append(
            Sentence(
                f"A user cared for {estimate(first['effective'], one_digit)} {many} at first and for "
                f"{estimate(last['effective'], one_digit)} at the end (effective number).",
                f"first and last window of {asked.window_days} days, {count(first['users'])} and "
                f"{count(last['users'])} users; {known}",
            )
        )
    for row in found["persistence"][:1]:
        said.append(
            Sentence(
                f"{estimate(row['kept'], share)} of what a user did in a month was of {_one(of)} that came back the "
                f"next; as many events of other users would hold {estimate(row['anyone'], share)}, the difference is "
                f"{estimate(row['own'], signed_points)} points.",
                f"{count(row['pairs'])} pairs of months; {known}",
            )
        )
    forecast = found["forecast"]
    if "missing" in forecast:
        said.append(Sentence("Next month's interests were not forecast.", forecast["missing"]))
    else:
        best = next(way for way in forecast["ways"] if way["name"] == forecast["chosen"])
        known_of = (
            f"way and its constants chosen on earlier months, scored once on the newest ({asked.scored_months}); "
            f"{count(forecast['users'])} users; {known}"
        )
        said.append(
            Sentence("Nothing told next month's interests better than last month's did.", known_of)
            if best["name"] == LAST_MONTH
            else Sentence(
                f"Next month's interests are told by “{best['name']}” {estimate(best['gain'])} nats an event better "
                "than by last month's.",
                known_of,
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


def _one(kind: str) -> str:
    return f"an {kind}" if kind == "item" else f"a {kind}"
