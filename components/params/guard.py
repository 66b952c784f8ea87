"""What stands before the service's routes: how often, how long and how many may ask. Keys are never here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from components.params.section import Section


class RateParams(Section):
    """A bucket of tokens: a request takes one, so many come back each second, so many fit."""

    per_s: float = Field(gt=0)
    burst: int = Field(ge=1)


class GuardParams(Section):
    """Limits of one worker of the service."""

    key_rate: RateParams  # of requests with one key
    address_rate: RateParams  # of requests from one other machine, where there are no keys
    failure_rate: RateParams  # of wrong keys from one address
    addresses: int = Field(ge=1)  # that are remembered; beyond it the longest silent leaves
    max_waiting: int = Field(ge=1)  # requests that wait for their turn; more are told to come back
    max_connections: int = Field(ge=1)
    max_streams: int = Field(ge=1)  # pages that follow the stream of what is happening
    header_s: float = Field(gt=0)  # a request's head must be there by then
    body_s: float = Field(gt=0)  # and its body by then
    request_s: float = Field(gt=0)  # and its answer by then
    log: Literal["all", "refused"]  # requests that leave a line
