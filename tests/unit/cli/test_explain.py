"""`chronotope explain`: reasons of the champion for people and for machines, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def test_reasons_for_people_and_machines(chronotope, promoted_template: Path) -> None:
    where = ("--workspace", str(promoted_template))
    left = chronotope("explain", "nobody-of-that-name", *where, "--json")
    assert left.code == 3
    record = json.loads(left.out)
    assert "a user of the log" in record["error"]

    users = json.loads(chronotope("history", *where, "--json").out)
    assert users  # there is a champion
    from components.features.store import Store

    store = Store.load(promoted_template / "data" / "features")
    busiest = int((store.offsets[1:] - store.offsets[:-1]).argmax())
    user = str(store.users[busiest])
    left = chronotope("explain", user, "--k", "2", "--at", "2025-04-10T12:00:00", *where, "--json")
    assert left.code == 0, left.err
    found = json.loads(left.out)
    assert (found["user"], len(found["items"])) == (user, 2)
    first = found["items"][0]
    assert first["sentences"]
    assert sum(part["share"] for part in first["parts"]) == pytest.approx(1, abs=1e-3)

    shown = chronotope("explain", user, "--item", first["item_id"], "--at", "2025-04-10T12:00:00", *where)
    assert shown.code == 0
    assert first["sentences"][0][:30] in " ".join(shown.out.split())


def test_a_workspace_without_a_champion_says_so(chronotope, space: Path) -> None:
    left = chronotope("explain", "u1", "--workspace", str(space))
    assert left.code == 6
    assert "a champion to explain" in left.err
