"""One request and its answer, as plain objects over ASGI: less than a framework brings, since each request pays for it.

Never here: what a route does, or who may ask (`bento.guard`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.types import Receive, Scope

JSON = "application/json"
#: Times end in Z; a number of numpy is a number; a key that is no string is one.
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
Headers = tuple[tuple[bytes, bytes], ...]


class Refusal(Exception):
    """A request that is not answered: the status, what was needed and found, and where in the request."""

    def __init__(self, status: int, message: str, where: str | None = None, headers: Headers = ()) -> None:
        super().__init__(message)
        self.status, self.message, self.where, self.headers = status, message, where, headers


class Call:
    """A request.

    Attributes
    ----------
    scope, receive : of ASGI
    parts : what the path carries, decoded: of `/v1/users/{id}` the id
    body : all of it, where the route takes one
    key : name of the key that asks; None = no keys are configured, or the route is open to all
    request_id : that the answer carries
    """

    __slots__ = ("body", "key", "parts", "receive", "request_id", "scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope, self.receive = scope, receive
        self.parts: tuple[str, ...] = ()
        self.body = b""
        self.key: str | None = None
        self.request_id = ""

    def header(self, name: bytes) -> str:
        """The header of a lower-case name, or nothing."""
        for key, value in self.scope["headers"]:
            if key == name:
                return str(value, "latin-1")
        return ""

    def address(self) -> str:
        """Where it comes from; "" for a socket of this machine's file system."""
        client = self.scope.get("client")
        return str(client[0]) if client else ""

    def query(self) -> dict[str, str]:
        """What stands behind the path's question mark, the last of each name.

        Raises
        ------
        Refusal
            422: there is more than a request has reason to say.
        """
        try:
            pairs = parse_qsl(self.scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=20)
        except ValueError as error:
            raise Refusal(422, "needed at most 20 parameters in the path's query", "query") from error
        return dict(pairs)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is whole."""

    body: bytes
    status: int = 200
    kind: str = JSON
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that comes block by block until the asker leaves or the service ends."""

    blocks: AsyncIterator[bytes]
    kind: str
    headers: Headers = ()
    status: int = 200


def dumped(record: Any) -> bytes:
    """A record as JSON: dataclasses as objects, what is not finite as null."""
    return orjson.dumps(record, option=_OPTIONS)


def told(refusal: Refusal) -> Reply:
    """A refusal in the one JSON shape that this service has."""
    body = {"error": refusal.message} | ({} if refusal.where is None else {"where": refusal.where})
    return Reply(dumped(body), refusal.status, headers=refusal.headers)
