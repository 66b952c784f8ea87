"""Customer-base models by name: fitted at a moment, judged on the horizon after it, and asked what to expect of a user.

Never here: the models themselves (`bg_nbd`, `pareto_nbd`, `gamma_gamma`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import ConfigError, DataError
from components.evolution.lifecycle.bg_nbd import fit_bg_nbd
from components.evolution.lifecycle.gamma_gamma import GammaGamma, dependence, fit_gamma_gamma
from components.evolution.lifecycle.likelihood import Fitted
from components.evolution.lifecycle.measures import COUNTS, Verdict, auc, compare
from components.evolution.lifecycle.occasions import Occasions
from components.evolution.lifecycle.pareto_nbd import fit_pareto_nbd
from components.evolution.lifecycle.purchases import Purchases, purchases_of

Floats = NDArray[np.float64]


class CountModel(Protocol):
    """What every model of occasions answers; horizons in the unit of time of the purchases."""

    def p_alive(self, purchases: Purchases) -> Floats: ...
    def p_active(self, purchases: Purchases, horizon: float) -> Floats: ...
    def expected(self, purchases: Purchases, horizon: float) -> Floats: ...


FITS: Mapping[str, Callable[[Purchases], Fitted[Any]]] = {"bg_nbd": fit_bg_nbd, "pareto_nbd": fit_pareto_nbd}


@dataclass(frozen=True)
class CustomerBase:
    """Models fitted at one moment, and the statistics they were fitted to.

    Attributes
    ----------
    purchases : of the users of `occasions.before(moment)`
    counts : name → fitted model of occasions
    value : fitted model of what an occasion is worth; None where too few have a value
    dependence : correlation of log frequency and log value, which the value model takes for 0; NaN without values
    """

    purchases: Purchases
    counts: Mapping[str, Fitted[Any]]
    value: Fitted[GammaGamma] | None
    dependence: float

    def parameters(self, confidence: float) -> pl.DataFrame:
        """Table of model, parameter, value, standard_error, low, high, log_likelihood, aic, users."""
        fitted = dict(self.counts) | ({"gamma_gamma": self.value} if self.value else {})
        rows = []
        for name, one in fitted.items():
            low, high = one.interval(confidence)
            for k, parameter in enumerate(one.names):
                rows.append(
                    {
                        "model": name,
                        "parameter": parameter,
                        "value": float(one.values[k]),
                        "standard_error": float(one.standard_error[k]),
                        "low": float(low[k]),
                        "high": float(high[k]),
                        "log_likelihood": one.log_likelihood,
                        "aic": one.aic,
                        "users": one.n,
                    }
                )
        return pl.DataFrame(rows)

    def worth(self) -> Floats | None:
        """(U,) expected value of an occasion, those that have none included; None without a value model."""
        if self.value is None:
            return None
        return self.value.model.expected_value(self.purchases) * self.purchases.valued_share

    def users(self, name: str, horizon: float) -> pl.DataFrame:
        """p_alive, p_active, expected_occasions within a horizon, value_per_occasion and expected_value, of each user.

        The last two are null without values.

        Raises
        ------
        ConfigError
            No model of that name was fitted.
        """
        if name not in self.counts:
            raise ConfigError(f"a model among {', '.join(self.counts)}", found=f"`{name}`", do="Mend the name.")
        model: CountModel = self.counts[name].model
        count = model.expected(self.purchases, horizon)
        worth = self.worth()
        return pl.DataFrame(
            {
                "p_alive": model.p_alive(self.purchases),
                "p_active": model.p_active(self.purchases, horizon),
                "expected_occasions": count,
                "value_per_occasion": worth,
                "expected_value": None if worth is None else worth * count,
            },
            schema_overrides={"value_per_occasion": pl.Float64, "expected_value": pl.Float64},
        )


def fit_customer_base(occasions: Occasions, moment: int, units: float = 1.0) -> CustomerBase:
    """Fit every model to what is known at a moment.

    Parameters
    ----------
    occasions : Occasions
    moment : the first unit that is not known
    units : occasion units in one unit of time of the models, e.g. 7 for weeks

    Returns
    -------
    CustomerBase

    Raises
    ------
    TrainingError
        A likelihood has no finite value.
    """
    purchases = purchases_of(occasions, moment, units)
    try:
        value = fit_gamma_gamma(purchases)
    except DataError:
        value = None
    return CustomerBase(purchases, {name: fit(purchases) for name, fit in FITS.items()}, value, dependence(purchases))


def judge_customer_base(
    occasions: Occasions, moment: int, horizon: int, draws: int, confidence: float, seed: int
) -> dict[str, list[Verdict]]:
    """Fit at a moment, count what happens in the horizon after it, and compare with what simple rules expect.

    Parameters
    ----------
    occasions : Occasions
    moment, horizon : units; moment + horizon ≤ occasions.end
    draws, confidence, seed : of the bootstrap over users

    Returns
    -------
    dict
        occasions: total_error, mae and rmse of how many there are. own_rate: as often as since the first occasion;
        as_last_time: as often as in the horizon before; always_none: nobody comes. Differences are to own_rate.
        comes_again: auc of who comes at all; differences are to recency.
        value: total_error, mae and rmse of what is spent, where occasions have values; differences are to own_rate.

    Raises
    ------
    DataError
        The horizon is not over.
    """
    if moment + horizon > occasions.end:
        raise DataError(
            f"a log until unit {moment + horizon}",
            found=f"its end at unit {occasions.end}",
            do="Take an earlier moment.",
        )
    base = fit_customer_base(occasions, moment)
    known = base.purchases
    count = occasions.count_before(np.array([moment - horizon, moment, moment + horizon])).astype(np.float64)
    there = count[:, 1] > 0
    past, now, then = count[there].T
    came = then - now
    said = {
        "own_rate": known.x / np.maximum(known.T, 1) * horizon,
        "as_last_time": now - np.maximum(past, 1),  # the first occasion is not a repeat
        "always_none": np.zeros(len(known)),
        **{name: fitted.model.expected(known, horizon) for name, fitted in base.counts.items()},
    }
    order = {"recency": known.t_x - known.T, "frequency": known.x} | {
        name: values for name, values in said.items() if name in base.counts
    }
    draw = (draws, confidence, seed)
    found = {
        "occasions": compare(came, said, "own_rate", COUNTS, *draw),
        "comes_again": compare((came > 0).astype(np.float64), order, "recency", {"auc": auc}, *draw),
    }
    expected_worth = base.worth()
    if expected_worth is not None:
        inside = (occasions.unit >= moment) & (occasions.unit < moment + horizon) & np.isfinite(occasions.value)
        paid = np.bincount(occasions.user[inside], occasions.value[inside], occasions.n_users)
        spent = paid[there].astype(np.float64)
        own = np.where(known.valued > 0, known.mean_value, np.nanmean(known.mean_value))
        own = own * known.valued_share
        worth = dict.fromkeys(base.counts, expected_worth)
        spending = {name: count * worth.get(name, own) for name, count in said.items()}
        found["value"] = compare(spent, spending, "own_rate", COUNTS, *draw)
    return found
