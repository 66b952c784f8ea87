"""The page's files: from memory, with their kinds, not sent again when nothing changed, and nothing beside them."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from bento.guard.headers import CSP
from bento.routes import page
from tests.live import toy_client


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    folder = tmp_path / "page"
    (folder / "deep").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>t</title>")
    (folder / "deep" / "app.js").write_text("export const long = 1;\n" * 200)
    (folder / "make.py").write_text("secret")
    (tmp_path / "outside.js").write_text("secret")
    (folder / "link.js").symlink_to(tmp_path / "outside.js")
    monkeypatch.setattr(page, "FOLDER", folder)
    page.files.cache_clear()
    with toy_client() as one:
        yield one
    page.files.cache_clear()


def test_the_page_and_its_files(client: TestClient) -> None:
    found = client.get("/")
    assert (found.status_code, found.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert found.headers["content-security-policy"] == CSP.decode()
    assert client.get("/page/index.html").content == found.content
    script = client.get("/page/deep/app.js", headers={"accept-encoding": "gzip"})
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["content-encoding"] == "gzip"
    plain = client.get("/page/deep/app.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == script.content  # the client has unpacked the one
    assert int(script.headers["content-length"]) == len(gzip.compress(plain.content, 9, mtime=0))


def test_a_browser_that_has_it_is_told_so(client: TestClient) -> None:
    etag = client.get("/").headers["etag"]
    again = client.get("/", headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/", headers={"if-none-match": '"other"'}).status_code == 200
    assert "no-store" not in again.headers["cache-control"]


@pytest.mark.parametrize("path", ["/page/make.py", "/page/link.js", "/page/../outside.js", "/page/%2e%2e/outside.js",
                                  "/page/deep", "/page//etc/passwd", "/page/none.js"])  # fmt: skip
def test_nothing_else_is_there(client: TestClient, path: str) -> None:
    found = client.get(path)
    assert found.status_code == 404
    assert "secret" not in found.text
