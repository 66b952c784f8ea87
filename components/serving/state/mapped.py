"""The pages of a file that a process has mapped and read: they count as its memory until somebody needs the room.

A log that grows would so make every process that follows it grow. Letting go of pages changes nothing but that: the
kernel keeps them as any file's, and who reads one again has it back at once. Linux alone; elsewhere nothing is done.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_DONT_NEED = 4  # MADV_DONTNEED: of a shared mapping of a file that is only read
_MAPS = Path("/proc/self/maps")


def let_go(path: Path) -> int:
    """Let go of the pages of a file that this process has mapped to read.

    Parameters
    ----------
    path : of the file, absolute

    Returns
    -------
    int
        Mappings of it; 0 where there is none, or it cannot be told.
    """
    try:
        size, lines = path.stat().st_size, _MAPS.read_text("utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return 0
    ours = [line.split(maxsplit=5) for line in lines if line.endswith(f" {path}")]
    spans = [row[0].split("-") for row in ours if row[1] == "r--s" and row[5] == str(path)]
    libc = ctypes.CDLL(None, use_errno=True)
    for first, last in spans:
        start = int(first, 16)
        length = min(int(last, 16) - start, -(-size // os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PAGE_SIZE"))
        libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), _DONT_NEED)
    return len(spans)
