"""What customer-base models know of a user: how often, how recently, for how long, and for how much.

Never here: a model of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.errors import DataError
from components.evolution.lifecycle.occasions import Occasions

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Purchases:
    """Sufficient statistics of U users, times in one unit of the caller's choice.

    Attributes
    ----------
    x : (U,) repeat occasions, ≥ 0
    t_x : (U,) from the first occasion to the last, 0 where x = 0
    T : (U,) from the first occasion to the last unit that is known, ≥ t_x
    valued : (U,) repeat occasions with a positive value
    mean_value : (U,) mean value of those; NaN where there is none

    References
    ----------
    Fader, Hardie, Lee (2005), "Counting your customers" the easy way, Marketing Science 24(2).
    """

    x: Floats
    t_x: Floats
    T: Floats
    valued: Floats
    mean_value: Floats

    def __len__(self) -> int:
        return len(self.x)

    def __post_init__(self) -> None:
        wrong = (self.x < 0) | (self.t_x < 0) | (self.t_x > self.T) | ((self.x == 0) & (self.t_x != 0))
        if wrong.any():
            u = int(np.flatnonzero(wrong)[0])
            raise DataError(
                "0 ≤ t_x ≤ T, and t_x = 0 where x = 0",
                found=f"x {self.x[u]}, t_x {self.t_x[u]}, T {self.T[u]} of user {u}",
                do="Count occasions before the moment alone.",
            )

    @property
    def valued_share(self) -> Floats:
        """(U,) share of a user's occasions that have a value, everyone's share counted as one occasion more."""
        everyone = self.valued.sum() / max(float(self.x.sum()), 1.0)
        return np.asarray((self.valued + everyone) / (self.x + 1))


def purchases_of(occasions: Occasions, moment: int, units: float = 1.0) -> Purchases:
    """Statistics of the users who have an occasion before a moment, in the order of `occasions.before(moment).users`.

    Parameters
    ----------
    occasions : Occasions
    moment : the first unit that is not known
    units : occasion units that are one unit of time of the statistics, e.g. 7 for weeks where occasions are days

    Returns
    -------
    Purchases
    """
    known = occasions.before(moment)
    first, last = known.unit[known.offsets[:-1]], known.unit[known.offsets[1:] - 1]
    repeat = np.ones(len(known.unit), bool)
    repeat[known.offsets[:-1]] = False
    good = repeat & (known.value > 0)  # NaN is not
    valued = np.bincount(known.user[good], minlength=known.n_users).astype(np.float64)
    spent = np.bincount(known.user[good], weights=known.value[good], minlength=known.n_users)
    return Purchases(
        x=(np.diff(known.offsets) - 1).astype(np.float64),
        t_x=(last - first) / units,
        T=(moment - 1 - first) / units,
        valued=valued,
        mean_value=np.where(valued > 0, spent / np.maximum(valued, 1), np.nan),
    )
