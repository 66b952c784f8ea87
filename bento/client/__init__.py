"""A typed client of the service: one method for each route, and the same calls for `asyncio`.

    with Client("http://127.0.0.1:3000", key=os.environ["SHOP_KEY"]) as client:
        client.events([{"user_id": "u1", "item_id": "i7", "action": "view", "timestamp": "2025-03-01T12:00:00Z"}])
        print(client.recommend("u1", k=5).items)

A call that comes to nothing is tried again, later each time, where that changes nothing twice: a record that comes
again is a duplicate; forgetting a user is tried again only where the service was too busy to begin. All tries of a call
carry one `X-Request-ID`, so a question whose answer was lost leaves one list in an experiment that logs what is shown:
the one that was answered first. Counters of answers (`/metrics`, the live page) count tries. Never here: anything of
the models; it needs httpx and the schemas alone.
"""

from bento.client.calls import Call
from bento.client.looping import AsyncClient
from bento.client.tries import Refused
from bento.client.waiting import Client

__all__ = ["AsyncClient", "Call", "Client", "Refused"]
