"""Anomalies in sentences: how many users stand out, and by what."""

from __future__ import annotations

from typing import Any

from components.evolution.report.sentences.sentence import Sentence, discoveries
from components.evolution.report.words import count, few, share
from components.params import EvolveParams

Record = dict[str, Any]


def anomaly_sentences(found: Record, params: EvolveParams) -> list[Sentence]:
    """How many users stand out, and by what."""
    asked = params.anomalies
    known = (
        f"ECOD, isolation forest, the rarest figure and histories that turn, on {len(found['figures'])} figures of "
        f"{count(found['users'])} users with {asked.least_events} events or more, each among the equally busy; "
        f"{discoveries(asked.level)}"
    )
    if found["strange"] == 0:
        return [Sentence("No user behaves as nobody else does, beyond chance.", known)]
    made = "" if found["share"] is None else f" They made {share(found['share'])} of the events."
    number = few(found["strange"], asked.least_users)
    said = [Sentence(f"{number} of {count(found['users'])} users behave as nobody does.{made}", known)]
    told = sorted((one for one in found["reasons"] if one["users"] is not None), key=lambda one: -one["users"])
    if told:
        listed = "; ".join(f"{count(one['users'])} by {one['meaning']}, {one['side']}" for one in told[:4])
        how = "the figure that is farthest from the user's peers; strange need not be wrong"
        said.append(Sentence(f"They stand out by: {listed}.", how))
    return said
