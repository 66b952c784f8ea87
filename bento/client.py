"""A typed client of the service: one method for each route, and the same calls for `asyncio`.

    with Client("http://127.0.0.1:3000", key=os.environ["SHOP_KEY"]) as client:
        client.events([{"user_id": "u1", "item_id": "i7", "action": "view", "timestamp": "2025-03-01T12:00:00Z"}])
        print(client.recommend("u1", k=5).items)

A call that comes to nothing is tried again, later each time, where that changes nothing twice: every call of this service
is one of those, since a record that comes again is a duplicate; forgetting a user is tried again only where the service
said that it was too busy to begin. Never here: anything of the models; it needs httpx and the schemas alone.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from bento.schemas.answers import ModelState, PredictResponse, RecommendResponse
from bento.schemas.live import LiveResponse
from bento.schemas.reasons import ExplainResponse
from bento.schemas.records import TakenResponse
from bento.schemas.users import ForgottenResponse, JourneyResponse, TimelineResponse
from components.errors import ServiceError

Answer = TypeVar("Answer", bound=BaseModel)
Record = Mapping[str, Any]
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
            "a request that the service takes", found=f"{status}: {answer.get('error', 'no reason')}{where}", do="Mend it."
        )


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """A request and the shape of its answer; `again` = it may be tried again whatever became of it."""

    method: str
    path: str
    gives: type[Answer]
    body: Mapping[str, Any] | None = None
    again: bool = True


def _json(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _json(one) for key, one in value.items()}
    return [_json(one) for one in value] if isinstance(value, list | tuple) else value


def _asking(user_id: str | None, rest: Mapping[str, Any]) -> dict[str, Any]:
    body = _json({"user_id": user_id} | dict(rest))
    return {key: value for key, value in body.items() if value is not None}


def predict(user_id: str | None = None, **asked: Any) -> Call[PredictResponse]:
    """What a user does next; `asked` is the rest of the request's body: history, time, k, filters …"""
    return Call("POST", "/v1/predict", PredictResponse, _asking(user_id, asked))


def recommend(user_id: str | None = None, **asked: Any) -> Call[RecommendResponse]:
    """A list to show; beside what `predict` takes: order, weight, max_per_category."""
    return Call("POST", "/v1/recommend", RecommendResponse, _asking(user_id, asked))


def explain(user_id: str | None = None, **asked: Any) -> Call[ExplainResponse]:
    """Why; beside what `predict` takes: items, gradients."""
    return Call("POST", "/v1/explain", ExplainResponse, _asking(user_id, asked))


def send(kind: str, records: Sequence[Record]) -> Call[TakenResponse]:
    """Records of a kind: events, impressions, feedback or positions."""
    return Call("POST", f"/v1/{kind}", TakenResponse, {kind: _json(list(records))})


def timeline(user_id: str, n: int = 50) -> Call[TimelineResponse]:
    """A user's newest events, newest first."""
    return Call("GET", f"/v1/users/{quote(user_id, safe='')}/timeline?n={n}", TimelineResponse)


def journey(user_id: str) -> Call[JourneyResponse]:
    """A user's interests, life-cycle state and next visit."""
    return Call("GET", f"/v1/users/{quote(user_id, safe='')}/journey", JourneyResponse)


def forget(user_id: str) -> Call[ForgottenResponse]:
    """Forget a user."""
    return Call("DELETE", f"/v1/users/{quote(user_id, safe='')}", ForgottenResponse, again=False)


def model() -> Call[ModelState]:
    """The model that serves."""
    return Call("GET", "/v1/model", ModelState)


def live() -> Call[LiveResponse]:
    """What is happening now."""
    return Call("GET", "/v1/live", LiveResponse)


class _Tries:
    """How often a call is tried, and how long is waited between."""

    def __init__(self, url: str, key: str | None, timeout_s: float, retries: int) -> None:
        self.retries = retries
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
        if tried >= self.retries:
            return None
        pause = min(_PAUSE_S * 2**tried, _LONGEST_S) * (0.5 + random.random())  # noqa: S311 - no secret
        if isinstance(came, httpx.TransportError):
            unsent = isinstance(came, httpx.ConnectError | httpx.ConnectTimeout)
            return pause if call.again or unsent else None
        if came.status_code in _BUSY:
            said = came.headers.get("retry-after", "")
            return max(pause, min(float(said), _LONGEST_S)) if said.isdigit() else pause
        return pause if call.again and came.status_code in _GONE else None


