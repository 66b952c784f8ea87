"""The automatic switch: a challenger that is surely worse by more than the guard is turned off by one entry of the log.

It acts on the interval that is valid at every look, so looking often costs nothing. A kill between decision and entry
loses nothing: the next look decides the same. Never here: promoting a challenger that is better; the gate does that.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from components.errors import ExperimentError
from components.experiments.log import Active, Entry, end
from components.experiments.results import Results

logger = logging.getLogger(__name__)


def worse(found: Results) -> str | None:
    """Why the challenger must go, in a sentence; None: it may stay.

    Figures that are not to be trusted (the arms do not hold their shares) turn nothing off.
    """
    value, low, high = found.primary.path.last
    guard = found.plan.settings.guard
    if found.ratio.broken or not high < -guard:
        return None
    what = found.plan.settings.metric.replace("_", " ")
    return (
        f"The challenger is worse by more than {guard:g} in {what}: {value:+.4f} ({low:+.4f} to {high:+.4f}) after "
        f"{sum(found.ripe.values()):,} users."
    )


def switch_off(root: Path, under_way: Active, found: Results) -> Entry | None:
    """Turn the challenger off if it is surely worse.

    Parameters
    ----------
    root : the workspace
    under_way : the experiment, as the log has it
    found : its results

    Returns
    -------
    Entry or None
        The entry, where this call wrote it; None where nothing is to be done, or another worker did it first.
    """
    reason = worse(found)
    if reason is None:
        return None
    try:
        entry = end(root, under_way, "off", reason, _evidence(found))
    except ExperimentError as error:
        logger.info("experiment %s ended meanwhile: %s", under_way.plan.name, error)
        return None
    logger.warning("experiment %s: %s", under_way.plan.name, reason)
    return entry


def _evidence(found: Results) -> dict[str, Any]:
    value, low, high = found.primary.path.last
    return {
        "metric": found.plan.settings.metric,
        "difference": {"value": value, "low": low, "high": high},
        "ripe": dict(found.ripe),
        "users": dict(found.users),
        "level": found.plan.settings.level,
    }
