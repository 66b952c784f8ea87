"""The stage `evolve`: how interests, habits, places and life cycles of a log's users change, as tables and one page.

Reads data/features; writes reports/evolution/ (findings.json, a CSV for every table, index.html, and summary.json for
the service), whole or not at all, and keeps it under reports/evolutions/, so that the next one says what changed. The
same inputs after the same report give the same bytes: no clock, no path. Nothing is trained for the service, and no
single user is told.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.code import code_digest
from components.errors import ChronotopeError, DataError, TrainingError
from components.events.tombstones import Tombstones
from components.evolution.anomalies.likelihoods import Likelihoods, likelihoods
from components.evolution.anomalies.report import anomaly_report
from components.evolution.habits.report import habit_report
from components.evolution.interests.report import interest_report
from components.evolution.lifecycle import Lifecycle, lifecycle
from components.evolution.log import Log
from components.evolution.patterns.report import pattern_report
from components.evolution.profiles.report import profile_report
from components.evolution.report import guarded, render, tables
from components.evolution.report.changed import changed
from components.evolution.report.kept import SUMMARY, keep, place_of
from components.evolution.report.summary import summary
from components.evolution.space.report import space_report
from components.evolution.traces.positions import positions_of, read_positions
from components.evolution.traces.report import trace_report
from components.evolution.trends.report import trend_report
from components.features.store import Store
from components.features.time import DAY_S, holidays_of
from components.files import digest_of, read_json, replace_folder, sha256_file, sha256_tree, write_json, write_text
from components.params import Params
from components.stage import run_stage

Record = dict[str, Any]
Progress = Callable[[str], None]
#: Code that findings rest on, below components/.
_CODE = ("params", "files.py", "compiled.py", "features", "evolution", "evolve.py")


def evolve(root: Path, params: Params, progress: Progress | None = None) -> str:
    """Analyse the packed log of a workspace and write `reports/evolution`.

    Parameters
    ----------
    root : the workspace
    params : `evolve`, and `workspace.seed` for every draw
    progress : called with the name of each part before it begins

    Returns
    -------
    str
        What was written, for people.

    Raises
    ------
    DataError
        There is no store of features, or it holds no event.
    """
    tell = progress or (lambda _: None)
    store = Store.load(root / "data" / "features")
    log, asked, seed = Log.of_store(store), params.evolve, params.workspace.seed
    if not log.n_events:
        raise DataError("events in the features", found="none", do="Ingest some days, and run `chronotope features`.")
    tell("life cycle")
    life, why = _life(store, params)
    segment, names = _segments(log, life)
    some, rows = log.sample(asked.most_events, seed)

    def part(name: str, make: Callable[[], Record]) -> Record:
        tell(name)
        try:
            return make()
        except DataError as error:
            return {"missing": str(error)}

    found = {
        "log": _described(log) | {"sampled_users": some.n_users, "sampled_events": some.n_events},
        "lifecycle": why,
        "interests": part("interests", lambda: interest_report(some, segment[rows], names, asked.interests, seed)),
        "habits": part("habits", lambda: habit_report(some, asked.habits, seed)),
        "profiles": part("profiles", lambda: _profiles(some, params)),
        "space": part("space", lambda: space_report(log, asked.space, seed, some)),
        **({"traces": part("traces", lambda: _traces(root, log, params))} if asked.traces.path is not None else {}),
        "patterns": part("patterns", lambda: _patterns(some, params)),
        "anomalies": part(
            "anomalies", lambda: anomaly_report(log, asked.anomalies, _likelihoods(root, log, params), seed)
        ),
        "trends": part("trends", lambda: _trends(log, params)),
    }
    found = guarded(found, asked)
    made = tables(found, life)
    told = summary(found["log"], made, made_of(root, params))
    home, past = root / "reports" / "evolution", root / "reports" / "evolutions"
    told["number"], before = place_of(past, told["made_of"])
    said = [] if before is None else changed(before, told, made, asked.trends.level)
    told["changed"] = [{"text": one.text, "known": one.known} for one in said]
    told["since"] = None if before is None else before["number"]
    if said:
        made |= {"changed": pl.DataFrame(told["changed"])}
    with replace_folder(home) as folder:
        for name, table in made.items():
            write_text(folder / f"{name}.csv", table.write_csv(datetime_format="%Y-%m-%d"))
        write_json(folder / "findings.json", found)
        write_json(folder / SUMMARY, told)
        write_text(folder / "index.html", render(found, life, made, asked, said))
    keep(home, past, told["number"], asked.keep)
    without = [name for name, record in found.items() if "missing" in record]
    return f"reports/evolution/index.html and {len(made)} tables, report {told['number']} ({told['version']})" + (
        f"; the log does not tell of {', '.join(without)}" if without else ""
    )


def made_of(root: Path, params: Params) -> str:
    """Digest of everything that the findings rest on: features, what is asked, files it names, code."""
    asked = params.evolve
    named = [root / one for one in (asked.anomalies.likelihoods, asked.traces.path) if one is not None]
    return digest_of(
        {
            "features": sha256_tree(root / "data" / "features"),
            "asked": asked.model_dump(mode="json"),
            "of_the_log": [params.events.time_kind, params.events.timezone, params.events.country],
            "seed": params.workspace.seed,
            "files": [sha256_file(one) if one.is_file() else sha256_tree(one) for one in named if one.exists()],
            "forgotten": Tombstones.read(root).digest if asked.traces.path is not None else "",
            "code": code_digest(_CODE),
        }
    )


def standing(root: Path, params: Params) -> Record | None:
    """The summary of the report that stands, where nothing it rests on has changed since; None: there is work."""
    try:
        told = read_json(root / "reports" / "evolution" / SUMMARY)
        return dict(told) if told["made_of"] == made_of(root, params) else None
    except (ChronotopeError, KeyError, TypeError):
        return None


def _life(store: Store, params: Params) -> tuple[Lifecycle | None, Record]:
    try:
        life = lifecycle(store, params.evolve.lifecycle, params.workspace.seed)
    except (DataError, TrainingError) as error:
        return None, {"missing": str(error)}
    return life, {"notes": list(life.notes)}


def _segments(log: Log, life: Lifecycle | None) -> tuple[NDArray[np.int64], list[str]]:
    """(U,) segment of each user, and its names: the state of life now, or one for all."""
    if life is None:
        return np.zeros(log.n_users, np.int64), ["all"]
    state = dict(zip(life.users["user_id"].to_list(), life.users["state"].to_list(), strict=True))
    names, segment = np.unique([state.get(user, "without activity") for user in log.users], return_inverse=True)
    return segment.astype(np.int64), names.tolist()


def _likelihoods(root: Path, log: Log, params: Params) -> Likelihoods | None:
    """Log-likelihoods of a model, where a file of them is named."""
    name = params.evolve.anomalies.likelihoods
    if name is None:
        return None
    path = root / name
    if not path.is_file():
        raise DataError("the file that evolve.anomalies.likelihoods names", found=f"none at {name}", do="Correct it.")
    return likelihoods(pl.read_csv(path) if path.suffix == ".csv" else pl.read_parquet(path, glob=False), log)


def _needs_hours(params: Params) -> None:
    if params.events.time_kind != "real":
        raise DataError("times of day", found=f"times that are {params.events.time_kind}", do="Give the events times.")


def _profiles(log: Log, params: Params) -> Record:
    _needs_hours(params)
    return profile_report(log, params.evolve.profiles, params.workspace.seed)


def _patterns(log: Log, params: Params) -> Record:
    _needs_hours(params)
    asked = params.evolve
    return pattern_report(log, asked.patterns, asked.space, _free(log, params), params.workspace.seed)


def _free(log: Log, params: Params) -> NDArray[np.int64]:
    """Public holidays of the years of a log, days since 1970."""
    years = [int(log.local_s[edge].astype("datetime64[s]").astype("datetime64[Y]").astype(int)) + 1970
             for edge in (log.local_s.argmin(), log.local_s.argmax())]  # fmt: skip
    country = params.events.country
    return np.zeros(0, np.int64) if country is None else holidays_of(country, *years)


def _traces(root: Path, log: Log, params: Params) -> Record:
    asked = params.evolve
    rows = Tombstones.read(root).kept(read_positions(root / str(asked.traces.path)))
    zone, seed = params.events.timezone, params.workspace.seed
    return trace_report(positions_of(rows), log, zone, asked.traces, asked.space, seed)


def _trends(log: Log, params: Params) -> Record:
    if params.events.time_kind == "ordinal":
        raise DataError("times", found="an order alone", do="Give the events times.")
    free = _free(log, params)
    return trend_report(log, params.evolve.trends, free, params.events.time_kind == "real", params.workspace.seed)


def _described(log: Log) -> Record:
    first, last = (
        str(np.datetime64(int(day), "D")) for day in (log.local_s.min() // DAY_S, log.local_s.max() // DAY_S)
    )
    return {"users": log.n_users, "events": log.n_events, "first": first, "last": last}


def main(root: Path, params: Params, _options: argparse.Namespace) -> str:
    """The stage as `run_stage` calls it."""
    return evolve(root, params)


if __name__ == "__main__":
    run_stage(main, name="evolve", description="Tell how interests, habits, places and life cycles change.")
