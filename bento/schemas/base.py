"""The kinds of value that many requests share. Strict as JSON has it: "10" is no number, 1 is no truth value; a time is
a text, since JSON has no other for it; unknown keys, NaN and infinity are refused."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Id = Annotated[str, Field(min_length=1, max_length=256)]
Latitude = Annotated[float, Field(ge=-90, le=90, description="Degrees, WGS84.")]
Longitude = Annotated[float, Field(ge=-180, le=180, description="Degrees, WGS84.")]
UtcOffset = Annotated[int, Field(ge=-1080, le=1080, description="Minutes that the local clock is ahead of UTC.")]
#: What a float of 32 bits holds, since that is what models read.
Amount = Annotated[float, Field(ge=-1e30, le=1e30)]
Duration = Annotated[float, Field(ge=0, le=1e30, description="Seconds.")]
Label = Annotated[str, Field(max_length=256)]


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


class Behaviour(Strict):
    """What is known of any event, whoever tells it."""

    action: Id
    timestamp: AwareDatetime
    utc_offset_min: UtcOffset | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    duration_s: Duration | None = None
    value: Amount | None = None
    device: Label | None = None
    session_id: Label | None = None


class ErrorResponse(BaseModel):
    """One clear message: what was needed, what was found where."""

    error: str
    where: str | None = None
