"""Kinds of behaviour in space, in sentences: what is beside what, what follows what, how cells follow each other."""

from __future__ import annotations

from typing import Any

from components.evolution.report.sentences.sentence import Sentence, discoveries
from components.evolution.report.words import count, number, p_words

Record = dict[str, Any]


def kind_sentences(found: Record, level: float) -> list[Sentence]:
    """The strongest relation of each sort, or that there is none beyond chance."""
    return [*_beside(found, level), *_cells(found, level), *_lagged(found, level)]


def _beside(found: Record, level: float) -> list[Sentence]:
    pairs = found["pairs"]
    if not pairs:
        return []
    sure = [one for one in pairs if one["beyond_q"] is not None and one["beyond_q"] <= level]
    plain = sum(one["q"] is not None and one["q"] <= level for one in pairs)
    known = (
        f"bivariate Moran's I, {count(pairs[0]['cells'])} busiest cells, {len(pairs)} pairs; null surfaces as smooth "
        f"as the first (Moran spectral randomization), {discoveries(level)}"
    )
    head = f"{plain or 'None'} of {len(pairs)} pairs of the main kinds of {found['of']} have related maps"
    if not sure:
        return [Sentence(f"{head}; beyond how busy a cell is with all else, none.", known)]
    most = max(sure, key=lambda one: abs(one["beyond_value"]))
    way = "beside" if most["beyond_value"] > 0 else "away from"
    return [
        Sentence(
            f"{head}; beyond how busy a cell is with all else, {len(sure)}: most of all, {most['first']} is {way} "
            f"{most['second']} (I = {number(most['beyond_value'])}, p {_p(most['beyond_p'])}).",
            known,
        )
    ]


def _p(p: float) -> str:
    return p_words(p).removeprefix("p ")


def _cells(found: Record, level: float) -> list[Sentence]:
    parts = {(one["part"], one["lag"]): one for one in found["space_time"]}
    same = parts.get(("neighbours, same day", 0))
    if same is None:
        return []
    said = [
        f"with {'their neighbours' if part.startswith('neighbours') else 'themselves'} "
        f"{'on the same day' if lag == 0 else f'{lag} d earlier'} {number(one['value'])}"
        + ("" if one["p"] <= level else ", not beyond chance")
        for (part, lag), one in parts.items()
    ]
    return [
        Sentence(
            f"Beyond the week's rhythm and what all cells share, the days of cells go {'; '.join(said)}.",
            f"space–time Moran's I, {count(found['cells'])} busiest cells, {count(found['days'])} days; each cell's "
            "days turned in a circle, for its own past whole days shuffled",
        )
    ]


def _lagged(found: Record, level: float) -> list[Sentence]:
    rows = found["lagged"]
    if not rows:
        return []
    known = (
        f"bivariate Moran's I at lags, {count(found['days'])} days, {len(rows)} tests; all shifts in time as null, "
        f"{discoveries(level)}"
    )
    sure = [one for one in rows if max(one["q"], one["q_lead"]) <= level]
    if not sure:
        return [Sentence(f"No kind of {found['of']} follows another days later, nearby, beyond chance.", known)]
    most = max(sure, key=lambda one: one["lead"])
    return [
        Sentence(
            f"{most['follower']} follows {most['leader']} nearby by {most['lag_days']} d (correlation "
            f"{number(most['correlation'])}, {number(most['lead'])} more than the other way round).",
            known,
        )
    ]