def _lost(error: httpx.TransportError) -> ServiceError:
    return ServiceError("the service to answer", found=type(error).__name__, do="Start `chronotope serve`, or wait.")


class Client:
    """The service, for a program that waits for its answers.

    Parameters
    ----------
    url : of the service
    key : of `chronotope keys new`; None = it has none
    timeout_s : of a try
    retries : tries after the first

    Raises
    ------
    Refused
        By each method: the service does not take the request.
    ServiceError
        It does not answer.
    """

    def __init__(self, url: str, key: str | None = None, timeout_s: float = 10.0, retries: int = 3) -> None:
        self._tries = _Tries(url, key, timeout_s, retries)
        self._http = httpx.Client(**self._tries.settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def ask(self, call: Call[Answer]) -> Answer:
        """Make a call."""
        tried = 0
        while True:
            came: httpx.Response | httpx.TransportError
            try:
                came = self._http.request(call.method, call.path, json=call.body)
            except httpx.TransportError as error:
                came = error
            pause = self._tries.pause_s(call, tried, came)
            if pause is None:
                break
            time.sleep(pause)
            tried += 1
        if isinstance(came, httpx.TransportError):
            raise _lost(came) from came
        return self._tries.read(call, came)

    def predict(self, user_id: str | None = None, **asked: Any) -> PredictResponse:
        """What a user does next."""
        return self.ask(predict(user_id, **asked))

    def recommend(self, user_id: str | None = None, **asked: Any) -> RecommendResponse:
        """A list to show."""
        return self.ask(recommend(user_id, **asked))

    def explain(self, user_id: str | None = None, **asked: Any) -> ExplainResponse:
        """Why."""
        return self.ask(explain(user_id, **asked))

    def events(self, events: Sequence[Record]) -> TakenResponse:
        """What users did."""
        return self.ask(send("events", events))

    def impressions(self, impressions: Sequence[Record]) -> TakenResponse:
        """What was shown."""
        return self.ask(send("impressions", impressions))

    def feedback(self, feedback: Sequence[Record]) -> TakenResponse:
        """What users said."""
        return self.ask(send("feedback", feedback))

    def positions(self, positions: Sequence[Record]) -> TakenResponse:
        """Points of raw traces."""
        return self.ask(send("positions", positions))

    def timeline(self, user_id: str, n: int = 50) -> TimelineResponse:
        """A user's newest events, newest first."""
        return self.ask(timeline(user_id, n))

    def journey(self, user_id: str) -> JourneyResponse:
        """Where a user is on their way."""
        return self.ask(journey(user_id))

    def forget(self, user_id: str) -> ForgottenResponse:
        """Forget a user."""
        return self.ask(forget(user_id))

    def model(self) -> ModelState:
        """The model that serves."""
        return self.ask(model())

    def live(self) -> LiveResponse:
        """What is happening now."""
        return self.ask(live())


class AsyncClient:
    """The service, for a program on an event loop: `await client.ask(predict("u1", k=5))`."""

    def __init__(self, url: str, key: str | None = None, timeout_s: float = 10.0, retries: int = 3) -> None:
        self._tries = _Tries(url, key, timeout_s, retries)
        self._http = httpx.AsyncClient(**self._tries.settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def ask(self, call: Call[Answer]) -> Answer:
        """Make a call."""
        tried = 0
        while True:
            came: httpx.Response | httpx.TransportError
            try:
                came = await self._http.request(call.method, call.path, json=call.body)
            except httpx.TransportError as error:
                came = error
            pause = self._tries.pause_s(call, tried, came)
            if pause is None:
                break
            await asyncio.sleep(pause)
            tried += 1
        if isinstance(came, httpx.TransportError):
            raise _lost(came) from came
        return self._tries.read(call, came)
