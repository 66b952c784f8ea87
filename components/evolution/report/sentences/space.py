"""Space in sentences: where is hot, what moves together, how far people go."""

from __future__ import annotations

from typing import Any

from components.evolution.report.sentences.courses import course_sentences
from components.evolution.report.sentences.kinds import kind_sentences
from components.evolution.report.sentences.sentence import Sentence, discoveries, drawn
from components.evolution.report.words import count, estimate, number, p_words, share
from components.params import EvolveParams

Record = dict[str, Any]


def space_sentences(found: Record, params: EvolveParams) -> list[Sentence]:
    """Where is hot, what moves together, how far people go."""
    asked, surface, mobility = params.space, found["surface"], found["mobility"]
    moran, near = surface["morans_i"], found["interaction"]
    shuffles = f"{count(asked.permutations)} shuffles"
    known = f"{count(mobility['users'])} users; {drawn(asked.draws)}"
    hot, explorers = surface["hot"][-1], mobility["explorers"]
    classes = surface.get("hot_classes", {})
    lasting = classes.get("persistent", 0) + classes.get("intensifying", 0)
    sure = moran["p"] <= asked.level and moran["value"] > moran["expected"]
    said = [
        Sentence(
            ("Busy cells lie beside busy cells" if sure else "Busy cells lie anywhere")
            + f": Moran's I is {number(moran['value'])}, by chance {number(moran['expected'])}.",
            f"{count(surface['cells'])} cells of resolution {asked.resolution}, {shuffles}, {p_words(moran['p'])}",
        ),
        Sentence(
            f"{count(hot) if hot else 'No'} cells were hot in the last of {count(surface['periods'])} periods"
            + (f"; {count(lasting)} of all have been hot nearly always." if classes else "."),
            f"Getis–Ord G*, periods of {asked.period_days} days, {shuffles}, {discoveries(asked.level)}",
        ),
        _nearness(near, asked.level),
        Sentence(
            f"Half of the users stay within {mobility['radius_km']['p50']:.1f} km of their centre (radius of gyration; "
            f"one in ten beyond {mobility['radius_km']['p90']:.1f} km)"
            + (
                "."
                if explorers["value"] is None
                else f"; of those with more than {asked.core_places} places {estimate(explorers, share)} explore "
                "rather than return."
            ),
            known,
        ),
        Sentence(
            f"A user who knows S places goes to a new one with probability {estimate(mobility['rho'])} · S^−γ, "
            f"γ = {estimate(mobility['gamma'])}.",
            f"maximum likelihood; {known}",
        ),
    ]
    hour = found["information"]["hour_place_given_user"]
    said.append(
        Sentence(
            f"Beyond who it is, the hour tells {number(hour['excess'])} bits of where ({share(hour['share'])} of "
            "what there is to tell)."
            if hour["p"] <= asked.level
            else "Beyond who it is, the hour does not tell where.",
            f"mutual information less that of shuffled hours, {p_words(hour['p'])}",
        )
    )
    leads = found["leads"]
    if leads["pairs"]:
        first = max(leads["pairs"], key=lambda one: abs(one["correlation"]))
        said.append(
            Sentence(
                f"{len(leads['pairs'])} pairs of regions lead each other; {first['leader']} leads "
                f"{first['follower']} most, by {first['lag_h']} h (correlation {first['correlation']:.2f}).",
                f"{leads['regions']} regions, week taken out, {discoveries(asked.level)}",
            )
        )
    else:
        said.append(
            Sentence(
                "No region leads another beyond chance.",
                f"{leads['regions']} regions, lags up to {asked.lag_h} h, {discoveries(asked.level)}",
            )
        )
    return [
        *said, *kind_sentences(found["kinds"], asked.level), *_areas(found["areas"], params),
        *course_sentences(found["courses"], asked.level),
    ]  # fmt: skip


def _areas(found: Record, params: EvolveParams) -> list[Sentence]:
    asked, free = params.space, found["any"]
    said = []
    for density, of, how in (
        ("stated", found, f"DBSCAN, {asked.area_events} events within {asked.area_radius_km:g} km"),
        (
            "any",
            free,
            f"HDBSCAN among {count(free['places'])} places, {share(asked.area_share)} of them in an area"
            + (
                ""
                if free["agreement"] is None
                else f"; a sample, two of which agree by {free['agreement']:.2f} (adjusted Rand index; 1 = wholly)"
            ),
        ),
    ):
        first = next((one for one in found["largest"] if one["density"] == density), None)
        if first is None:
            continue
        said.append(
            Sentence(
                f"{count(of['areas'])} areas of {'one density' if density == 'stated' else 'their own densities'} hold "
                f"{share(of['share'])} of the events; the largest, around {first['latitude']:.3f}°, "
                f"{first['longitude']:.3f}°, {share(first['share'])} of them, half within "
                f"{number(first['radius_km'])} km.",
                how,
            )
        )
    return said


def _nearness(near: Record, level: float) -> Sentence:
    between, grid = near["between_users"], f"{len(near['distances_km'])} distances × {len(near['spans_h'])} spans"
    p, row, column = min(
        (p, row, column) for row, cells in enumerate(between["p_family"]) for column, p in enumerate(cells)
    )
    where = (
        f"Knox test, {count(near['events'])} events, shuffles of the days of each user, hour and weekday kept; {grid} "
        f"together {p_words(between['p_overall'])}, the surest one {p_words(p)}"
    )
    ratio = between["ratio"][row][column]
    if between["p_overall"] > level:
        return Sentence("What two users do near in space they do not do near in time beyond chance.", where)
    if p > level or ratio is None:
        return Sentence(
            "What two users do near in space they do near in time, at no one distance beyond chance.", where
        )
    return Sentence(
        f"What two users do near in space they do near in time: within {near['distances_km'][row]:g} km and "
        f"{near['spans_h'][column]} h there are {ratio:.1f} times as many pairs of two users as by chance.",
        where,
    )
