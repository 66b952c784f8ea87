"""Is a file what its name says, and nothing that could run? Looked at before anything deserialises it.

Formats are closed: JSON, Parquet, safetensors, .npy, text, CSV. Pickles, archives, links and devices are refused by
what they are, whatever they are called. Nothing here executes, imports or unpickles anything.
"""

from __future__ import annotations

import json
import math
import os
import stat
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from pyarrow.lib import ArrowException

from components.errors import IntegrityError, UnsafeFileError

MAX_FILES = 10_000
MAX_JSON_BYTES = 64 << 20
MAX_HEADER_BYTES = 4 << 20  # of a safetensors file: some 40,000 tensors
MAX_NPY_HEADER_BYTES = 10_000
#: Opening bytes of pickles (protocols 2..5) and zip archives (torch.save, npz, jar).
_FORBIDDEN: Mapping[bytes, str] = {bytes([0x80, n]): f"a pickle (protocol {n})" for n in range(2, 6)} | {
    b"PK\x03\x04": "a zip archive"
}
_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_DO = "Do not use this artifact; fetch it again from the registry, or train again."


def _unsafe(needed: str, found: str) -> UnsafeFileError:
    return UnsafeFileError(needed, found=found, do=_DO)


def _broken(needed: str, found: str) -> IntegrityError:
    return IntegrityError(needed, found=found, do=_DO)


def check_relative(name: str) -> None:
    """Refuse a path that could leave its folder or hide: absolute, `..`, backslash, control characters, dots."""
    parts = PurePosixPath(name).parts
    plain = name == "/".join(parts) and all(part.isprintable() and "\\" not in part for part in parts)
    if not name or not plain or name.startswith("/") or any(part.startswith(".") for part in parts):
        raise _unsafe("relative paths inside the artifact", f"the path {name!r}")


def walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Relative POSIX path and status of every file below `folder`; refuses links, devices, pipes, too many files."""
    seen = 0
    pending = [folder]
    while pending:
        here = pending.pop()
        if here.is_symlink():
            raise _unsafe("a plain folder", f"a symbolic link at {here}")
        for entry in sorted(os.scandir(here), key=lambda one: one.name):
            status = entry.stat(follow_symlinks=False)
            name = Path(entry.path).relative_to(folder).as_posix()
            if stat.S_ISDIR(status.st_mode):
                pending.append(Path(entry.path))
                continue
            if not stat.S_ISREG(status.st_mode):
                kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "a device, socket or pipe"
                raise _unsafe("plain files", f"{kind} at {name}")
            seen += 1
            if seen > MAX_FILES:
                raise _unsafe(f"at most {MAX_FILES:,} files", f"more in {folder}")
            yield name, status


def check_file(path: Path, name: str) -> None:
    """Check one file by its suffix and its content.

    Raises
    ------
    UnsafeFileError
        It is of a kind that an artifact may not hold, or asks for what a data file may not.
    IntegrityError
        It is not a whole file of its kind.
    """
    with path.open("rb") as stream:
        head = stream.read(8)
    for opening, what in _FORBIDDEN.items():
        if head.startswith(opening):
            raise _unsafe(f"a data file at {name}", what)
    check = _CHECKS.get("".join(PurePosixPath(name).suffixes[-1:]))
    if check is None:
        raise _unsafe(f"one of {', '.join(sorted(_CHECKS))}", name)
    check(path, name)


def _check_json(path: Path, name: str) -> None:
    if path.stat().st_size > MAX_JSON_BYTES:
        raise _unsafe(f"at most {MAX_JSON_BYTES:,} bytes of JSON", f"{path.stat().st_size:,} in {name}")
    parse_json(path.read_bytes(), name)


def parse_json(data: bytes, name: str) -> Any:
    """Parse JSON; NaN, infinity, repeated keys and deep nesting are refused."""
    try:
        return json.loads(data, parse_constant=_no_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise _broken(f"plain JSON in {name}", str(error)[:200]) from error


def _no_constant(value: str) -> None:
    raise ValueError(f"the constant {value}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a repeated key")
    return record


def _check_text(path: Path, name: str) -> None:
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise _broken(f"UTF-8 text in {name}", str(error)) from error


def _check_parquet(path: Path, name: str) -> None:
    try:
        file = pq.ParquetFile(path)
        extensions = [field.name for field in file.schema_arrow if "extension" in str(field.type).lower()]
    except (ArrowException, OSError) as error:
        raise _broken(f"a Parquet file in {name}", str(error)[:200]) from error
    if extensions:
        raise _unsafe(f"plain columns in {name}", f"the extension type of {extensions[0]}")


def _check_npy(path: Path, name: str) -> None:
    try:
        with path.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(stream, max_header_size=MAX_NPY_HEADER_BYTES)
            start = stream.tell()
    except (ValueError, SyntaxError, EOFError, TypeError) as error:
        raise _broken(f"an array in {name}", str(error)[:200]) from error
    if dtype.hasobject:
        raise _unsafe(f"plain numbers or text in {name}", f"objects (dtype {dtype}), which only a pickle can hold")
    if math.prod(shape) * dtype.itemsize != path.stat().st_size - start:
        raise _broken(f"{shape} of {dtype} in {name}", f"{path.stat().st_size - start:,} bytes")


def _check_safetensors(path: Path, name: str) -> None:
    read_shapes(path, name)


def read_shapes(path: Path, name: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Tensor → (dtype, shape) of a safetensors file whose header is sane: small, and covering the file exactly."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        opening = stream.read(8)
        length = struct.unpack("<Q", opening)[0] if len(opening) == 8 else size
        if length > min(MAX_HEADER_BYTES, size - 8):
            raise _unsafe(
                f"a header of at most {MAX_HEADER_BYTES:,} bytes in {name}", f"{length:,} in a file of {size:,}"
            )
        header = parse_json(stream.read(length), name)
    if not isinstance(header, dict):
        raise _broken(f"a table of tensors in {name}", type(header).__name__)
    header.pop("__metadata__", None)
    shapes, spans = {}, []
    for tensor, record in header.items():
        dtype, shape, begin, end = _tensor(tensor, record, name)
        if math.prod(shape) * _SIZES[dtype] != end - begin:
            raise _unsafe(f"{shape} of {dtype} for {tensor} in {name}", f"{end - begin:,} bytes")
        shapes[tensor] = (dtype, shape)
        spans.append((begin, end))
    edge = 0
    for begin, end in sorted(spans):
        if begin != edge:
            raise _unsafe(f"tensors one after the other in {name}", f"byte {begin:,} after {edge:,}")
        edge = end
    if edge != size - 8 - length:
        raise _broken(f"{edge:,} bytes of tensors in {name}", f"{size - 8 - length:,}")
    return shapes


def _tensor(tensor: str, record: Any, name: str) -> tuple[str, tuple[int, ...], int, int]:
    try:
        dtype, shape, (begin, end) = record["dtype"], tuple(record["shape"]), record["data_offsets"]
    except (TypeError, KeyError, ValueError) as error:
        raise _broken(f"dtype, shape and data_offsets for {tensor} in {name}", repr(record)[:80]) from error
    numbers = [*shape, begin, end]
    if dtype not in _SIZES or not all(type(n) is int and 0 <= n < 1 << 48 for n in numbers) or len(shape) > 8:
        raise _unsafe(f"a plain tensor for {tensor} in {name}", repr(record)[:80])
    return dtype, shape, begin, end


_CHECKS: Mapping[str, Callable[[Path, str], None]] = {
    ".csv": _check_text,
    ".json": _check_json,
    ".md": _check_text,
    ".npy": _check_npy,
    ".parquet": _check_parquet,
    ".safetensors": _check_safetensors,
    ".txt": _check_text,
}
