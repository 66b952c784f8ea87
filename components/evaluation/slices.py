"""Groups of queries in which a model may win or lose: the whole hides its parts.

Each slice is a mask over the queries of a judgement. Nothing here computes a metric.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from components.evaluation.groups import TIERS, Groups
from components.evaluation.judgement import Judgement

Masks = dict[str, NDArray[np.bool_]]
#: Six hours each, from midnight of the user's own clock.
DAYPARTS = ("night 0–6 h", "morning 6–12 h", "afternoon 12–18 h", "evening 18–24 h")


def slices(
    judgement: Judgement,
    history_edges: Sequence[int],
    actions: Sequence[str] = (),
    groups: Groups | None = None,
) -> dict[str, Masks]:
    """Masks over the queries, by dimension and name; empty ones are left out.

    Parameters
    ----------
    judgement : whose queries are cut; every model of a window has the same queries, and so the same masks
    history_edges : lower edges of the buckets of visible events, ascending
    actions : names by action code, to cut by the action that was taken
    groups : of users and items that must be treated alike; of a basket of answers the first item counts

    Returns
    -------
    dict
        dimension → name → (Q,) bool
    """
    history = judgement.table["history"].to_numpy()
    repeat, cold_item, cold_user = (judgement.table[name].to_numpy() for name in ("repeat", "cold_item", "cold_user"))
    hour, tier = judgement.table["hour"].to_numpy(), judgement.table["tier"].to_numpy()
    found: dict[str, Masks] = {
        "history": _buckets(history, history_edges),
        "user": {"known to training": ~cold_user, "new": cold_user},
        "item": {"known to training": ~cold_item, "new": cold_item},
        "choice": {"repeat": repeat, "explore": ~repeat & ~cold_item},
        "popularity of the answer": {name: tier == code for code, name in enumerate(TIERS)},
        "local time": {name: hour // 6 == part for part, name in enumerate(DAYPARTS)},
    }
    code = judgement.table["action"].to_numpy()
    if len(actions):
        found["action"] = {name: code == one for one, name in enumerate(actions) if one > 1}
    groups = groups or Groups()
    answer = judgement.targets[judgement.offsets[:-1]]
    for dimension, own in [
        *((name, value[judgement.user]) for name, value in sorted(groups.users.items())),
        *((name, value[answer]) for name, value in sorted(groups.items.items())),
    ]:
        found[dimension] = {name: own == name for name in sorted(set(own.astype(str).tolist()))}
    kept = {dimension: {name: mask for name, mask in masks.items() if mask.any()} for dimension, masks in found.items()}
    return {dimension: masks for dimension, masks in kept.items() if len(masks) > 1}


def declared(by_dimension: Mapping[str, Masks], groups: Groups | None) -> dict[str, Masks]:
    """Those of the dimensions that are declared groups."""
    names = {} if groups is None else {**groups.users, **groups.items}
    return {dimension: masks for dimension, masks in by_dimension.items() if dimension in names}


def flat(by_dimension: Mapping[str, Masks]) -> Masks:
    """The same masks under one name each, e.g. "choice: explore"."""
    return {f"{one}: {name}": mask for one, masks in by_dimension.items() for name, mask in masks.items()}


def _buckets(history: NDArray[np.integer], edges: Sequence[int]) -> Masks:
    bounds = sorted({0, *edges})
    masks: Masks = {}
    for low, high in zip(bounds, [*bounds[1:], None], strict=True):
        if high is None:
            masks[f"{low} events and more"] = history >= low
        else:
            name = f"{low}–{high - 1} events" if high - low > 1 else f"{low} event{'s' if low != 1 else ''}"
            masks[name] = (history >= low) & (history < high)
    return masks
