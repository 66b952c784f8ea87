"""The live state under kills, two writers, full disks and damage: nothing acknowledged is lost, and errors say why."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from components.errors import ChronotopeError, IntegrityError, ServiceError, StorageError
from components.serving.state.folder import FolderState
from components.serving.state.protocol import State, Stored
from components.serving.state.redis import RedisState
from tests import redis_server
from tests.conftest import ROOT
from tests.livestate import ids, record
from tests.livewriter import opened

KINDS = [pytest.param("folder"), pytest.param("redis", marks=pytest.mark.redis)]


@pytest.fixture(params=KINDS)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A folder, or the address of a server that flushes nothing by itself."""
    with ExitStack() as stack:
        if request.param == "folder":
            yield str(tmp_path / "live")
        else:
            yield stack.enter_context(redis_server.running("--appendonly", "yes")).url


def writer(where: str, mine: str, events: int, batch: int, durability: str = "process") -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.livewriter", where, mine, str(events), str(batch), durability]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def whole_log(state: State) -> list[Stored]:
    found: list[Stored] = []
    while page := state.after(found[-1].offset if found else 0, 5_000):
        found += page
    return found


def agree(state: State) -> list[Stored]:
    """That log and histories tell the same; the log."""
    log = whole_log(state)
    for user in (f"u{i}" for i in range(7)):
        mine = [one for one in log if one.record.user_id == user]
        assert state.last(user, 10_000_000) == sorted(mine, key=lambda one: (one.record.time_us, one.offset))
    assert state.sizes().records == len(log)
    return log


@pytest.mark.parametrize("durability", ["process", "fsync"])
def test_a_killed_writer_loses_nothing_that_was_acknowledged(tmp_path: Path, durability: str) -> None:
    killed_again_and_again(str(tmp_path / "live"), durability)


@pytest.mark.redis
def test_a_killed_writer_loses_nothing_that_was_acknowledged_on_redis() -> None:
    with redis_server.running("--appendonly", "yes") as server:
        killed_again_and_again(server.url, "process")


def killed_again_and_again(where: str, durability: str) -> None:
    chance, acknowledged = random.Random(7), {}
    for turn, batch in enumerate((1, 1, 40, 1, 7, 300)):
        with writer(where, f"t{turn}", 1_000_000, batch, durability) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline()]  # it has begun
            time.sleep(chance.uniform(0.01, 0.4))
            process.send_signal(signal.SIGKILL)
            lines += process.stdout.readlines()
        for id_, offset, _ in (line.split() for line in lines if line.endswith("\n")):
            acknowledged[id_] = int(offset)
        state = opened(where, durability)
        there = {one.record.id: one.offset for one in agree(state)}
        assert acknowledged.items() <= there.items()
        whole = [id_ for id_ in there if id_.startswith(f"t{turn}-")]
        assert len(whole) % batch == 0  # all of a batch or none of it
        assert state.append([record(f"between {turn}", user="u0")])[0].offset == state.head()
        state.close()
    assert len(acknowledged) > 300


@pytest.mark.redis
def test_a_killed_server_loses_nothing_that_was_acknowledged() -> None:
    """`fsync` with `appendfsync always`: the server is killed while it is written to, and comes again."""
    with redis_server.running("--appendonly", "yes", "--appendfsync", "always") as server:
        state = opened(server.url, "fsync")
        acknowledged: dict[str, int] = {}
        for turn in range(4):
            process = writer(server.url, f"t{turn}", 1_000_000, 3, "fsync")
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(0.2)
            server.kill()
            rest = process.stdout.readlines()
            assert process.wait() != 0  # it was told
            with pytest.raises(ServiceError):
                state.append([record("nobody there")])
            server.start()
            acknowledged |= {line.split()[0]: int(line.split()[1]) for line in (first, *rest) if line.endswith("\n")}
            there = {one.record.id: one.offset for one in agree(state)}  # the handle that was open goes on
            assert acknowledged.items() <= there.items()
        assert len(acknowledged) > 20


def interleaved(where: str, each: int, batch: int) -> None:
    """Two processes write events of the same users at the same time, a tenth of them both of them."""
    both = each // 10
    writers = [writer(where, mine, each, batch) for mine in ("one", "two")]
    writers += [writer(where, "both", both, batch) for _ in range(2)]
    receipts = [line.split() for process in writers for line in process.communicate()[0].splitlines()]
    assert [process.returncode for process in writers] == [0] * 4
    state = opened(where, "process")
    log = agree(state)
    assert [one.offset for one in log] == list(range(1, 2 * each + both + 1))
    assert {one.record.id: one.offset for one in log} == {id_: int(offset) for id_, offset, _ in receipts}
    assert sum(duplicate == "1" for _, _, duplicate in receipts) == both
    state.close()


def test_two_processes_lose_no_update(where: str) -> None:
    interleaved(where, each=1_500, batch=1)


@pytest.mark.slow
def test_two_processes_lose_no_update_in_100_000_events(where: str) -> None:
    interleaved(where, each=50_000, batch=1)


