"""What a benchmark found: a table for people and a record for machines. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

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
    """What a benchmark found."""

    protocol: Protocol
    data: Mapping[str, Any]
    rows: Sequence[Row]
    params: Params

    def record(self) -> Record:
        """The JSON of the command line: protocol, data, rows of model, metrics, seeds, train_seconds."""
        first = self.rows[0].judgements[0]
        names = metric_names(self.params.evaluation.ks)
        bootstrap = Bootstrap(
            first.user, self.params.evaluation.bootstrap, self.params.evaluation.confidence, self.params.workspace.seed
        )
        rows = []
        for row in self.rows:
            metrics = {
                name: over_seeds([one.metric(name) for one in row.judgements], bootstrap)[0].record() for name in names
            }
            seconds = round(row.train_seconds, 2)
            rows.append(
                {"model": row.model, "metrics": metrics, "seeds": len(row.judgements), "train_seconds": seconds}
            )
        stated = ("queries", "users_asked", "unseen_share", "targets_in_window")
        protocol = self.protocol.record() | {name: first.about[name] for name in stated}
        data = {name: self.data[name] for name in ("digest", "users", "items", "events", "ties")}
        return {"protocol": protocol, "data": data, "rows": rows}

    def print(self, console: Console) -> None:
        """The table, best first, under its protocol."""
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
        for row in sorted(record["rows"], key=lambda row: -(row["metrics"][primary]["value"] or 0.0)):
            figures = [cell(row["metrics"][name], stacked=True) for name in names]
            table.add_row(row["model"], *figures, str(row["seeds"]), f"{row['train_seconds']:,.1f}")
        console.print(table)
        rules = " · ".join(f"{name} {value}" for name, value in self.protocol.record().items())
        data = record["data"]
        console.print(
            f"{rules} · unseen {record['protocol']['unseen_share']:.1%} of answers · ties {data['ties']:.1%} of events"
            f" · {data['items']:,} items ranked · data {data['digest'][:12]}",
            style="dim",
        )
