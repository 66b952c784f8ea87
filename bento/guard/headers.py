"""What every answer carries: its request's id, and what keeps browsers from doing more with it than showing it."""

from __future__ import annotations

import re
import uuid

from bento.exchange import Call, Headers

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")  # what may go into a header and a log as it came
#: The page loads what stands beside it and nothing else; no script or style stands in it.
CSP = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    b"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: Of answers that are no page: nothing in them may be run, framed or kept.
SECURITY: Headers = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
DATA: Headers = (
    *SECURITY,
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
PAGE: Headers = (
    *SECURITY,
    (b"content-security-policy", CSP),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
)


def request_id(call: Call) -> str:
    """The id that the request came with, if it is one, else a new one."""
    asked = call.header(b"x-request-id")
    return asked if asked and _REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex
