"""When a call is tried again and when not, and what its answer says. Nothing is sent here, and nobody waits."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from typing import Any

import httpx

from bento.client.calls import Answer, Call
from components.errors import ServiceError

_BUSY = frozenset({429, 503})  # refused before anything was done: any call may be tried again
_GONE = frozenset({502, 504})
_PAUSE_S, _LONGEST_S = 0.1, 10.0


class Refused(ServiceError):
    """The service refused a call: its status and what it said.

    Attributes
    ----------
    status : of HTTP
    answer : the JSON that came, for what it says beyond the message
    """

    def __init__(self, status: int, answer: Mapping[str, Any]) -> None:
        self.status, self.answer = status, answer
        where = f" at {answer['where']}" if answer.get("where") else ""
        super().__init__(
            "a request that the service takes",
            found=f"{status}: {answer.get('error', 'no reason')}{where}",
            do="Mend it.",
        )


class Tries:
    """How often a call is tried, and how long is waited between.

    Attributes
    ----------
    settings : of the httpx client that sends
    """

    def __init__(self, url: str, key: str | None, timeout_s: float, retries: int) -> None:
        self._retries = retries
        self.settings: dict[str, Any] = {
            "base_url": url,
            "timeout": timeout_s,
            "headers": {} if key is None else {"authorization": f"Bearer {key}"},
            "trust_env": False,
        }

    def read(self, call: Call[Answer], answer: httpx.Response) -> Answer:
        """The answer in its shape, or the refusal."""
        if answer.status_code != 200:
            try:
                said = answer.json()
            except ValueError:
                said = {}
            raise Refused(answer.status_code, said if isinstance(said, dict) else {})
        return call.gives.model_validate_json(answer.content)

    def pause_s(self, call: Call[Any], tried: int, came: httpx.Response | httpx.TransportError) -> float | None:
        """Seconds until the next try; None = there is none."""
        if tried >= self._retries:
            return None
        pause = min(_PAUSE_S * 2**tried, _LONGEST_S) * (0.5 + random.random())
        if isinstance(came, httpx.TransportError):
            unsent = isinstance(came, httpx.ConnectError | httpx.ConnectTimeout)
            return pause if call.again or unsent else None
        if came.status_code in _BUSY:
            said = came.headers.get("retry-after", "")
            return max(pause, min(float(said), _LONGEST_S)) if said.isdigit() else pause
        return pause if call.again and came.status_code in _GONE else None


def called() -> dict[str, str]:
    """The headers of a call, the same for all of its tries: by its id the service knows one that comes again."""
    return {"x-request-id": uuid.uuid4().hex}


def lost(error: httpx.TransportError) -> ServiceError:
    """What is said when the last try found nobody."""
    return ServiceError("the service to answer", found=type(error).__name__, do="Start `chronotope serve`, or wait.")
