"""`/v1/users/{id}`: a user's timeline and journey, and forgetting them."""

from __future__ import annotations

from bento.exchange import Call, Refusal, Reply, dumped
from bento.routes.parameters import Moment, Number
from bento.routes.route import Route
from bento.schemas.users import ForgottenResponse, JourneyResponse, TimelineResponse
from bento.worker import Worker
from components.events.rules import MAX_ID

_N = Number("n", "Newest events.", default=50, least=1, most=500)
_TIME = Moment("time", "As of when, with a zone; now when left out. What is dated after it has not happened yet.")


def _user(call: Call) -> str:
    user_id = call.parts[0]
    if not 1 <= len(user_id) <= MAX_ID:
        raise Refusal(422, f"needed a user id of 1 to {MAX_ID} characters", "user_id")
    return user_id


async def timeline(call: Call, worker: Worker) -> Reply:
    """The newest events, newest first."""
    user_id, n = _user(call), _N.read(call)
    events = await worker.beside(worker.live.timeline, user_id, n)
    return Reply(dumped({"user_id": user_id, "events": events}))


async def journey(call: Call, worker: Worker) -> Reply:
    """Interests, life-cycle state, next visit."""
    user_id, time = _user(call), _TIME.read(call)
    return Reply(dumped(await worker.beside(worker.live.journey, user_id, time)))


async def forget(call: Call, worker: Worker) -> Reply:
    """Erase a user, and leave a tombstone that every later reader honours."""
    user_id = _user(call)
    return Reply(dumped({"offset": await worker.beside(worker.live.forget, user_id)}))


ROUTES = (
    Route("GET", "/v1/users/{user_id}/timeline", "timeline", "The newest events of a user, newest first.", "read",
          timeline, TimelineResponse, query=(_N,)),
    Route("GET", "/v1/users/{user_id}/journey", "journey", "A user's interests, life-cycle state and next visit.",
          "read", journey, JourneyResponse, query=(_TIME,)),
    Route("DELETE", "/v1/users/{user_id}", "forget", "Forget a user: state, memory and the next retraining let go.",
          "admin", forget, ForgottenResponse),
)  # fmt: skip
