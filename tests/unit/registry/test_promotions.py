"""The promotion log: one winner, a chain, and ways back."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from components.errors import IntegrityError, PromotionError, StalePromotion
from components.experiments.log import active, end, start
from components.registry.promotions import Entry, append, current, fallback, history, prune
from components.registry.reconcile import remove_orphans
from components.registry.rollback import rollback
from components.workspace import Workspace
from tests.artifacts import pack
from tests.experiments import plan

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def put(root: Path, digest: str, expected: int | None = None) -> Entry:
    expected = len(history(root)) if expected is None else expected
    return append(
        root, expected=expected, kind="promote", model=digest[0], digest=digest, content=digest, reason="because"
    )


def test_entries_follow_each_other(tmp_path: Path) -> None:
    assert current(tmp_path) is None
    assert fallback(history(tmp_path)) is None
    first, second = put(tmp_path, A), put(tmp_path, B)
    assert history(tmp_path) == [first, second]
    assert current(tmp_path) == second
    assert (second.sequence, second.previous) == (2, A)
    assert sorted(path.name for path in Workspace(tmp_path).promotions.iterdir()) == ["000001.json", "000002.json"]


def test_a_stale_promotion_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    put(tmp_path, A)
    with pytest.raises(StalePromotion, match=r"log of 0 entries.* found 1 entries, whose last is a"):
        put(tmp_path, B, expected=0)
    assert len(history(tmp_path)) == 1


def _race(root: Path, name: int, gate: multiprocessing.Barrier, results: multiprocessing.Queue) -> None:
    gate.wait()
    try:
        results.put(
            append(root, expected=1, kind="promote", model=f"m{name}", digest=B, content=B, reason="race").model
        )
    except StalePromotion:
        results.put(None)


def test_of_many_racers_exactly_one_wins(tmp_path: Path) -> None:
    put(tmp_path, A)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.artifacts"])
    racers = 24
    gate, results = context.Barrier(racers), context.Queue()
    crowd = [context.Process(target=_race, args=(tmp_path, n, gate, results)) for n in range(racers)]
    for one in crowd:
        one.start()
    winners = [name for name in (results.get(timeout=300) for _ in crowd) if name is not None]
    for one in crowd:
        one.join()
    assert len(winners) == 1
    entries = history(tmp_path)
    assert [entry.model for entry in entries] == ["a", winners[0]]
    assert len(list(Workspace(tmp_path).promotions.iterdir())) == 2


def test_tampering_and_holes_are_seen(tmp_path: Path) -> None:
    for digest in (A, B, C):
        put(tmp_path, digest)
    path = Workspace(tmp_path).promotions / "000002.json"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"because", b"Because"))
    with pytest.raises(IntegrityError, match="entry 2 of the promotion log as it was"):
        history(tmp_path)
    path.unlink()
    with pytest.raises(IntegrityError, match=r"entry 2 of the promotion log; found 000003\.json"):
        history(tmp_path)
    path.write_bytes(whole[:50])
    with pytest.raises(IntegrityError, match=r"000002\.json"):
        history(tmp_path)
    path.write_bytes(json.dumps(json.loads(whole) | {"more": 1}).encode())
    with pytest.raises(IntegrityError, match=r"000002\.json"):
        history(tmp_path)


def test_going_back_walks_past_what_was_rolled_back(tmp_path: Path) -> None:
    digests = [pack(tmp_path, shift=float(n)).digest for n in range(4)]
    for digest in digests[:3]:
        put(tmp_path, digest)
    back = rollback(tmp_path)  # 4 → 2
    assert (back.kind, back.digest, back.returns_to, back.previous) == ("rollback", digests[1], 2, digests[2])
    put(tmp_path, digests[3])  # 5, in place of 2
    assert rollback(tmp_path).returns_to == 2
    assert rollback(tmp_path).returns_to == 1
    with pytest.raises(PromotionError, match="an earlier champion"):
        rollback(tmp_path)
    with pytest.raises(PromotionError, match="already in production"):
        rollback(tmp_path, to=1)
    with pytest.raises(PromotionError, match="entry 99"):
        rollback(tmp_path, to=99)
    assert rollback(tmp_path, to=5).digest == digests[3]


def test_a_gone_or_damaged_artifact_is_not_gone_back_to(tmp_path: Path) -> None:
    digests = [pack(tmp_path, shift=float(n)).digest for n in range(3)]
    for digest in digests:
        put(tmp_path, digest)
    card = Workspace(tmp_path).artifact(digests[1]) / "card.md"
    card.write_text("# another\n")
    with pytest.raises(PromotionError, match=r"card\.md.*Roll back to entry 1 .*--to 1"):
        rollback(tmp_path)
    card.parent.rename(tmp_path / "gone")
    with pytest.raises(PromotionError, match=r"\(pruned\).*--to 1"):
        rollback(tmp_path)
    assert len(history(tmp_path)) == 3
    assert rollback(tmp_path, to=1).digest == digests[0]


def test_pruning_spares_the_champion_the_one_before_and_what_is_in_use(tmp_path: Path) -> None:
    digests = [pack(tmp_path, shift=float(n)).digest for n in range(6)]
    for digest in digests[:5]:
        put(tmp_path, digest)
    rollback(tmp_path)  # champion 3, before it 2
    assert set(prune(tmp_path, keep=0, protect=[digests[5]])) == {digests[0], digests[1], digests[4]}
    left = {path.name for path in Workspace(tmp_path).artifacts.iterdir()}
    assert left == {digests[2], digests[3], digests[5]}
    assert rollback(tmp_path).digest == digests[2]


@pytest.mark.parametrize("ended", [False, True])
def test_nothing_that_tidies_takes_the_challenger_on_trial_away(tmp_path: Path, ended: bool) -> None:
    digests = [pack(tmp_path, shift=float(n)).digest for n in range(3)]
    put(tmp_path, digests[0])
    of = plan("shadow").model_copy(update={"champion": digests[0], "challenger": digests[1]})
    start(tmp_path, of, "a test")
    under_way = active(tmp_path)
    assert under_way is not None
    if ended:
        end(tmp_path, under_way, "stop", "the test is over")
    gone = {digests[2]} | ({digests[1]} if ended else set())
    assert {one.split()[3].rstrip(",") for one in remove_orphans(tmp_path)} == {digest[:12] for digest in gone}
    assert prune(tmp_path, keep=0) == []
    assert {path.name for path in Workspace(tmp_path).artifacts.iterdir()} == set(digests) - gone
