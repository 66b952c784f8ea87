"""How far models are from one another in one metric, question by question. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from components.evaluation.significance import Bootstrap, Estimate, Floats, over_seeds

Record = dict[str, Any]


def difference(a: Sequence[Floats], b: Sequence[Floats], bootstrap: Bootstrap) -> Estimate:
    """Mean of a - b over seeds and the questions that both answer, with its interval.

    Parameters
    ----------
    a, b : per seed (Q,) a metric of one model on the same questions; seeds are paired in their order, and a model
        that draws nothing, and so has one, stands against each seed of the other
    bootstrap : of those questions' users

    Returns
    -------
    Estimate
        Its interval draws users and seeds; the difference is significant where it does not hold 0.
    """
    seeds = max(len(a), len(b))
    return over_seeds([a[i % len(a)] - b[i % len(b)] for i in range(seeds)], bootstrap)[0]


def differences(
    values: Mapping[str, Sequence[Floats]], models: Collection[str], bootstrap: Bootstrap
) -> dict[str, Record]:
    """Model → every other row → the difference between them, as JSON.

    Parameters
    ----------
    values : row → per seed (Q,) the metric
    models : rows that are compared with all others
    bootstrap : of the questions' users
    """
    return {
        model: {
            other: difference(values[model], values[other], bootstrap).record() for other in values if other != model
        }
        for model in values
        if model in models
    }


def ahead_of_baselines(record: Record, model: str) -> bool:
    """Whether a model's lower bound is above every baseline of a benchmark's JSON; False where none was stored."""
    found = record.get("paired", {}).get(model, {})
    lows = [found.get(row["model"], {}).get("low") for row in record["rows"] if row.get("kind") == "baseline"]
    return bool(lows) and all(low is not None and low > 0 for low in lows)
