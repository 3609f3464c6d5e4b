"""Rough places of US states and territories: what impossible travel is measured between.

Latitude and longitude in degrees, near the middle of each state; a state is never further from its
own middle than the shortest distance that the rule looks at.
"""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

__all__ = ["distance_km", "is_abroad", "middle"]

_MIDDLE: dict[str, tuple[float, float]] = {
    "AL": (32.8, -86.8), "AK": (64.0, -152.0), "AZ": (34.3, -111.7), "AR": (34.8, -92.4),
    "CA": (37.2, -119.5), "CO": (39.0, -105.5), "CT": (41.6, -72.7), "DE": (39.0, -75.5),
    "DC": (38.9, -77.0), "FL": (28.6, -82.4), "GA": (32.6, -83.4), "HI": (20.3, -156.4),
    "ID": (44.4, -114.6), "IL": (40.0, -89.2), "IN": (39.9, -86.3), "IA": (42.1, -93.5),
    "KS": (38.5, -98.4), "KY": (37.5, -85.3), "LA": (31.1, -92.0), "ME": (45.4, -69.2),
    "MD": (39.0, -76.8), "MA": (42.3, -71.8), "MI": (44.3, -85.4), "MN": (46.3, -94.3),
    "MS": (32.7, -89.7), "MO": (38.4, -92.5), "MT": (47.1, -109.6), "NE": (41.5, -99.8),
    "NV": (39.3, -116.6), "NH": (43.7, -71.6), "NJ": (40.2, -74.7), "NM": (34.4, -106.1),
    "NY": (42.9, -75.5), "NC": (35.6, -79.4), "ND": (47.5, -100.5), "OH": (40.3, -82.8),
    "OK": (35.6, -97.5), "OR": (43.9, -120.6), "PA": (40.9, -77.8), "RI": (41.7, -71.6),
    "SC": (33.9, -80.9), "SD": (44.4, -100.2), "TN": (35.9, -86.4), "TX": (31.5, -99.3),
    "UT": (39.3, -111.7), "VT": (44.1, -72.7), "VA": (37.5, -78.9), "WA": (47.4, -120.4),
    "WV": (38.6, -80.6), "WI": (44.6, -89.9), "WY": (43.0, -107.6), "PR": (18.2, -66.4),
}  # fmt: skip

_EARTH_RADIUS_KM = 6371.0


def is_abroad(state: str | None) -> bool:
    """Whether the merchant is abroad: a country's name stands where a US state has two letters."""
    return state is not None and len(state) > 2


def middle(state: str) -> tuple[float, float] | None:
    """Latitude and longitude near the middle of a US state, ``None`` where not known."""
    return _MIDDLE.get(state)


def distance_km(one: str, other: str) -> float | None:
    """Great-circle distance between two states' middles (haversine), ``None`` where not known."""
    if one not in _MIDDLE or other not in _MIDDLE:
        return None
    (lat1, lon1), (lat2, lon2) = _MIDDLE[one], _MIDDLE[other]
    up, across = radians(lat2 - lat1), radians(lon2 - lon1)
    half = sin(up / 2) ** 2 + cos(radians(lat1)) * cos(radians(lat2)) * sin(across / 2) ** 2
    return 2 * _EARTH_RADIUS_KM * asin(sqrt(half))
