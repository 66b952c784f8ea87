"""Where the live state is opened, and what is said where it cannot be."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

import pytest

from components.errors import ChronotopeError, ConfigError, IntegrityError, ServiceError
from components.params.live import LiveParams
from components.serving.state import shelf
from components.serving.state.folder import FolderState
from components.serving.state.open import open_state
from components.workspace import Workspace
from tests.livestate import ids, record
from tests.redis_server import running

FRESH = {"half_life_days": 1.0, "most_share": 0.5, "max_items": 10}


def live(durability: str = "process") -> LiveParams:
    return LiveParams.model_validate(
        {
            "durability": durability,
            "retention_days": 9,
            "max_batch": 9,
            "follow_s": 1.0,
            "recent_mb": 16,
            "histories_mb": 64,
            "feedback": {},
            "fresh": FRESH,
        }
    )


def test_without_an_address_it_is_in_the_workspace(tmp_path: Path) -> None:
    state = open_state(tmp_path, live(), None)
    state.append([record("e1")])
    state.close()
    assert (Workspace(tmp_path).live / "data.mdb").stat().st_mode & 0o077 == 0  # what users do is their owner's alone
    again = open_state(tmp_path, live("fsync"), None)
    assert ids(again.last("ann", 1)) == ["e1"]
    again.close()


@pytest.mark.parametrize("url", ["postgres://somewhere/db", "http://u:hunter2@host", "", "/a/folder", "localhost:6379"])
def test_an_address_of_another_kind_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="redis://") as caught:
        open_state(tmp_path, live(), url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_a_server_that_does_not_answer_is_told_without_the_password(tmp_path: Path, scheme: str) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    with pytest.raises(ServiceError) as caught:
        open_state(tmp_path, live(), f"{scheme}://user:hunter2@127.0.0.1:{port}/0")
    assert caught.value.exit_code == 9
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_one_durability_a_process(tmp_path: Path) -> None:
    state = FolderState(tmp_path / "live", "process")
    with pytest.raises(ConfigError, match="fsync"):
        FolderState(tmp_path / "live", "fsync")
    state.close()
    FolderState(tmp_path / "live", "fsync").close()


def test_a_limit_on_addresses_makes_the_map_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "_MAP", 1 << 60)
    state = FolderState(tmp_path / "live", "process")
    state.append([record("e1")])
    assert state.head() == 1
    state.close()


def test_a_state_of_another_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FolderState(tmp_path / "live", "process").close()
    monkeypatch.setattr(shelf, "_FORMAT", b"2")
    with pytest.raises(ConfigError, match="format"):
        FolderState(tmp_path / "live", "process")


@pytest.mark.redis
def test_workspaces_share_a_server_without_knowing_each_other(tmp_path: Path) -> None:
    with running("--appendonly", "yes") as server:
        one, other, named = (
            open_state(tmp_path / "one", live(), server.url),
            open_state(tmp_path / "other", live(), server.url),
            open_state(tmp_path / "other", live(), server.url, name="one"),
        )
        one.append([record("e1")])
        assert other.append([record("e1")])[0].offset == 1
        other.forget("ann")
        assert ids(one.last("ann", 9)) == ids(named.last("ann", 9)) == ["e1"]


@pytest.mark.redis
def test_fsync_needs_a_server_that_flushes_always(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running("--appendonly", "yes") as server, pytest.raises(ConfigError, match="appendfsync everysec"):
        open_state(tmp_path, live("fsync"), server.url)
    with running() as server:
        with pytest.raises(ConfigError, match="appendonly no"):
            open_state(tmp_path, live("fsync"), server.url)
        with caplog.at_level(logging.WARNING):
            open_state(tmp_path, live(), server.url)
        assert "appendonly no" in caplog.text
    with running("--appendonly", "yes", "--appendfsync", "always") as server:
        open_state(tmp_path, live("fsync"), server.url).close()


@pytest.mark.redis
def test_a_server_that_would_drop_keys_is_refused(tmp_path: Path) -> None:
    with (
        running("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru") as server,
        pytest.raises(ConfigError, match="allkeys-lru"),
    ):
        open_state(tmp_path, live(), server.url)


@pytest.mark.redis
def test_a_server_that_hides_its_settings_is_trusted_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running("--rename-command", "CONFIG", '""') as server, caplog.at_level(logging.WARNING):
        open_state(tmp_path, live("fsync"), server.url).append([record("e1")])
        assert "does not tell its settings" in caplog.text


@pytest.mark.redis
def test_a_wrong_password_is_told_and_not_shown(tmp_path: Path) -> None:
    with running("--requirepass", "hunter2") as server:
        for url in (server.url, server.url.replace("unix://", "unix://:hunter3@")):
            with pytest.raises(ConfigError, match="CHRONOTOPE_STATE") as caught:
                open_state(tmp_path, live(), url)
            assert "hunter3" not in str(caught.value)
        open_state(tmp_path, live(), server.url.replace("unix://", "unix://:hunter2@")).append([record("e1")])


@pytest.mark.redis
def test_foreign_data_under_our_names_is_told(tmp_path: Path) -> None:
    import redis

    with running() as server:
        state = open_state(tmp_path, live(), server.url, name="shop")
        state.append([record("e1")])
        raw = redis.Redis.from_url(server.url)
        raw.hset("chronotope:shop:user:ann", "0000000000000001", "[1, 2]")
        with pytest.raises(IntegrityError):
            open_state(tmp_path, live(), server.url, name="shop").last("ann", 1)
        raw.set("chronotope:shop:user:bob", "text")
        with pytest.raises(ChronotopeError, match="wrong kind"):
            state.append([record("e1", user="bob")])
        assert state.head() == 1
