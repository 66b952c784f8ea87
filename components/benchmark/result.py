"""What a benchmark found: a table for people and a record for machines. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from components.benchmark.paired import ahead_of_baselines, differences
from components.evaluation.judgement import Judgement
from components.evaluation.protocol import Protocol
from components.evaluation.significance import Bootstrap, over_seeds
from components.evaluation.summary import metric_names
from components.evaluation.table import cell
from components.params import Params

Record = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One model: its judgements, one for each seed, and the seconds that fitting took in all."""

    model: str
    judgements: Sequence[Judgement]
    train_seconds: float


@dataclass(frozen=True)
class BenchmarkResult:
    """What a benchmark found.

    Attributes
    ----------
    protocol : the rules
    data : size, digest and ties of the log
    rows : in the order of the params
    params : cut to the data
    made_by : what a rerun needs: the options of the command line (files by name), digests of code and params
    """

    protocol: Protocol
    data: Mapping[str, Any]
    rows: Sequence[Row]
    params: Params
    made_by: Mapping[str, Any]

    def record(self) -> Record:
        """The JSON of the command line.

        Returns
        -------
        dict
            `protocol`, `data` (`ties`: share of the events that follow another at the same time; `tied_targets`: of
            the answers), `primary`, `confidence`, `rows` of model, kind, metrics, seeds, seed_means (of the primary
            metric) and train_seconds, `paired`: model → other row → difference of the primary metric, and `made_by`.
            Computed once.
        """
        return self._record

    @cached_property
    def _record(self) -> Record:
        first, evaluation = self.rows[0].judgements[0], self.params.evaluation
        bootstrap = Bootstrap(first.user, evaluation.bootstrap, evaluation.confidence, self.params.workspace.seed)
        primary = {row.model: [one.metric(evaluation.primary) for one in row.judgements] for row in self.rows}
        rows: list[Record] = []
        for row in self.rows:
            metrics = {
                name: over_seeds([one.metric(name) for one in row.judgements], bootstrap)[0].record()
                for name in metric_names(evaluation.ks)
            }
            rows.append(
                {
                    "model": row.model,
                    "kind": self._kind(row.model),
                    "metrics": metrics,
                    "seeds": len(row.judgements),
                    "seed_means": [_mean(values) for values in primary[row.model]],
                    "train_seconds": round(row.train_seconds, 2),
                }
            )
        stated = ("queries", "users_asked", "unseen_share", "targets_in_window")
        told = ("digest", "users", "items", "events", "ties")
        tied = float(np.mean(first.column("gap_s") == 0))
        return {
            "protocol": self.protocol.record() | {name: first.about[name] for name in stated},
            "data": {name: self.data[name] for name in told} | {"tied_targets": tied},
            "primary": evaluation.primary,
            "confidence": evaluation.confidence,
            "rows": rows,
            "paired": differences(primary, [row["model"] for row in rows if row["kind"] == "model"], bootstrap),
            "made_by": dict(self.made_by),
        }

    def _kind(self, name: str) -> str:
        counts = name in self.params.memory.components or name in self.params.training.baselines
        return "baseline" if counts and name not in self.params.training.models else "model"

    def print(self, console: Console) -> None:
        """The table, best first, under its protocol; `*` marks a model that is ahead of every baseline."""
        record, primary = self.record(), self.params.evaluation.primary
        wanted = (primary, "hr@10", "hr@1") if console.width < 100 else (primary, "hr@10", "hr@1", "mrr")
        names = [name for name in dict.fromkeys(wanted) if name in record["rows"][0]["metrics"]]
        table = Table(
            title=f"{record['protocol']['split']}, {record['protocol']['queries']:,} questions",
            title_justify="left",
            box=SIMPLE_HEAD,
        )
        table.add_column("model", no_wrap=True)
        for name in (*names, "seeds", "fit, s"):
            table.add_column(name, justify="right", no_wrap=True)
        ahead = {row["model"] for row in record["rows"] if ahead_of_baselines(record, row["model"])}
        for row in sorted(record["rows"], key=lambda row: -(row["metrics"][primary]["value"] or 0.0)):
            figures = [cell(row["metrics"][name], stacked=True) for name in names]
            label = f"{row['model']} *" if row["model"] in ahead else row["model"]
            table.add_row(label, *figures, str(row["seeds"]), f"{row['train_seconds']:,.1f}")
        console.print(table)
        if ahead:
            console.print(
                f"* ahead of every baseline in {primary}: paired by user, every lower bound above 0",
                style="dim",
            )
        rules = " · ".join(f"{name} {value}" for name, value in self.protocol.record().items())
        data = record["data"]
        console.print(
            f"{rules} · unseen {record['protocol']['unseen_share']:.1%} of answers · ties {data['ties']:.1%} of events,"
            f" {data['tied_targets']:.1%} of answers · {data['items']:,} items ranked · data {data['digest'][:12]}",
            style="dim",
        )


def _mean(values: np.ndarray) -> float | None:
    return None if np.isnan(values).all() else float(np.nanmean(values))
