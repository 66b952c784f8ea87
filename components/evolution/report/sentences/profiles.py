"""The map of users' weeks in sentences: how much it explains, and its largest units."""

from __future__ import annotations

from typing import Any

from components.evolution.report.sentences.sentence import Sentence
from components.evolution.report.words import count, p_words, share
from components.params import EvolveParams

Record = dict[str, Any]
_TOLD = 4


def profile_sentences(found: Record, params: EvolveParams) -> list[Sentence]:
    """How much the map explains, and its largest units."""
    asked, said = params.profiles, []
    units = f"{found['columns'] * found['rows']} units"
    users = f"{count(found['users'])} users with {asked.least_events} events or more"
    if "missing" not in found["quality"]:
        said = _judged(found, params, units, users)
    told = sorted((one for one in found["units"] if one["users"]), key=lambda one: -one["users"])
    for place, one in enumerate(told[:_TOLD]):
        said.append(Sentence(_unit(one), f"{users}, map of {units}; shares are means of its users" if not place else
                             "means of its users, beside those of all"))  # fmt: skip
    return said


def _judged(found: Record, params: EvolveParams, units: str, users: str) -> list[Sentence]:
    asked, quality = params.profiles, found["quality"]
    way = {one["way"]: one for one in quality["ways"]}
    own, means, dealt = way["map"], way["k-means"], way["dealt anew"]
    sure = quality["p_later"] <= asked.level
    kept = (
        f"Users stay of their kind: units of their even weeks explain {share(own['explained_later'])} of how their "
        f"odd weeks differ (k-means {share(means['explained_later'])})."
        if sure
        else "Users do not stay of a kind beyond chance: their other weeks are no nearer to their unit than anybody's."
    )
    return [
        Sentence(
            f"A map of {units} explains {share(own['explained'])} of how users' weeks differ (k-means of as many "
            f"{share(means['explained'])}; weeks whose figures are dealt anew among users "
            f"{share(dealt['explained'])}).",
            f"{users}; self-organising map of parts of the week × categories, Hellinger distance; quantisation error "
            f"{own['quantisation_error']:.3f} (k-means {means['quantisation_error']:.3f}, dealt anew "
            f"{dealt['quantisation_error']:.3f}), topographic error {share(own['topographic_error'])} (units that lie "
            f"anywhere {share(quality['topographic_by_chance'])})",
        ),
        Sentence(
            kept,
            f"{count(found['later_users'])} users with enough events in both; {count(asked.permutations)} shuffles of "
            f"whose odd weeks are whose, {p_words(quality['p_later'])}",
        ),
    ]


def _unit(one: Record) -> str:
    parts = [
        f"more {word}{one[name]} ({share(one[f'{name}_share'])}, all users {share(one[f'{name}_all'])})"
        for name, word in (("what", ""), ("when", "on "))
        if one[name] is not None
    ]
    more = ", ".join(parts) if parts else "nothing more than others"
    return f"{count(one['users'])} users ({share(one['share'])}) are of unit {one['unit']}: {more}."
