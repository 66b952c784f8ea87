"""What every section of `params.yaml` is made of: strict, frozen records and the kinds of value that many share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

Fraction = Field(ge=0.0, le=1.0)
#: A length of time or of log: "7d", "36h" or "10%" (of the events, newest last).
Span = Field(pattern=r"^\d+(\.\d+)?(d|h|%)$")


class Section(BaseModel):
    """Base of every section: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
