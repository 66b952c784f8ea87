"""A request's body: refused before it is read where that can be told, read to the limit and within its time, then JSON.

Never here: what the JSON should say (`bento.schemas`, and the intake of live records).
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from bento.exchange import JSON, Call, Refusal

_CLOSE = ((b"connection", b"close"),)
Asked = TypeVar("Asked", bound=BaseModel)
Found = TypeVar("Found")


def _head(call: Call, limit: int) -> None:
    kind = call.header(b"content-type").partition(";")[0].strip().lower()
    if kind != JSON:
        raise Refusal(415, f"needed the content type {JSON}, found {'another' if kind else 'none'}")
    if call.header(b"content-encoding").lower() not in {"", "identity"}:
        raise Refusal(415, "needed an uncompressed body")
    declared = call.header(b"content-length") or "0"
    if not (declared.isascii() and declared.isdigit()) or int(declared[:20]) > limit:
        raise Refusal(413, f"needed a body of at most {limit} bytes")


async def _next(call: Call) -> tuple[bytes, bool]:
    message = await call.receive()
    if message["type"] == "http.disconnect":
        raise Refusal(400, "needed the whole body: the connection was closed", headers=_CLOSE)
    return message.get("body", b""), message.get("more_body", False)


async def read(call: Call, limit: int, seconds: float) -> bytes:
    """The whole body.

    Raises
    ------
    Refusal
        415 for another type or a compressed body, 413 beyond `limit` bytes, 408 where it takes longer than `seconds`.
    """
    _head(call, limit)
    block, more = await _next_within(call, seconds)
    if not more and len(block) <= limit:
        return block  # nearly always: it came with the head
    read = bytearray(block)
    try:
        async with asyncio.timeout(seconds):
            while more and len(read) <= limit:
                block, more = await _next(call)
                read += block
    except TimeoutError as error:
        raise _slow(seconds) from error
    if len(read) > limit:
        raise Refusal(413, f"needed a body of at most {limit} bytes")
    return bytes(read)


async def _next_within(call: Call, seconds: float) -> tuple[bytes, bool]:
    """The next block; a clock, dearer than all else here, is set only where it has not come yet, which is rare."""
    coming = _next(call)
    try:
        waits_for = coming.send(None)
    except StopIteration as found:
        block: tuple[bytes, bool] = found.value
        return block
    try:
        async with asyncio.timeout(seconds):
            return await _on(coming, waits_for)
    except TimeoutError as error:
        raise _slow(seconds) from error


@types.coroutine
def _on(coming: Coroutine[Any, Any, Found], waits_for: Any) -> Generator[Any, Any, Found]:
    """What a coroutine gives that has begun and now waits for something."""
    try:
        while True:
            try:
                told = yield waits_for
            except BaseException as error:  # noqa: BLE001 - whatever ends the wait ends it in there
                waits_for = coming.throw(error)
            else:
                waits_for = coming.send(told)
    except StopIteration as found:
        ended: Found = found.value
        return ended


def _slow(seconds: float) -> Refusal:
    return Refusal(408, f"needed the body within {seconds:g} s", headers=_CLOSE)


def loaded(body: bytes) -> Any:
    """The body as JSON.

    Raises
    ------
    Refusal
        400: it is none; NaN and infinity are none, nor is what is nested a thousand deep.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, f"needed JSON (NaN and infinity are not): {error.msg}") from error


def asked(body: bytes, kind: type[Asked]) -> Asked:
    """The body as the request that a route takes; nothing of the input comes back in a refusal.

    Raises
    ------
    Refusal
        400: it is no JSON. 422: it is another request.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as found:
        loaded(body)  # whether it is JSON at all: pydantic's reader takes NaN, and refuses it a step later
        first = found.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refusal(422, str(first["msg"]), where[:200] or None) from found
