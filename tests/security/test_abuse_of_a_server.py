"""Every abuse of the HTTP face against a real server: told so (4xx) or cut off, in bounded memory; it stays ready.

The smaller tests of this folder try each case alone and exactly; here one process is given all of them.
"""

from __future__ import annotations

import gzip
import json
import logging
import pickle
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
import yaml

from bento.guard.keys import new_key
from tests.bare import bare

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
logger = logging.getLogger(__name__)
JSON = {"content-type": "application/json"}
#: What a process may grow by: 80 MB bodies and bombs of a gigabyte are far beyond it.
ROOM_MB = 64
#: What the pickles would make.
WAS_HERE = Path(tempfile.gettempdir()) / "chronotope-was-here"


class Watcher(threading.Thread):
    """Asks whether the service is ready, and how large it is, until it is told to stop."""

    def __init__(self, url: str, pid: int) -> None:
        super().__init__()
        self._url, self._stop_it = url, threading.Event()
        self._process = psutil.Process(pid)
        self.statuses: set[int] = set()
        self.first_mb = self.most_mb = self.megabytes()
        self.slowest_s = 0.0

    def megabytes(self) -> float:
        """Resident memory of the service."""
        family = [self._process, *self._process.children(recursive=True)]
        return sum(one.memory_info().rss for one in family) / 1e6

    def run(self) -> None:
        """Ask."""
        with httpx.Client(timeout=30) as client:
            while not self._stop_it.wait(0.05):
                begin = time.monotonic()
                self.statuses.add(client.get(f"{self._url}/readyz").status_code)
                self.slowest_s = max(self.slowest_s, time.monotonic() - begin)
                self.most_mb = max(self.most_mb, self.megabytes())

    def stop(self) -> None:
        """Ask no more."""
        self._stop_it.set()
        self.join()


@pytest.fixture(scope="module")
def key() -> tuple[str, str]:
    """A key that may read, write and administer, and its line."""
    return new_key("shop", ["read", "write", "admin"])


@pytest.fixture(scope="module")
def service(
    promoted_template: Path, key: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Watcher]]:
    root = Path(shutil.copytree(promoted_template, tmp_path_factory.mktemp("abused") / "small"))
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["guard"] |= {"header_s": 2, "body_s": 2, "failure_rate": {"per_s": 1000, "burst": 1000}}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    with bare(root, CHRONOTOPE_KEYS=key[1]) as (url, process):
        asked(url, key[0], b'{"user_id": "user00003"}')
        watcher = Watcher(url, process.pid)
        watcher.start()
        yield url, watcher
        watcher.stop()
        assert process.poll() is None, "it never ended"
    assert watcher.statuses == {200}, "it was ready all along"
    assert watcher.most_mb < watcher.first_mb + ROOM_MB
    logger.info(
        "memory %.0f MB at first, %.0f at most; readiness answered within %.3f s",
        watcher.first_mb, watcher.most_mb, watcher.slowest_s,
    )  # fmt: skip


def asked(url: str, key: str, body: bytes, route: str = "/v1/predict", **headers: str) -> int:
    told = JSON | {"authorization": f"Bearer {key}"} | {k.replace("_", "-"): v for k, v in headers.items()}
    answer = httpx.post(f"{url}{route}", content=body, headers=told, timeout=60)
    if answer.status_code != 200:
        assert set(answer.json()) <= {"error", "where", "accepted", "duplicates", "refused", "offset"}
    return answer.status_code


def connect(url: str) -> socket.socket:
    where = urlsplit(url)
    return socket.create_connection((where.hostname or "", where.port or 0), timeout=30)


def head(key: str, *lines: bytes) -> bytes:
    first = [b"POST /v1/events HTTP/1.1", b"host: a", b"content-type: application/json",
             b"authorization: Bearer " + key.encode()]  # fmt: skip
    return b"\r\n".join([*first, *lines, b"", b""])


def history(n: int) -> bytes:
    event = {"item_id": "i000001", "action": "view", "timestamp": "2025-03-01T12:00:00Z"}
    return json.dumps({"history": [event] * n}).encode()


