"""A process that writes to a live state and says what was acknowledged, for tests that kill it or run several.

    python -m tests.livewriter WHERE MINE EVENTS BATCH DURABILITY

WHERE is a folder or an address; event i of MINE goes to user i % 7. Each acknowledged event is a line on stdout,
written before the next batch is sent.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from components.serving.state.folder import FolderState
from components.serving.state.protocol import State
from components.serving.state.redis import RedisState
from tests.livestate import record


def opened(where: str, durability: str) -> State:
    """The state at a folder or an address."""
    return RedisState(where, durability, "written") if "://" in where else FolderState(Path(where), durability)


def main() -> None:
    """Write until done, or killed."""
    where, mine, events, batch, durability = sys.argv[1:]
    state = opened(where, durability)
    for start in range(0, int(events), int(batch)):
        some = range(start, min(start + int(batch), int(events)))
        sent = [record(f"{mine}-{i}", user=f"u{i % 7}", time_us=i * 37 % 1_000, item_id=f"item {i}") for i in some]
        receipts = state.append(sent)
        pairs = zip(sent, receipts, strict=True)
        lines = [f"{one.id} {receipt.offset} {int(receipt.duplicate)}\n" for one, receipt in pairs]
        os.write(1, "".join(lines).encode())
    state.close()


if __name__ == "__main__":
    main()
