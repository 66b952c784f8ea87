"""`chronotope keys new` and what `chronotope serve` refuses before it starts anything."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bento.guard.keys import Keys
from flows.cli import edge


def test_a_new_key_works_with_the_line_that_is_printed_beside_it(chronotope: Callable[..., Any]) -> None:
    left = chronotope("keys", "new", "--scopes", "read,write", "--name", "shop")
    key, line = left.out.split("\n", 1)
    assert left.code == 0
    assert re.fullmatch(r"chronotope_shop_[\w-]{43}", key)
    found = Keys(line).find(key)
    assert found is not None
    assert found.scopes == {"read", "write"}
    assert key not in left.err
    told = json.loads(chronotope("keys", "new", "--json").out)
    assert Keys(told["line"]).find(told["key"])


@pytest.mark.parametrize("arguments", [["--scopes", "all"], ["--scopes", ""], ["--name", "My Shop"]])
def test_a_key_that_cannot_be(chronotope: Callable[..., Any], arguments: list[str]) -> None:
    left = chronotope("keys", "new", *arguments)
    assert (left.code, left.out) == (2, "")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that would have taken this process over."""
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execvp", lambda _, command: commands.append(command))
    monkeypatch.setattr(os, "chdir", lambda _: None)
    monkeypatch.setattr(edge, "prepare", lambda root: None)
    for name in ("CHRONOTOPE_KEYS", "CHRONOTOPE_OPEN", "CHRONOTOPE_WORKSPACE", "CHRONOTOPE_WORKERS"):
        monkeypatch.setenv(name, "")
    return commands


def test_other_machines_are_let_in_only_with_keys_or_in_so_many_words(
    chronotope: Callable[..., Any], promoted: Path, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("serve", "-w", str(promoted))
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.org"):
        left = chronotope(*where, "--host", host)
        assert left.code == 2
        assert "chronotope keys new" in left.err
    assert started == []
    assert chronotope(*where, "--host", "0.0.0.0", "--open").code == 0
    assert os.environ["CHRONOTOPE_OPEN"] == "1"
    monkeypatch.setenv("CHRONOTOPE_OPEN", "")
    assert chronotope(*where, "--host", "127.0.0.1").code == 0
    monkeypatch.setenv("CHRONOTOPE_KEYS", f"shop read {'0' * 64}")
    assert chronotope(*where, "--host", "0.0.0.0", "--workers", "2").code == 0
    assert len(started) == 3
    assert os.environ["CHRONOTOPE_WORKERS"] == "2"


def test_broken_keys_stop_the_service_before_it_starts(
    chronotope: Callable[..., Any], promoted: Path, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHRONOTOPE_KEYS", str(promoted / "no-such-file"))
    left = chronotope("serve", "-w", str(promoted))
    assert (left.code, started) == (2, [])
    assert "CHRONOTOPE_KEYS" in left.err


def test_wrong_params_stop_the_service_before_it_starts(
    chronotope: Callable[..., Any], promoted: Path, started: list[list[str]]
) -> None:
    params = promoted / "params.yaml"
    text = params.read_text()
    try:
        params.write_text(text + "\nnonsense: 1\n")
        left = chronotope("serve", "-w", str(promoted))
    finally:
        params.write_text(text)
    assert (left.code, started) == (2, [])
    assert "nonsense" in left.err