BODIES: dict[str, tuple[bytes, int]] = {
    "an empty body": (b"", 400),
    "a missing field": (b"{}", 422),
    "an extra key": (b'{"user_id": "a", "is_admin": true}', 422),
    "another type": (b'{"user_id": 7}', 422),
    "NaN": (b'{"user_id": "a", "latitude": NaN, "longitude": 0}', 400),
    "infinity": (b'{"user_id": "a", "latitude": Infinity, "longitude": 0}', 400),
    "1e308": (b'{"user_id": "a", "latitude": 1e308, "longitude": 0}', 422),
    "beyond a double": (b'{"user_id": "a", "latitude": 1e999, "longitude": 0}', 400),
    "a negative k": (b'{"user_id": "a", "k": -1}', 422),
    "a huge k": (b'{"user_id": "a", "k": 1000000000}', 422),
    "a number without end": (b'{"user_id": "a", "k": ' + b"9" * 500_000 + b"}", 400),
    "deep lists": (b"[" * 500_000 + b"]" * 500_000, 400),
    "deep objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
    "a long history": (history(5_000), 422),
    "a million events": (history(1_000_000), 413),
    "80 MB": (b'{"user_id": "' + b"a" * 80_000_000 + b'"}', 413),
    "no UTF-8": (b'{"user_id": "\xff\xfe"}', 400),
    "half a surrogate": (b'{"user_id": "\\ud800"}', 400),
    "a zero byte in a name": (b'{"user_id\\u0000": "a"}', 422),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body(service: tuple[str, Watcher], key: tuple[str, str], name: str) -> None:
    body, expected = BODIES[name]
    try:
        status = asked(service[0], key[0], body)
    except httpx.TransportError:
        assert expected == 413, "refused by its head, the connection closed while the rest was still being sent"
        return
    assert status in {expected, 400 if expected == 422 else 422}, name


class Bomb:
    """What a loader of pickles would run."""

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (WAS_HERE,)


@pytest.mark.parametrize(
    "kind", ["application/x-pickle", "application/octet-stream", "application/vnd.bentoml+pickle", "text/plain", ""]
)
def test_a_pickle_by_any_name_is_not_read(service: tuple[str, Watcher], key: tuple[str, str], kind: str) -> None:
    data = pickle.dumps({"user_id": "a", "x": Bomb()})
    assert asked(service[0], key[0], data, content_type=kind) == 415
    assert asked(service[0], key[0], data) == 400
    assert not WAS_HERE.exists(), "nothing of it was run"


@cache
def bomb() -> bytes:
    """300 MB of one letter."""
    return gzip.compress(b"0" * 300_000_000, 9)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
def test_a_bomb_is_not_unpacked(service: tuple[str, Watcher], key: tuple[str, str], coding: str) -> None:
    assert asked(service[0], key[0], bomb(), content_encoding=coding) == 415


def test_slow_and_lying_senders(service: tuple[str, Watcher], key: tuple[str, str]) -> None:
    """Hundreds of each at once; every one of them is cut off or told so, and nobody else notices."""
    url, secret = service[0], key[0]
    said = [
        b"POST /v1/eve",  # a head that does not come
        head(secret, b"content-length: 100"),  # a body that does not
        head(secret, b"content-length: 100") + b"{",
        head(secret, b"transfer-encoding: chunked") + b"ffffff\r\n" + b"x" * 1_000,  # 16 MB are promised
        head(secret, b"content-length: 5", b"transfer-encoding: chunked") + b"0\r\n\r\n",
        head(secret, b"transfer-encoding: chunked") + b"-1\r\nx\r\n",
        head(secret, b"content-length: 99999999999999999999"),
        head(secret, b"x: " + b"y" * 60_000),
    ]
    many = [(connect(url), text) for text in said for _ in range(60)]
    for one, text in many:
        one.sendall(text)
    assert asked(url, secret, b'{"user_id": "user00003"}') == 200
    for one, text in many:
        found = b""
        try:
            while block := one.recv(65_536):
                found += block
        except ConnectionResetError:
            pass
        one.close()
        assert not found or found.split()[1] in {b"400", b"408", b"413", b"431"}, (text[:80], found[:200])


def test_a_chunked_body_without_end_is_cut_off(service: tuple[str, Watcher], key: tuple[str, str]) -> None:
    with connect(service[0]) as one:
        one.sendall(head(key[0], b"transfer-encoding: chunked"))
        sent = 0
        try:
            while sent < 200_000_000:
                one.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
                sent += 65_536
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 20_000_000, "it is not read to its end"


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/docs.json", "/schema", "/static_content/x.html",
                                  "/v1/../metrics", "/v1/%2e%2e/metrics", "//metrics", "/debug", "/.env"])  # fmt: skip
def test_what_frameworks_bring_is_not_there(service: tuple[str, Watcher], key: tuple[str, str], path: str) -> None:
    for headers in ({}, {"authorization": f"Bearer {key[0]}"}):
        assert httpx.get(f"{service[0]}{path}", headers=headers).status_code in {401, 403, 404}


def test_without_the_key_or_its_scope(service: tuple[str, Watcher], key: tuple[str, str]) -> None:
    url = service[0]
    for path in ("/metrics", "/v1/model", "/v1/live", "/v1/openapi.json", "/v1/users/a/timeline"):
        assert httpx.get(f"{url}{path}").status_code == 401
        for wrong in ("Bearer", "Bearer x", f"Bearer {key[0]}x", f"Basic {key[0]}", "Bearer " + "k" * 60_000):
            assert httpx.get(f"{url}{path}", headers={"authorization": wrong}).status_code in {401, 431, 400}
    assert httpx.get(f"{url}/metrics", headers={"authorization": f"Bearer {key[0]}"}).status_code == 403
