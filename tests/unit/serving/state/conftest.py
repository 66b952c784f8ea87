"""The two stores that every test of the contract is run against."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.livestate import Store, server, store

KINDS = [pytest.param("folder"), pytest.param("redis", marks=pytest.mark.redis)]


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def url(kind: str) -> Iterator[str | None]:
    with ExitStack() as stack:
        yield server(stack, kind)


@pytest.fixture
def kept(kind: str, url: str | None, tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    with store(kind, tmp_path, url) as made:
        yield made
