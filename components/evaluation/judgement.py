"""What a judge wrote down: one row per query, from which every figure, interval and difference is computed.

A judgement is plain columns, so that two models, two seeds or two champions can be compared query by query long
after they were judged. Nothing here asks a predictor anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import DataError, IntegrityError
from components.evaluation.metrics import item_metric
from components.evaluation.protocol import Protocol
from components.files import write_with

#: Quantiles of the time to the next event that are kept: the median and the edges of the 50, 80 and 95 % intervals.
QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
#: Items kept of each answer, for coverage, diversity and novelty.
TOP = 10


@dataclass(frozen=True)
class Judgement:
    """How one predictor answered the queries of one window.

    Attributes
    ----------
    model : name of the predictor
    window : name of the window
    protocol : the rules
    n_items : items that were ranked
    table : one row per query, in the order they were asked:
        `row` int64 (of the answer in the store), `user` int32, `time_s` int64 (of the answer), `target` list of
        int32 item codes, `ranks` list of float32 (inf = miss, NaN = not counted), `log_p` float32 (mean over the
        answers that training saw), `top` list of int32, `top_p` float32, `hour` int8 local, `history` int32 visible
        events,
        `cold_user`, `cold_item`, `repeat` bool, `tier` int8 (0 head, 1 middle, 2 tail, -1 unknown);
        where the predictor can tell: `action` int8 and `action_p` list of float32; `gap_s` int64, `time_ll`,
        `time_pit`, `time_crps` float32 and `time_q` list of float32 (QUANTILES, seconds);
        `cell_p` float32 (of the true cell), `cell_rank` float32, `error_km` float32 (from the centre of the likeliest
        cell), `expected_km` float32 (from the point that the ranked items are expected at);
        where it was judged under a policy, the columns of `ranking.rules.judged`
    about : shares and counts of the window, the same for every model
    """

    model: str
    window: str
    protocol: Protocol
    n_items: int
    table: pl.DataFrame
    about: dict[str, Any]

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def user(self) -> NDArray[np.int32]:
        """(Q,) row of the user of each query."""
        return self.table["user"].to_numpy()

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """(Q+1,) the answers of query q are offsets[q]:offsets[q+1] of `ranks`."""
        return np.concatenate([[0], np.cumsum(self.table["ranks"].list.len().to_numpy())]).astype(np.int64)

    @cached_property
    def ranks(self) -> NDArray[np.float64]:
        """(T,) rank of each answer."""
        return self.table["ranks"].explode(empty_as_null=False).to_numpy().astype(np.float64)

    @cached_property
    def targets(self) -> NDArray[np.int32]:
        """(T,) item code of each answer."""
        return self.table["target"].explode(empty_as_null=False).to_numpy()

    @cached_property
    def lists(self) -> NDArray[np.int32]:
        """(Q, TOP) items that were answered, best first, 0 = none."""
        return self.matrix("top").astype(np.int32)

    def has(self, column: str) -> bool:
        """Whether the predictor could say what `column` needs."""
        return column in self.table.columns

    def column(self, name: str) -> NDArray[np.float64]:
        """(Q,) a column as numbers; null becomes NaN."""
        return self.table[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()

    def matrix(self, name: str) -> NDArray[np.float64]:
        """(Q, n) a column of lists of equal length."""
        column = self.table[name]
        width = len(column[0]) if len(column) else 0
        return column.explode(empty_as_null=False).to_numpy().astype(np.float64).reshape(len(column), width)

    def metric(self, name: str) -> NDArray[np.float64]:
        """(Q,) a metric of ranked items for each query (see `metrics.item_metric`); NaN = not counted."""
        return item_metric(name, self.ranks, self.offsets)

    def save(self, path: Path) -> None:
        """Write one Parquet file; the same judgement gives the same bytes."""
        about = {
            "model": self.model,
            "window": self.window,
            "protocol": self.protocol.record(),
            "n_items": self.n_items,
            "about": self.about,
        }
        text = json.dumps(about, sort_keys=True, allow_nan=False)
        write_with(path, lambda out: self.table.write_parquet(out, metadata={"judgement": text}))

    @classmethod
    def load(cls, path: Path) -> Judgement:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            There is no such file.
        IntegrityError
            The file is not a judgement.
        """
        try:
            record = json.loads(pl.read_parquet_metadata(path)["judgement"])
            table = pl.read_parquet(path)
        except FileNotFoundError as error:
            raise DataError(f"a judgement at {path}", found="nothing there", do="Run the evaluate stage.") from error
        except (pl.exceptions.PolarsError, KeyError, json.JSONDecodeError) as error:
            raise IntegrityError(
                f"a judgement in {path}", found=str(error), do="Run the evaluate stage again."
            ) from error
        protocol = Protocol(**record["protocol"])
        return cls(record["model"], record["window"], protocol, record["n_items"], table, record["about"])


def same_queries(a: Judgement, b: Judgement) -> bool:
    """Whether two judgements asked the same queries in the same order under the same rules."""
    return (
        a.window == b.window
        and a.protocol == b.protocol
        and a.table["row"].equals(b.table["row"])
        and a.table["user"].equals(b.table["user"])
    )
