"""Who will be active within a horizon: simple signs, customer-base models and regressions, each asked at a moment.

A scorer sees occasions before the moment alone. What it says is higher the likelier activity is; only `churn` makes it
a probability that may be believed.

Never here: whether it came true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from components.errors import ConfigError, DataError
from components.evolution.lifecycle.bg_nbd import fit_bg_nbd
from components.evolution.lifecycle.occasions import Occasions
from components.evolution.lifecycle.pareto_nbd import fit_pareto_nbd
from components.evolution.lifecycle.purchases import Purchases, purchases_of
from components.evolution.lifecycle.survival import fit_cox, until_next

Floats = NDArray[np.float64]
#: (occasions, moment, horizon in units) → (U,) of the users of `occasions.before(moment)`
Scorer = Callable[[Occasions, int, int], Floats]
_FLOOR = 1e-9


def recency(occasions: Occasions, moment: int, horizon: int) -> Floats:  # noqa: ARG001
    """The shorter the silence, the likelier."""
    known = purchases_of(occasions, moment)
    return -np.log1p(known.T - known.t_x)


def frequency(occasions: Occasions, moment: int, horizon: int) -> Floats:  # noqa: ARG001
    """The more occasions, the likelier."""
    return np.log1p(purchases_of(occasions, moment).x)


def bg_nbd(occasions: Occasions, moment: int, horizon: int) -> Floats:
    """Log odds of any occasion under BG/NBD."""
    known = purchases_of(occasions, moment)
    return _log_odds(fit_bg_nbd(known).model.p_active(known, horizon))


def pareto_nbd(occasions: Occasions, moment: int, horizon: int) -> Floats:
    """Log odds of any occasion under Pareto/NBD."""
    known = purchases_of(occasions, moment)
    return _log_odds(fit_pareto_nbd(known).model.p_active(known, horizon))


def cox(occasions: Occasions, moment: int, horizon: int) -> Floats:
    """Log odds by a Cox regression of the time to the next occasion, watched from one horizon ago until the moment."""
    past, known = _past(occasions, moment, horizon), purchases_of(occasions, moment)
    fitted = fit_cox(until_next(occasions, past, moment), traits(purchases_of(occasions, past)), 0.95)
    return _log_odds(fitted.p_happened(traits(known), horizon))


def logistic(occasions: Occasions, moment: int, horizon: int) -> Floats:
    """Log odds by a logistic regression on who was active in the horizon that ends at the moment."""
    past = _past(occasions, moment, horizon)
    before, now = (_matrix(purchases_of(occasions, at)) for at in (past, moment))
    came = active(occasions, past, horizon)
    if came.all() or not came.any():
        return np.zeros(len(now))
    centre, spread = before.mean(axis=0), np.maximum(before.std(axis=0), _FLOOR)
    fitted = LogisticRegression(max_iter=500).fit((before - centre) / spread, came)
    return np.asarray(fitted.decision_function((now - centre) / spread))


#: The first two are what anyone would try; a model must be better than they are.
SCORERS: Mapping[str, Scorer] = {
    "recency": recency,
    "frequency": frequency,
    "bg_nbd": bg_nbd,
    "pareto_nbd": pareto_nbd,
    "cox": cox,
    "logistic": logistic,
}
#: Scorers that learn from who was active before, and so need a horizon more of the log.
LEARNERS = frozenset({"cox", "logistic"})
#: Scorers that say log odds, so that what they say may be read as a probability as it is.
PROBABLE = frozenset({"bg_nbd", "pareto_nbd", "cox", "logistic"})


def scorer(name: str) -> Scorer:
    """The scorer of a name.

    Raises
    ------
    ConfigError
        There is none.
    """
    if name not in SCORERS:
        raise ConfigError(f"a scorer among {', '.join(SCORERS)}", found=f"`{name}`", do="Mend the name.")
    return SCORERS[name]


def active(occasions: Occasions, moment: int, horizon: int) -> NDArray[np.bool_]:
    """(U,) whether the users of `occasions.before(moment)` have any occasion in units moment … moment+horizon-1."""
    count = occasions.count_before(np.array([moment, moment + horizon]))
    return (count[:, 1] > count[:, 0])[count[:, 0] > 0]


def traits(known: Purchases) -> dict[str, Floats]:
    """What regressions know of each user: logarithms of frequency, silence and age, and of value where there is any."""
    found = {
        "log frequency": np.log1p(known.x),
        "log silence": np.log1p(known.T - known.t_x),
        "log age": np.log1p(known.T),
    }
    if (known.valued > 0).any():
        value = np.log(np.where(known.valued > 0, known.mean_value, 1.0))
        found["log value"] = np.where(known.valued > 0, value, value[known.valued > 0].mean())
    return found


def _matrix(known: Purchases) -> Floats:
    columns = traits(known)
    columns.pop("log value", None)  # a column that one moment has and another lacks
    return np.column_stack([*columns.values(), columns["log frequency"] * columns["log silence"]])


def _past(occasions: Occasions, moment: int, horizon: int) -> int:
    past = moment - horizon
    if past <= occasions.unit.min():
        raise DataError(
            f"occasions more than {horizon} units before unit {moment}",
            found=f"the first in unit {int(occasions.unit.min())}",
            do="Take a shorter horizon, a longer log, or scorers that learn without a label.",
        )
    return past


def _log_odds(probability: Floats) -> Floats:
    return np.asarray(logit(np.clip(probability, _FLOOR, 1 - _FLOOR)))
