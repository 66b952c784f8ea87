"""Questions: `/v1/predict`, `/v1/recommend` and `/v1/explain`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from bento.schemas.base import Behaviour, Id, Latitude, Longitude, Strict, UtcOffset


class PastEvent(Behaviour):
    """One event of an inline history."""

    item_id: Id


class Filters(Strict):
    """What may be recommended."""

    seen: Annotated[
        bool | None,
        Field(description="Whether items of the history may be recommended; as the model was judged when left out."),
    ] = None
    categories: Annotated[list[Id], Field(max_length=100)] | None = None
    radius_km: Annotated[float, Field(gt=0, le=20_040)] | None = None
    max_price: Annotated[float, Field(ge=0)] | None = None


class Asking(Strict):
    """Who is asked about, from when and where, and what may be recommended."""

    user_id: Id | None = None
    history: list[PastEvent] | None = None
    time: Annotated[AwareDatetime | None, Field(description="Request time; now when left out.")] = None
    utc_offset_min: UtcOffset | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    filters: Filters = Filters()
    shown: Annotated[
        bool, Field(description="Whether the list is for the user's eyes; if not, no experiment counts it.")
    ] = True

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.user_id is None and self.history is None:
            raise ValueError("give a user_id, a history, or both")
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("give latitude and longitude, or neither")
        if self.filters.radius_km is not None and self.latitude is None:
            raise ValueError("radius_km needs the latitude and longitude of the request")
        return self


class PredictRequest(Asking):
    """A user id, or an inline history, or both (the inline history then stands in for the stored one)."""

    k: Annotated[int, Field(ge=1)] = 10


class RecommendRequest(Asking):
    """The same question, for a list to show; what is left out here is as the policy has it."""

    k: Annotated[int, Field(ge=1)] = 10
    order: Annotated[
        Literal["plain", "diverse", "calibrated"] | None,
        Field(description="plain: by probability; diverse: unlike each other; calibrated: like the user's own tastes."),
    ] = None
    weight: Annotated[float, Field(ge=0, le=1, description="Of the model's own order, where another is asked for.")] = (
        0.5
    )
    max_per_category: Annotated[int, Field(ge=1)] | None = None


class ExplainRequest(Asking):
    """The same question, and which items are to be explained: those named, else the first k of the answer."""

    items: Annotated[list[Id], Field(min_length=1)] | None = None
    k: Annotated[int, Field(ge=1)] = 3
    gradients: Annotated[bool, Field(description="Whether networks are asked for integrated gradients: slower.")] = (
        False
    )
