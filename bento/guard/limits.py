"""How often somebody may ask: buckets of tokens, one for each key or address, of the newest that asked.

Never here: who somebody is (`bento.guard.keys`).
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

from components.params import RateParams


class Buckets:
    """Token buckets by name; a name that is not remembered has a full one.

    Parameters
    ----------
    rate : tokens that come back each second, and how many fit
    most : names that are remembered
    clock : seconds, never going back
    """

    def __init__(self, rate: RateParams, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._most, self._clock = rate, most, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # name → tokens, and when they were counted

    def __len__(self) -> int:
        return len(self._left)

    def _tokens(self, name: str, now: float) -> float:
        tokens, counted = self._left.get(name, (float(self._rate.burst), now))
        return min(tokens + (now - counted) * self._rate.per_s, float(self._rate.burst))

    def wait_s(self, name: str) -> float:
        """Seconds until there is a token; 0 = there is one. Takes none."""
        return max((1.0 - self._tokens(name, self._clock())) / self._rate.per_s, 0.0)

    def take(self, name: str) -> float:
        """Take a token: 0, or the seconds until there is one."""
        now = self._clock()
        tokens = self._tokens(name, now)
        taken = tokens >= 1.0
        self._left[name] = (tokens - 1.0 if taken else tokens, now)
        self._left.move_to_end(name)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return 0.0 if taken else (1.0 - tokens) / self._rate.per_s


@lru_cache(maxsize=1024)
def is_loopback(address: str) -> bool:
    """Whether an address is this machine's; "" is a socket of its file system, a name is none."""
    if address in {"", "localhost"}:
        return True
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback
