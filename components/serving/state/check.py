"""Whether a folder of the live state is whole: asked before it is opened, answered by a process of its own.

    python -m components.serving.state.check FOLDER

LMDB trusts its file: pages that are missing or scrambled can end the process that touches them. Without fsync a power
cut can leave such pages. So where the machine was started anew since the last opening, or the file is shorter than it
says, every page is walked and every checksum compared in a child first. Nothing here changes the state.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import lmdb

from components.errors import IntegrityError
from components.files import write_text
from components.serving.state import keys

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_META = struct.Struct("<16xII8x8xI92xQQ")  # page header; magic, version, …, page size, …, last page, transaction
_MAGIC = 0xBEEFC0DE
_LONGEST_S = 600.0
RESTORE = "Move the folder aside (an empty one is begun) or bring back a copy; what was collected is in data/events."


def before_opening(folder: Path) -> None:
    """See that a folder may be opened.

    Raises
    ------
    IntegrityError
        Its file is damaged.
    """
    file, boot = folder / "data.mdb", folder / "boot"
    now = _BOOT.read_text().strip() if _BOOT.is_file() else ""
    if not file.is_file() or file.stat().st_size == 0:
        write_text(boot, now)
        return
    if not _long_enough(file) or not boot.is_file() or boot.read_text() != now:
        _ask_a_child(folder)
        write_text(boot, now)


def _long_enough(file: Path) -> bool:
    """Whether a file holds every page that its newest head knows of."""
    with file.open("rb") as stream:
        first = stream.read(_META.size)
        page = _META.unpack(first)[2] if len(first) == _META.size else 0
        stream.seek(page)
        second = stream.read(_META.size)
    heads = [_META.unpack(one) for one in (first, second) if len(one) == _META.size]
    if not heads or any(magic != _MAGIC for magic, *_ in heads) or page == 0:
        raise _damaged(file, "a head that is not LMDB's")
    last_page, _ = max(((last, txn) for _, _, _, last, txn in heads), key=lambda one: one[1])
    return bool(file.stat().st_size >= (last_page + 1) * page)


def _ask_a_child(folder: Path) -> None:
    try:
        command = [sys.executable, "-m", __name__, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise _damaged(folder / "data.mdb", f"no answer of the check within {_LONGEST_S:.0f} s") from error
    if done.returncode:
        told = done.stderr.strip().splitlines() or [f"the check died of signal {-done.returncode}"]
        raise _damaged(folder / "data.mdb", told[-1])


def _damaged(file: Path, found: str) -> IntegrityError:
    return IntegrityError(f"a whole live state in {file}", found=found, do=RESTORE)


def walk(folder: Path) -> int:
    """Read every page and compare every checksum.

    Returns
    -------
    int
        Records of the log.

    Raises
    ------
    IntegrityError, lmdb.Error
        Something is damaged.
    """
    records = 0
    with lmdb.open(str(folder), readonly=True, create=False, max_dbs=2, map_size=1 << 40) as env:
        log, index = env.open_db(b"log", create=False), env.open_db(b"index", create=False)
        with env.begin() as txn:
            for key, value in txn.cursor(log):
                keys.verify(keys.unpack_offset(key), value)
                records += 1
            last = b""
            for key, _ in txn.cursor(index):
                if key <= last or len(key) < keys.USER + 1:
                    raise IntegrityError("an index in order", found=f"the key {key.hex()} out of order", do="")
                last = key
    return records


def main() -> int:
    """Walk the folder that is named; the exit code says whether it is whole."""
    try:
        walk(Path(sys.argv[1]))
    except (IntegrityError, lmdb.Error, struct.error) as error:
        sys.stderr.write(f"{error.found if isinstance(error, IntegrityError) else error}\n")
        return IntegrityError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
