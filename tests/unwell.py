"""A server that is there and of no use: it takes connections and says nothing, or answers everything with 500."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_FAILED = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@contextmanager
def server(trouble: str) -> Iterator[str]:
    """The address of a server that is `silent` or `failing`."""
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            held.append(one)
            if trouble == "failing":
                one.recv(65_536)
                one.sendall(_FAILED)
                one.close()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=10)
            for one in held:
                one.close()
