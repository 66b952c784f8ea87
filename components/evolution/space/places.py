"""Clusters of places: areas that people use as one, from points on the sphere.

DBSCAN for areas of a stated density, HDBSCAN where density differs from place to place. Never here: cells, which are
a grid and know nothing of density.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import DBSCAN, HDBSCAN

from components.evolution.space.sphere import centres
from components.features.place import EARTH_KM

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Clusters:
    """K clusters of P points.

    Attributes
    ----------
    label : (P,) number of the cluster, most weight first; -1 = of none
    weight : (K,) of its points
    latitude, longitude : (K,) degrees of its centre, by weight
    """

    label: NDArray[np.int64]
    weight: Floats
    latitude: Floats
    longitude: Floats


def dense_areas(latitude: Floats, longitude: Floats, weight: Floats, radius_km: float, least: int) -> Clusters:
    """DBSCAN with great-circle distances.

    Parameters
    ----------
    latitude, longitude : (P,) degrees, distinct points (venues), none missing
    weight : (P,) events at each
    radius_km : ε
    least : weight that must lie within ε of a core point, its own included

    References
    ----------
    Ester, Kriegel, Sander, Xu (1996), A density-based algorithm for discovering clusters.
    """
    model = DBSCAN(eps=radius_km / EARTH_KM, min_samples=least, metric="haversine", algorithm="ball_tree")
    model.fit(_radians(latitude, longitude), sample_weight=weight)
    return described(model.labels_, latitude, longitude, weight)


def areas_of_any_density(latitude: Floats, longitude: Floats, weight: Floats, least_points: int) -> Clusters:
    """HDBSCAN with great-circle distances; `weight` only describes the clusters.

    Parameters
    ----------
    latitude, longitude, weight : (P,) as `dense_areas`
    least_points : smallest cluster, points

    References
    ----------
    Campello, Moulavi, Sander (2013), Density-based clustering based on hierarchical density estimates.
    """
    model = HDBSCAN(min_cluster_size=least_points, metric="haversine", algorithm="ball_tree", copy=True)
    return described(model.fit(_radians(latitude, longitude)).labels_, latitude, longitude, weight)


def described(found: NDArray[np.integer], latitude: Floats, longitude: Floats, weight: Floats) -> Clusters:
    """Clusters by the number of each point's, -1 = of none; `latitude`, `longitude`, `weight` as `dense_areas`."""
    row = np.flatnonzero(found >= 0)
    n = int(found.max(initial=-1)) + 1
    total = np.bincount(found[row], weights=weight[row], minlength=n).astype(np.float64)
    lat, lon = centres(latitude[row], longitude[row], weight[row], found[row], n)
    order = np.argsort(-total, kind="stable")
    number = np.append(np.argsort(order), -1)  # the last one is what -1 points to
    return Clusters(number[found].astype(np.int64), total[order], lat[order], lon[order])


def _radians(latitude: Floats, longitude: Floats) -> Floats:
    return np.radians(np.stack([latitude, longitude], axis=1))
