"""Why a batch failed, in words and in events: turns a broken expectation into a `Failure`.

Never here: deciding whether it failed.
"""

from __future__ import annotations

import datetime as dt
import difflib

import polars as pl
import polars.selectors as cs

from components.events.batch import unit_factor, unit_name
from components.events.catalogue_check import CatalogueCheck
from components.events.contract import SCHEMA
from components.events.reference import QUARTILES, Reference
from components.events.sieve import Sieve
from components.events.snapshot import Snapshot
from components.events.suite import Expectation, broken
from components.events.validation_report import Failure

_SHOWN = 5
_IDENTIFYING = ("user_id", "item_id", "action", "timestamp")
_MAX_TEXT = 60


class Explainer:
    """Explains broken expectations of one snapshot.

    Parameters
    ----------
    snapshot : where the events are
    sieve : how its rows were judged
    reference, catalogue : what the batch was held to
    """

    def __init__(self, snapshot: Snapshot, sieve: Sieve, reference: Reference, catalogue: CatalogueCheck) -> None:
        self._snapshot, self._sieve = snapshot, sieve
        self._reference, self._catalogue = reference, catalogue

    def explain(self, line: Expectation, table: pl.DataFrame) -> Failure:
        """The failure of one expectation of `days` or `batch`, with its first offending events.

        Parameters
        ----------
        line : a broken expectation
        table : the table that it is about
        """
        worst = table.filter(broken(line))
        if line.table == "days":
            found, events = self._of_day(line, worst.row(0, named=True)["day"], len(worst))
        elif line.name in self._catalogue.faults:
            events = self._catalogue.faults[line.name]
            found = f"{len(events):,} rows that are not so"
        else:
            found, events = self._of_batch(line, worst[line.column].item())
        return Failure(line.name, line.needed, found, line.do, self._show(events, self._columns(line, events)))

    def _of_day(self, line: Expectation, day: dt.date, days: int) -> tuple[str, pl.DataFrame]:
        row = self._sieve.days.filter(pl.col("day") == day).row(0, named=True)
        kind, _, subject = line.column.partition("_")
        more = f" (and on {days - 1} more days)" if days > 1 else ""
        events = self._sieve.judge(self._snapshot.read([day]))
        if kind == "unit":
            usual = self._reference.quartiles[subject] or (1.0, 1.0, 1.0)
            return self._unit(subject, row, usual) + f" on {day}{more}", events.filter(pl.col(subject).is_not_null())
        if kind == "drift":
            what, _, name = subject.partition("_")
            shares = self._reference.action_share if what == "action" else self._reference.null_share
            share = row[subject] / row["rows"]
            found = f"{share:.1%} against {shares[name]:.1%} on {day}{more}"
            mine = pl.col("action") == name if what == "action" else pl.col(name).is_null()
            if share < shares[name]:  # there is nothing to show but what came instead
                mine = ~mine
            return found, events.filter(mine.fill_null(True)).sort(pl.col("rule").is_null(), maintain_order=True)
        if kind == "quarantined":
            bad = events.filter(pl.col("rule").is_not_null())
            return f"{len(bad):,} of {len(events):,} rows on {day}{more}{self._most(bad)}", bad
        return f"{row['kept']:,} against {self._reference.daily_rows:,.0f} on {day}{more}", events

    def _unit(self, measure: str, row: dict[str, float], usual: tuple[float, float, float]) -> str:
        now = tuple(row[f"q{100 * q:.0f}_{measure}"] for q in QUARTILES)
        factor = unit_factor(measure, now, usual)
        return f"a median size of {now[1]:.4g} against {usual[1]:.4g} (×{factor:.4g}: {unit_name(measure, factor)}?)"

    def _of_batch(self, line: Expectation, value: float) -> tuple[str, pl.DataFrame]:
        if line.column == "empty_days":
            kept = self._sieve.days.filter(pl.col("kept") > 0)
            gap = kept["day"].diff().dt.total_days().fill_null(1)
            at = int(gap.arg_max() or 0)
            last, first = kept["day"][at - 1], kept["day"][at]
            events = self._sieve.judge(self._snapshot.read([first])).filter(pl.col("rule").is_null())
            return f"{value:,} days in a row, after {last} and before {first}", events
        if line.column.startswith("missing_"):
            name = line.column.removeprefix("missing_")
            return f"{value:.2%}", self._first(pl.col(name).is_null() & pl.col("rule").is_null())
        bad = self._sieve.quarantine
        return f"{len(bad):,} of {self._snapshot.rows:,} rows in quarantine{self._most(bad)}", bad

    def _columns(self, line: Expectation, events: pl.DataFrame) -> list[str]:
        """Columns that the expectation is about, or that the first rows were refused for."""
        if line.name in self._catalogue.faults:
            return ["item_id", "user_id", "latitude", "longitude"]
        if "rule" in events.columns and events["rule"].head(_SHOWN).null_count() == 0:
            blamed = set(events["rule"].head(_SHOWN))
            return [one.column for one in self._sieve.suite if one.name in blamed]
        return [name for name in SCHEMA if line.column.endswith(f"_{name}")]

    def _first(self, condition: pl.Expr) -> pl.DataFrame:
        for chunk in self._snapshot.chunks():
            found = self._sieve.judge(chunk).filter(condition)
            if len(found):
                return found
        return self._sieve.quarantine.clear()

    def _most(self, bad: pl.DataFrame) -> str:
        """«, most by `rule` (needed …)» and, where times or actions look like something known, what."""
        if not len(bad):
            return ""
        name = bad["rule"].value_counts(sort=True)["rule"][0]
        needed = next(line.needed for line in self._sieve.suite if line.name == name)
        hint = f", most by {name} (needed {needed})"
        if name == "action_known":
            new = bad.filter(pl.col("rule") == name)["action"].value_counts(sort=True)["action"][0]
            near = difflib.get_close_matches(new, list(self._reference.action_share), n=1, cutoff=0.4)
            return f"{hint}: `{new}`" + (f", perhaps `{near[0]}`?" if near else "")
        if name != "timestamp_in_span":
            return hint
        middle = bad.filter(pl.col("rule") == name)["timestamp"].dt.epoch("s").median()
        first, last = (dt.datetime.fromisoformat(day).timestamp() for day in self._span())
        for factor, unit in ((1e3, "seconds read as milliseconds"), (1e-3, "milliseconds read as seconds")):
            if isinstance(middle, float) and first * 0.9 <= middle * factor <= last * 1.1:
                return f"{hint}: {unit}?"
        return hint

    def _span(self) -> tuple[str, str]:
        return f"{self._reference.first_day}T00:00:00+00:00", f"{self._reference.last_day}T00:00:00+00:00"

    def _show(self, events: pl.DataFrame, columns: list[str]) -> list[dict[str, str]]:
        """Up to five rows as text: the rule, what identifies the row, and the columns in question."""
        order = dict.fromkeys(["rule", *_IDENTIFYING, *columns])
        shown = events.head(_SHOWN).select(name for name in order if name in events.columns)
        text = shown.with_columns(cs.float().round_sig_figs(8)).select(pl.all().cast(pl.String).fill_null(""))
        return list(text.select(pl.all().str.slice(0, _MAX_TEXT)).iter_rows(named=True))
