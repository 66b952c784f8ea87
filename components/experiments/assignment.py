"""Which arm a user is in: a hash of salt and user, so that every worker agrees, nothing is stored, and it sticks.

Never here: what the arm answers.
"""

from __future__ import annotations

import hashlib

from components.experiments.plan import Arm, Plan

_RANGE = 2.0**53  # doubles are exact up to here


def place(salt: str, user_id: str) -> float:
    """Where a user stands in [0, 1): uniform over users, and independent of the place under any other salt.

    Parameters
    ----------
    salt : of the experiment
    user_id : any string

    Examples
    --------
    >>> place("a", "u1") == place("a", "u1"), place("a", "u1") == place("b", "u1")
    (True, False)
    """
    key = hashlib.blake2b(salt.encode(), digest_size=32).digest()  # any length of salt, and no salt runs into the user
    digest = hashlib.blake2b(user_id.encode("utf-8", "surrogatepass"), key=key, digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) / _RANGE


def arm_of(plan: Plan, user_id: str) -> Arm:
    """The user's arm: a larger share moves users to the challenger and none away from it."""
    return "challenger" if place(plan.salt, user_id) < plan.settings.share else "champion"
