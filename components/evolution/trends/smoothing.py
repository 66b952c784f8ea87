"""Exponential smoothing and its kin: level, trend and one season, each with more weight on what is recent.

References: Hyndman et al. (2002), A state space framework for automatic forecasting; Gardner, McKenzie (1985) (damped
trend); Assimakopoulos, Nikolopoulos (2000), The theta model; Fiorucci et al. (2016) (optimised theta); Svetunkov et
al. (2022), Complex exponential smoothing. Fitted by statsforecast.
"""

from __future__ import annotations

from components.evolution.trends.each import each
from components.evolution.trends.panel import Floats, Panel

#: A season longer than this is no season of these models (their states grow with it).
_LONGEST = 24


def _season(panel: Panel) -> int:
    return panel.seasons[0] if panel.seasons[0] <= _LONGEST else 1


def ets(panel: Panel, horizon: int) -> Floats:
    """(N, H) of the exponential smoothing that AICc chooses, with the shortest season up to 24."""
    from statsforecast.models import AutoETS

    return each(panel, horizon, lambda: AutoETS(season_length=_season(panel)))


def damped(panel: Panel, horizon: int) -> Floats:
    """(N, H) of additive smoothing with a damped trend and no season."""
    from statsforecast.models import AutoETS

    return each(panel, horizon, lambda: AutoETS(season_length=1, model="AAN", damped=True))


def theta(panel: Panel, horizon: int) -> Floats:
    """(N, H) of the standard theta method, deseasonalised by the shortest season up to 24."""
    from statsforecast.models import Theta

    return each(panel, horizon, lambda: Theta(season_length=_season(panel)))


def dynamic_theta(panel: Panel, horizon: int) -> Floats:
    """(N, H) of the dynamic optimised theta method."""
    from statsforecast.models import DynamicOptimizedTheta

    return each(panel, horizon, lambda: DynamicOptimizedTheta(season_length=_season(panel)))


def ces(panel: Panel, horizon: int) -> Floats:
    """(N, H) of complex exponential smoothing, with the shortest season up to 24."""
    from statsforecast.models import AutoCES

    return each(panel, horizon, lambda: AutoCES(season_length=_season(panel)))
