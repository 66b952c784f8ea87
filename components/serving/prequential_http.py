"""The same replay through the HTTP of a running service: ask, then send. The answer is a list, so what stands behind
its end is a miss; which items its model knows is not told. Never here: how the service answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np

from components.errors import DataError, ServiceError
from components.serving.prequential import Event, Found, Tally

_TIMEOUT_S = 30.0


def served(url: str, key: str | None, client: httpx.Client | None = None) -> tuple[str, str | None]:
    """Digest of the model that serves, and the day (ISO) before which the log ended that it was made from, if any.

    Raises
    ------
    ServiceError
        The service does not answer, or refuses.
    """
    with client or _client(url, key) as http:
        found = _json(http.request, "GET", "/v1/model")["champion"]
    return str(found["digest"]), found["lineage"].get("until")


def _client(url: str, key: str | None) -> httpx.Client:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S)


def replay_http(
    events: Iterator[Event],
    url: str,
    key: str | None,
    k: int,
    *,
    wait: Callable[[dt.datetime], None] = lambda _: None,
    told: Callable[[int], None] = lambda _: None,
    client: httpx.Client | None = None,
) -> Tally:
    """Ask a service about each event, then send it.

    Parameters
    ----------
    events : in the order of time
    url : of the service
    key : an API key, if the service wants one
    k : length of the lists
    wait, told : as of `prequential.replay`
    client : to be used instead of one of its own

    Raises
    ------
    ServiceError
        The service does not answer, or refuses a request.
    DataError
        The service refuses an event.
    """
    tally = Tally()
    with client or _client(url, key) as http:
        for sent, event in enumerate(events):
            wait(event["timestamp"])
            plain = {**event, "timestamp": event["timestamp"].isoformat()}
            if event.get("item_id") is not None:
                asked = {"user_id": event["user_id"], "time": plain["timestamp"], "k": k}
                tally.add(str(event["user_id"]), None, {"live": _found(_post(http, "/v1/predict", asked), event)})
            taken = _post(http, "/v1/events", {"events": [plain]})
            if taken["refused"]:
                rule = str(taken["refused"][0]["rule"])
                raise DataError("events that the service takes", found=f"event {sent + 1} breaks {rule}", do="Mend it.")
            told(sent + 1)
    return tally


def _found(answer: dict[str, Any], event: Event) -> Found:
    names = [item["item_id"] for item in answer["items"]]
    rank = 1.0 + names.index(event["item_id"]) if event["item_id"] in names else np.inf
    actions = answer.get("actions") or {}
    right = max(actions, key=actions.__getitem__) == event["action"] if len(actions) > 1 else np.nan
    return Found(rank, float(right))


def _post(http: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    return _json(http.request, "POST", path, json=body)


def _json(request: Callable[..., httpx.Response], method: str, path: str, **rest: Any) -> dict[str, Any]:
    try:
        response = request(method, path, **rest)
        response.raise_for_status()
    except httpx.HTTPStatusError as error:
        raise ServiceError(
            f"200 of {path}", found=f"{error.response.status_code}: {error.response.text[:200]}", do="See its log."
        ) from error
    except httpx.HTTPError as error:
        raise ServiceError(f"an answer of {path}", found=f"{type(error).__name__}", do="Start the service.") from error
    return dict(response.json())
