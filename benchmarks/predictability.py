"""How predictable people's next place is: entropies, the bound of Fano's inequality, and what two counters reach.

    OMP_NUM_THREADS=1 python -m benchmarks.predictability --data DIR [--json OUT]

DIR holds `foursquare-nyc`. Figures are means over the users with at least 50 events, with the bootstrap interval over
users. The counters guess every event but a user's first from those before it: the most frequent place so far (of equal
ones the latest), and what most often followed the last place (else the most frequent). The bound is of the order of the
symbols alone, in the limit of long histories; a counter learns as it goes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.benchmark.load import Options, load_log
from components.compiled import released
from components.evolution.habits.predictability import predictability
from components.evolution.log import Log
from components.evolution.record import plain
from components.evolution.sequences import Sequences, sequences
from components.evolution.significance import mean_by_user
from components.files import write_json

LEAST, MOST = 50, 2000
NAMES = ("random", "uncorrelated", "real", "most", "most_uncorrelated")


@released
def guesses(offsets: NDArray[np.int64], label: NDArray[np.int64]) -> NDArray[np.int64]:
    """(2, U) right guesses of the most frequent label so far, and of the most frequent successor of the last one."""
    right = np.zeros((2, len(offsets) - 1), np.int64)
    for unit in range(len(offsets) - 1):
        low, high = offsets[unit], offsets[unit + 1]
        if high == low:
            continue
        names = np.unique(label[low:high])
        code = np.searchsorted(names, label[low:high])
        count, follows = np.zeros(len(names), np.int64), np.zeros((len(names), len(names)), np.int64)
        favourite, next_one = code[0], np.full(len(names), -1, np.int64)
        count[code[0]] = 1
        for row in range(1, high - low):
            last, now = code[row - 1], code[row]
            right[0, unit] += favourite == now
            right[1, unit] += (next_one[last] if next_one[last] >= 0 else favourite) == now
            count[now] += 1
            follows[last, now] += 1
            if count[now] >= count[favourite]:
                favourite = now
            if next_one[last] < 0 or follows[last, now] >= follows[last, next_one[last]]:
                next_one[last] = now
    return right


def row(what: str, found: Sequences) -> dict[str, Any]:
    """One line of the table."""
    limits = predictability(found, LEAST, MOST)
    used = limits.events > 0
    answer: dict[str, Any] = {"what": what, "users": int(used.sum())}
    for name in NAMES:
        value = np.where(used, getattr(limits, name), 0)
        answer[name] = mean_by_user(value, used, 1000, 0.95, 0)
    for name, right in zip(("frequency", "markov"), guesses(found.offsets, found.label), strict=True):
        share = right / np.maximum(np.diff(found.offsets) - 1, 1)
        answer[name] = mean_by_user(np.where(used, share, 0), used, 1000, 0.95, 0)
    return answer


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    params, events, items, _ = load_log(
        Options(source="foursquare", path=args.data / "foursquare-nyc" / "train.csv.gz"), print
    )
    log = Log.of_frame(events, items, params.events.timezone)
    rows = [row("venue", sequences(log, log.item, len(log.items), None))]
    for resolution, name in ((9, "H3 cell of 0.2 km"), (7, "H3 cell of 1.4 km")):
        cells, index = log.cells(resolution)
        rows.append(row(name, sequences(log, index, len(cells), None)))
    rows.append(row("category", sequences(log, log.category, len(log.categories), None)))
    record = plain({"least_events": LEAST, "most_events": MOST, "rows": rows})
    print(json.dumps(record, indent=2))
    if args.json:
        write_json(args.json, record)


if __name__ == "__main__":
    main()
