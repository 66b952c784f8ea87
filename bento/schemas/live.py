"""What is happening now: `/v1/live`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class LiveResponse(BaseModel):
    """Numbers of the live page, over 5 minutes, an hour and a day; more keys may come."""

    model_config = ConfigDict(extra="allow")
