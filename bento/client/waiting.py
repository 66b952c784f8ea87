"""The client of a program that waits for its answers."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from typing import Any, Self

import httpx

from bento.client import calls
from bento.client.calls import Answer, Call, Record
from bento.client.tries import Tries, called, lost
from bento.schemas.answers import ModelState, PredictResponse, RecommendResponse
from bento.schemas.evolution import EvolutionResponse
from bento.schemas.live import LiveResponse
from bento.schemas.reasons import ExplainResponse
from bento.schemas.records import TakenResponse
from bento.schemas.users import ForgottenResponse, JourneyResponse, TimelineResponse


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
        self._tries = Tries(url, key, timeout_s, retries)
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
        tried, headers = 0, called()
        while True:
            came: httpx.Response | httpx.TransportError
            try:
                came = self._http.request(call.method, call.path, json=call.body, headers=headers)
            except httpx.TransportError as error:
                came = error
            pause = self._tries.pause_s(call, tried, came)
            if pause is None:
                break
            time.sleep(pause)
            tried += 1
        if isinstance(came, httpx.TransportError):
            raise lost(came) from came
        return self._tries.read(call, came)

    def predict(self, user_id: str | None = None, **asked: Any) -> PredictResponse:
        """What a user does next."""
        return self.ask(calls.predict(user_id, **asked))

    def recommend(self, user_id: str | None = None, **asked: Any) -> RecommendResponse:
        """A list to show."""
        return self.ask(calls.recommend(user_id, **asked))

    def explain(self, user_id: str | None = None, **asked: Any) -> ExplainResponse:
        """Why."""
        return self.ask(calls.explain(user_id, **asked))

    def events(self, events: Sequence[Record]) -> TakenResponse:
        """What users did."""
        return self.ask(calls.send("events", events))

    def impressions(self, impressions: Sequence[Record]) -> TakenResponse:
        """What was shown."""
        return self.ask(calls.send("impressions", impressions))

    def feedback(self, feedback: Sequence[Record]) -> TakenResponse:
        """What users said."""
        return self.ask(calls.send("feedback", feedback))

    def positions(self, positions: Sequence[Record]) -> TakenResponse:
        """Points of raw traces."""
        return self.ask(calls.send("positions", positions))

    def timeline(self, user_id: str, n: int = 50) -> TimelineResponse:
        """A user's newest events, newest first."""
        return self.ask(calls.timeline(user_id, n))

    def journey(self, user_id: str, time: dt.datetime | str | None = None) -> JourneyResponse:
        """Where a user is on their way."""
        return self.ask(calls.journey(user_id, time))

    def forget(self, user_id: str) -> ForgottenResponse:
        """Forget a user."""
        return self.ask(calls.forget(user_id))

    def model(self) -> ModelState:
        """The model that serves."""
        return self.ask(calls.model())

    def live(self) -> LiveResponse:
        """What is happening now."""
        return self.ask(calls.live())

    def evolution(self) -> EvolutionResponse:
        """How behaviour evolves, as the newest report tells it."""
        return self.ask(calls.evolution())
