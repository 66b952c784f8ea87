"""The one door to the disk: atomic writes, digests, exclusive creation.

Every file or folder that Chronotope writes appears whole or not at all: it is written beside its
place, flushed to the disk, and renamed. A full disk or a kill leaves the previous version standing.
Nothing here knows what the bytes mean.

Fault points: `CHRONOTOPE_FAULT=name` kills the process (SIGKILL) at `fault("name")`; the fault tests
use it to die at exact moments. It is read only here.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from components.errors import DataError, IntegrityError, StorageError, UnsafeFileError

_BLOCK = 1 << 20
_PIECE = 2_000  # texts that are digested in one go


def fault(point: str) -> None:
    """Die here, at once and without cleaning up, when `CHRONOTOPE_FAULT` names this point."""
    if os.environ.get("CHRONOTOPE_FAULT") == point:
        os.kill(os.getpid(), signal.SIGKILL)


def sha256_file(path: Path) -> str:
    """Hex digest of one file, read in blocks of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def sha256_tree(folder: Path) -> dict[str, str]:
    """Relative POSIX path → digest of every file below `folder`, sorted; links are refused."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise UnsafeFileError(
                "plain files", found=f"a symbolic link at {path}", do="Replace the link by the file that it points to."
            )
        if path.is_file():
            found[path.relative_to(folder).as_posix()] = sha256_file(path)
    return found


def digest_of(record: Any) -> str:
    """Digest of any JSON-serialisable record, independent of key order."""
    return hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def digest_of_texts(texts: Iterable[str]) -> str:
    """`digest_of` of a list of texts, piece by piece: a million as one would let no other thread go on meanwhile."""
    digest, rest, between = hashlib.sha256(b"["), iter(texts), b""
    while piece := list(islice(rest, _PIECE)):
        digest.update(between + json.dumps(piece, separators=(",", ":"))[1:-1].encode())
        between = b","
    digest.update(b"]")
    return digest.hexdigest()


@contextlib.contextmanager
def _storage(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal into one clear message."""
    try:
        yield
    except OSError as error:
        free = shutil.disk_usage(_existing_parent(path)).free
        raise StorageError(
            f"to write {path}",
            found=f"{error.strerror or error} ({free:,} bytes are free there)",
            do="Free some space or permit the write, and run the same command again: what stood before still stands.",
        ) from error


def _existing_parent(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_with(path: Path, write: Callable[[Path], None]) -> None:
    """Call `write` with a temporary path beside `path`, flush what it wrote, and rename it into place."""
    with _storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        temporary = Path(name)
        try:
            write(temporary)
            _fsync(temporary)
            temporary.chmod(0o644)
            fault(f"before-rename:{path.name}")
            temporary.replace(path)
            _fsync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def write_aside(path: Path, write: Callable[[Path], None]) -> None:
    """Write and flush a file that nobody reads until `move_into` brings it to its place."""
    with _storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)
        _fsync(path)
        path.chmod(0o644)


def move_into(finished: Path, path: Path) -> None:
    """Rename what `write_aside` wrote to its place, or copy it there from another file system.

    That the new name survives a power cut is for `flush_names` to see to, once for many files.
    """
    with _storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        fault(f"before-rename:{path.name}")
        try:
            finished.replace(path)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            write_with(path, lambda temporary: _put(temporary, finished.read_bytes()))


def flush_names(folder: Path) -> None:
    """Flush the names of a folder's files to the disk, if it is there."""
    if folder.is_dir():
        with _storage(folder):
            _fsync(folder)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically."""
    write_with(path, lambda temporary: _put(temporary, data))


def _put(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, record: Any) -> None:
    """Write sorted, indented JSON atomically; NaN and infinity are refused."""
    write_text(path, json.dumps(record, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON, or say what is wrong with the file."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise DataError(f"the file {path}", found="nothing there", do="Run the stage that makes it.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise IntegrityError(
            f"valid JSON in {path}", found=str(error), do="Bring the file back from DVC or git, or run its stage again."
        ) from error


@contextlib.contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder`; on success it takes `folder`'s place, on failure it vanishes."""
    with _storage(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        temporary.chmod(0o755)
        try:
            yield temporary
            for path in temporary.rglob("*"):
                if path.is_file():
                    _fsync(path)
            fault(f"before-rename:{folder.name}")
            if folder.exists():
                _exchange(temporary, folder)
            else:
                temporary.rename(folder)
            _fsync(folder.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def _exchange(left: Path, right: Path) -> None:
    """Swap two folders in one step of the kernel (Linux renameat2), so that no moment is without `right`.

    Where the kernel or the file system cannot, the swap takes three renames, and a kill between them leaves
    the old folder under a hidden name beside the place.
    """
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    names = os.fsencode(left), os.fsencode(right)
    if renameat2 is not None and renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return
    aside = right.with_name(left.name + ".old")
    right.rename(aside)
    left.rename(right)
    aside.rename(left)


def create_exclusive(path: Path, data: bytes) -> bool:
    """Create `path` with `data` only if nothing is there: exactly one of many racers wins.

    Returns
    -------
    bool
        True when this call created the file; False when it already existed.
    """
    with _storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.chmod(0o644)
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
            _fsync(path.parent)
            return True
        finally:
            temporary.unlink(missing_ok=True)
