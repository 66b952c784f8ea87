"""What a route is: one row of the table that requests are led by and that the document of the API is made of."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pydantic import BaseModel

from bento.exchange import Call, Reply, Stream
from bento.guard.keys import Scope
from bento.routes.parameters import Moment, Number
from bento.worker import Worker

Handler = Callable[[Call, Worker], Awaitable[Reply | Stream]]


@dataclass(frozen=True)
class Route:
    """One route.

    Attributes
    ----------
    method, path : `{name}` in the path stands for one segment
    name : of the operation: in the document, in metrics and in the log
    told : what it does, in one sentence
    scope : that a key needs; None = open to all
    handler : answers
    takes : the request's body, or None
    gives : the answer's, or its content type where it is no JSON
    also : other statuses → their body, where it is more than an error
    refuses : statuses of errors, beyond those that every route of its kind has
    query : parameters
    waits : whether it may wait for anything; one that does not needs no clock
    described : whether it stands in the document
    """

    method: str
    path: str
    name: str
    told: str
    scope: Scope | None
    handler: Handler
    gives: type[BaseModel] | str
    takes: type[BaseModel] | None = None
    also: dict[int, type[BaseModel]] = field(default_factory=dict)
    refuses: tuple[int, ...] = ()
    query: tuple[Number | Moment, ...] = ()
    waits: bool = True
    described: bool = True

    @property
    def pattern(self) -> re.Pattern[str]:
        """Of the raw path; a part is a segment as it was sent, still encoded, and `{name:rest}` all that is left."""
        one = re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(self.path))
        return re.compile(re.sub(r"\\{\w+:rest\\}", "(.+)", one))

    @property
    def parts(self) -> list[str]:
        """Names of the path's parts."""
        return re.findall(r"\{(\w+)\}", self.path)
