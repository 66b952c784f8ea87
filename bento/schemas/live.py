"""What is happening now: `/v1/live`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class LiveResponse(BaseModel):
    """Numbers of the live page, over 5 minutes, an hour and a day; more keys may come."""

    model_config = ConfigDict(extra="allow")


class CellsResponse(BaseModel):
    """Cell → its corners in 1e-5 degrees: latitude and longitude of the first, then steps to each next one."""

    shapes: dict[str, list[int]]


class PlacesResponse(BaseModel):
    """Latitude, longitude, … in 1e-4 degrees; at most 4,000 places."""

    places: list[int]
