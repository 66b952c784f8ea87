"""Who may pass: the key, its scope and its rate, decided from the head of a request alone.

Without keys this machine is answered, by its own name, and no other, unless the service was told to be open: a browser
sends what any site asks to any address, so that who is asked for counts as well. Never here: the body.
"""

from __future__ import annotations

import math

from bento.exchange import Call, Refusal
from bento.guard.keys import Keys, Scope
from bento.guard.limits import Buckets, is_loopback
from components.params import GuardParams

_BEARER = "bearer "
_ASK = ((b"www-authenticate", b"Bearer"),)


def _later(seconds: float) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"retry-after", str(max(math.ceil(seconds), 1)).encode()),)


def _names_this_machine(host: str) -> bool:
    """Whether a Host header names this machine: a page of another site that has its name lead here does not."""
    if not host:
        return True
    name = host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]
    return name != "" and is_loopback(name.lower())


class Door:
    """The door of one worker."""

    def __init__(self, keys: Keys, params: GuardParams) -> None:
        self._keys = keys
        self._by_key = Buckets(params.key_rate, params.addresses)
        self._by_address = Buckets(params.address_rate, params.addresses)
        self._failures = Buckets(params.failure_rate, params.addresses)

    def admit(self, call: Call, scope: Scope | None) -> None:
        """Let a request pass, and note whose it is.

        Parameters
        ----------
        call : its `key` is set
        scope : what the route asks for; None = nothing

        Raises
        ------
        Refusal
            401 without a key that is known, 403 without the scope, 429 beyond the rate.
        """
        if scope is None:
            return
        if not self._keys.configured:
            self._without_keys(call)
            return
        presented = call.header(b"authorization")
        if presented[: len(_BEARER)].lower() != _BEARER:
            raise Refusal(401, "needed a key: `Authorization: Bearer <key>`", headers=_ASK)
        key = self._keys.find(presented[len(_BEARER) :].strip())
        if key is None:  # only wrong keys are slowed: who has a right one may share its address with anybody
            wait = self._failures.take(call.address())
            if wait > 0:
                raise Refusal(429, "too many wrong keys came from this address", headers=_later(wait))
            raise Refusal(401, "needed a key that is known", headers=_ASK)
        wait = self._by_key.take(key.name)
        if wait > 0:
            raise Refusal(429, "this key asks more often than it may", headers=_later(wait))
        if scope not in key.scopes:
            raise Refusal(403, f"needed a key with the scope {scope}")
        call.key = key.name

    def _without_keys(self, call: Call) -> None:
        address = call.address()
        if is_loopback(address) and (self._keys.open_to_all or _names_this_machine(call.header(b"host"))):
            return
        if is_loopback(address):
            raise Refusal(403, "without keys only localhost, 127.0.0.1 or [::1] is answered to, not another name")
        if not self._keys.open_to_all:
            raise Refusal(401, "without keys only this machine is answered: see CHRONOTOPE_KEYS", headers=_ASK)
        wait = self._by_address.take(address)
        if wait > 0:
            raise Refusal(429, "this address asks more often than it may", headers=_later(wait))