def test_a_follower_reads_every_record_once_while_others_write(where: str) -> None:
    writers = [writer(where, mine, 2_000, 5) for mine in ("one", "two")]
    state = opened(where, "process")
    found: list[Stored] = []
    deadline = time.monotonic() + 60
    while len(found) < 4_000 and time.monotonic() < deadline:
        found += state.after(found[-1].offset if found else 0, 100)
        if found:
            user = found[-1].record.user_id
            assert found[-1] in state.last(user, 10_000)
    assert [process.wait() for process in writers] == [0, 0]
    assert [one.offset for one in found] == list(range(1, 4_001))
    state.close()


def test_a_full_disk_is_one_message_and_nothing_is_half_written(tmp_path: Path) -> None:
    """In a child that may not write beyond 1 MiB, which to LMDB is a disk that is full."""
    code = f"import sys; from pathlib import Path; from {__name__} import filled; sys.exit(filled(Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, str(tmp_path / "live")]
    assert subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False).returncode == 0
    state = FolderState(tmp_path / "live", "process")
    assert len(agree(state)) > 1_000
    assert not state.append([record("there is room again", user="u1")])[0].duplicate
    state.close()


def filled(folder: Path) -> int:
    """Fill a folder's file: 0 when that was told as it should be."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
    state = FolderState(folder, "process")
    taken = 0
    try:
        for i in range(100_000):
            state.append([record(f"{i}-{j}", user=f"u{j}", text="x" * 200) for j in range(7)])
            taken += 7
    except StorageError as error:
        if "data.mdb" not in str(error) or state.sizes().records != taken or state.head() != taken:
            return 2
        agree(state)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        state.append([record("room", user="u0")])  # the same handle goes on
        return int(state.head() != taken + 1)
    return 3


@pytest.mark.redis
def test_a_full_server_is_one_message_and_nothing_is_half_written() -> None:
    with redis_server.running("--appendonly", "yes", "--maxmemory", "4mb") as server:
        state = RedisState(server.url, "process", "written")
        taken = 0
        told = ""
        while not told:
            try:
                state.append([record(f"{taken + j}", user=f"u{j}", text="x" * 200) for j in range(7)])
                taken += 7
            except StorageError as error:
                told = str(error)
        assert "maxmemory" in told
        assert len(agree(state)) == state.head() == taken > 1_000


def some_state(folder: Path) -> Path:
    state = FolderState(folder, "process")
    for i in range(40):
        state.append([record(f"{i}-{j}", user=f"u{j % 7}", time_us=i, text="secret " * 9) for j in range(50)])
    state.close()
    return folder / "data.mdb"


def refused(folder: Path) -> IntegrityError:
    with pytest.raises(IntegrityError) as caught:
        FolderState(folder, "process")
    assert str(folder / "data.mdb") in str(caught.value)
    return caught.value


@pytest.mark.parametrize("size", [1, 100, 4_096 + 100, 100_000])
def test_a_file_that_was_cut_is_refused(tmp_path: Path, size: int) -> None:
    file = some_state(tmp_path / "live")
    os.truncate(file, size)
    assert refused(tmp_path / "live").exit_code == 4


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    file = some_state(tmp_path / "live")
    file.write_bytes(b"not a live state " * 10_000)
    refused(tmp_path / "live")


def test_a_changed_record_is_named_when_it_is_read(tmp_path: Path) -> None:
    file = some_state(tmp_path / "live")
    data = file.read_bytes()
    assert b'"7-3"' in data
    file.write_bytes(data.replace(b'"7-3"', b'"7-4"'))  # on pages in use and on those that were let go
    state = FolderState(tmp_path / "live", "process")
    with pytest.raises(IntegrityError, match="offset") as caught:
        agree(state)
    assert str(file) in str(caught.value)
    state.close()


@pytest.mark.parametrize("seed", range(6))
def test_scrambled_pages_are_seen_after_the_machine_was_started_anew(tmp_path: Path, seed: int) -> None:
    """As a power cut may leave them without fsync; whatever LMDB makes of them, the process stands."""
    file, chance = some_state(tmp_path / "live"), random.Random(seed)
    with file.open("r+b") as stream:
        pages = file.stat().st_size // 4_096
        for page in chance.sample(range(2, pages), pages // 3):
            stream.seek(page * 4_096)
            stream.write(bytes(4_096) if seed % 2 else chance.randbytes(4_096))
    (tmp_path / "live" / "boot").write_text("another boot")
    refused(tmp_path / "live")


def test_a_whole_state_is_opened_after_the_machine_was_started_anew(tmp_path: Path) -> None:
    some_state(tmp_path / "live")
    (tmp_path / "live" / "boot").write_text("another boot")
    state = FolderState(tmp_path / "live", "process")
    assert len(agree(state)) == 2_000
    state.close()


def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "live").write_text("a file where the folder should be")
    with pytest.raises(ChronotopeError) as caught:
        FolderState(tmp_path / "live", "process")
    assert caught.value.exit_code == StorageError.exit_code
    assert ids([]) == []
