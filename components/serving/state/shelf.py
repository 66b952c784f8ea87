"""One open LMDB environment for a folder and process: opened once, shared by all who ask, checked, its errors told.

LMDB is a file that readers map and one writer at a time changes; a process that is killed leaves the last committed
transaction. A transaction is committed into the kernel's memory (`process`), or flushed to the disk (`fsync`). The map
is a reservation of addresses: the file grows as it is written, up to what the disk holds. Nothing here knows records.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import lmdb

from components.errors import BusyError, ChronotopeError, ConfigError, IntegrityError, StorageError
from components.serving.state import check
from components.serving.state.tail import Tail

#: LMDB's own; its stubs allow for memoryviews, which are never asked for here.
Transaction = Any
_MAP = 1 << 40  # bytes of addresses, not of disk
_LEAST_MAP = 1 << 30
_READERS = 1_024
_FORMAT = b"1"
_HEADS = struct.Struct(">QQQQ")
#: With them the base class itself: what the operating system refused, a write that was cut short, a file too large.
_UNWRITTEN = (
    lmdb.DiskError,
    lmdb.MapFullError,
    lmdb.TxnFullError,
    lmdb.ReadonlyError,
    lmdb.LockError,
    OSError,
    MemoryError,
)
_CROWDED = (lmdb.ReadersFullError, lmdb.TlsFullError)


class Heads(NamedTuple):
    """What a transaction knows of the whole.

    Attributes
    ----------
    head : greatest offset that was given
    folded : offset up to which the index holds everything
    epoch : how often records have left by age
    users : users with events in the index
    """

    head: int = 0
    folded: int = 0
    epoch: int = 0
    users: int = 0


class Shelf:
    """An open environment with its two trees, the memory of what is not indexed, and the locks of this process.

    `writing` is held over a whole change and `view` while `tail` is read or changed; who needs both takes `writing`
    first. A reader opens its transaction inside `view`, so that `tail` is never newer than it.
    """

    def __init__(self, folder: Path, durability: str, begin: int, most_bytes: int) -> None:
        self.folder, self.durability = folder, durability
        self.told = _Told(folder)
        self.writing, self.view = threading.Lock(), threading.Lock()
        self.tail = Tail(most_bytes)
        with self.told:
            folder.mkdir(parents=True, exist_ok=True)
            check.before_opening(folder)
            self.env = _open(folder, durability == "fsync")
            try:
                self._begin(begin)
            except (ChronotopeError, lmdb.Error):
                self.env.close()
                raise

    def _begin(self, begin: int) -> None:
        self.env.reader_check()  # slots of readers that were killed
        self.log = self.env.open_db(b"log")
        self.index = self.env.open_db(b"index")
        with self.env.begin(write=True) as txn:
            found = txn.get(b"format")
            if found is None:
                txn.put(b"format", _FORMAT)
                self.write(txn, Heads(head=begin, folded=begin))
            elif bytes(found) != _FORMAT:
                raise ConfigError(
                    f"a live state of format {_FORMAT.decode()} in {self.folder}",
                    found=f"format {bytes(found)!r}",
                    do="Use the version of Chronotope that made it, or another folder.",
                )
            heads = self.read(txn)
            self.tail.restart(heads.folded, heads.epoch)

    def read(self, txn: Transaction) -> Heads:
        """What a transaction knows of the whole."""
        data = txn.get(b"heads")
        if data is None:
            raise lmdb.CorruptedError("the heads are missing")
        return Heads._make(_HEADS.unpack(data))

    def write(self, txn: Transaction, heads: Heads) -> None:
        """Set it."""
        txn.put(b"heads", _HEADS.pack(*heads))


def _open(folder: Path, fsync: bool) -> lmdb.Environment:
    """Open with as large a map as this process may have."""
    size = _MAP
    while True:
        try:
            return lmdb.open(
                str(folder), map_size=size, max_dbs=2, max_readers=_READERS, sync=fsync, metasync=fsync, mode=0o600
            )
        except (MemoryError, lmdb.MemoryError):  # a limit on addresses (ulimit -v)
            if size <= _LEAST_MAP:
                raise
            size //= 4


class _Told:
    """Turns what LMDB and the operating system say into errors that name the folder. May be entered by many at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is None or not isinstance(error, (lmdb.Error, OSError, MemoryError, struct.error, IntegrityError)):
            return
        file = self._folder / "data.mdb"
        if isinstance(error, IntegrityError):
            if str(file) in error.found:
                return
            raise IntegrityError(error.needed, found=f"{error.found}, in {file}", do=check.RESTORE) from error
        if isinstance(error, _CROWDED):
            raise BusyError(
                f"a place among {_READERS} readers of {file}", found="none free", do="End processes that read it."
            ) from error
        if type(error) is lmdb.Error or isinstance(error, _UNWRITTEN):
            free = shutil.disk_usage(self._folder).free if self._folder.exists() else 0
            raise StorageError(
                f"to write {file}",
                found=f"{error} ({free:,} bytes are free there)",
                do="Free some space or permit the write, and send the same again: nothing of it was taken.",
            ) from error
        found = f"{type(error).__name__}: {error}"
        raise IntegrityError(f"a whole live state in {file}", found=found, do=check.RESTORE) from error


_shelves: dict[Path, tuple[Shelf, int]] = {}
_opening = threading.Lock()


def take(folder: Path, durability: str, begin: int, most_bytes: int) -> Shelf:
    """The environment of a folder: this process's, or a new one. Every taker lets go of it once.

    An empty folder gives offsets beyond `begin`; histories of at most `most_bytes` are held.

    Raises
    ------
    ConfigError
        This process has it open with another durability.
    """
    folder = folder.resolve()
    with _opening:
        shelf, takers = _shelves.get(folder, (None, 0))
        if shelf is None:
            shelf = Shelf(folder, durability, begin, most_bytes)
        elif shelf.durability != durability:
            raise ConfigError(
                f"durability {durability} for {folder}",
                found=f"it open with {shelf.durability} in this process",
                do="Close it first.",
            )
        _shelves[folder] = shelf, takers + 1
        return shelf


def let_go(shelf: Shelf) -> None:
    """Close the environment with its last taker."""
    with _opening:
        _, takers = _shelves[shelf.folder]
        if takers > 1:
            _shelves[shelf.folder] = shelf, takers - 1
            return
        del _shelves[shelf.folder]
        with contextlib.suppress(lmdb.Error):
            shelf.env.close()


def _after_fork() -> None:
    """A child of a fork may not use what its parent has open."""
    _shelves.clear()


os.register_at_fork(after_in_child=_after_fork)
