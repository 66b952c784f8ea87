"""The append-only log of experiments, `experiments/000001.json …`: one is under way at most.

An entry is created exclusively under the next number: of several workers that turn a challenger off at once, one
writes. A follower pays one listing of the folder when nothing changed. Never here: why a challenger is turned off.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from components.errors import ExperimentError
from components.experiments.plan import Plan
from components.files import create_exclusive, fault, sha256_file
from components.registry.chain import FIRST, Chained, chained, text_of
from components.workspace import Workspace

Kind = Literal["start", "stop", "off"]


class Entry(Chained):
    """A beginning or an end.

    Attributes
    ----------
    kind : start, stop (a person ended it), off (it was turned off by itself: the challenger was surely worse)
    experiment : its name
    challenger : digest; while the experiment is under way, the artifact stays in the workspace
    plan : of a start, else None
    reason : one sentence
    evidence : the figures that an off rests on, else None
    time : UTC, ISO 8601; for people
    """

    kind: Kind
    experiment: str
    challenger: str
    plan: Plan | None
    reason: str
    evidence: dict[str, Any] | None
    time: str


@dataclass(frozen=True)
class Active:
    """The experiment under way and the number of the entry that began it."""

    sequence: int
    plan: Plan


def history(root: Path) -> list[Entry]:
    """All entries, oldest first.

    Raises
    ------
    IntegrityError
        An entry is missing, cannot be read, or was changed after the next one was written.
    """
    return chained(Workspace(root).experiments, Entry, "experiment")


def active(root: Path) -> Active | None:
    """The experiment under way, if one is."""
    return _active(history(root))


def _active(entries: list[Entry]) -> Active | None:
    if not entries or entries[-1].plan is None:
        return None
    return Active(entries[-1].sequence, entries[-1].plan)


def find(root: Path, name: str | None) -> tuple[Plan, Entry | None]:
    """The plan of an experiment (None: the newest) and the entry that ended it, if one did.

    Raises
    ------
    ExperimentError
        There is none.
    """
    entries = history(root)
    for place in range(len(entries) - 1, -1, -1):
        plan = entries[place].plan
        if plan is not None and name in {None, plan.name}:
            return plan, entries[place + 1] if place + 1 < len(entries) else None
    raise ExperimentError(
        "an experiment" if name is None else f"an experiment {name!r:.80}",
        found=f"none in {Workspace(root).experiments}",
        do="Begin one with `chronotope experiment start`.",
    )


def start(root: Path, plan: Plan, reason: str) -> Entry:
    """Begin an experiment.

    Raises
    ------
    ExperimentError
        One is under way, or its name was used before.
    """
    entries = history(root)
    under_way = _active(entries)
    if under_way is not None:
        raise ExperimentError(
            "no other experiment under way",
            found=f"{under_way.plan.name}, since entry {under_way.sequence}",
            do="End it with `chronotope experiment stop`.",
        )
    if plan.name in {entry.experiment for entry in entries}:
        raise ExperimentError(
            "a name of its own", found=f"an earlier experiment {plan.name}", do="Choose another name."
        )
    return _append(root, len(entries), "start", plan, plan, reason, None)


def end(
    root: Path, under_way: Active, kind: Literal["stop", "off"], reason: str, evidence: Mapping[str, Any] | None = None
) -> Entry:
    """End the experiment that `under_way` names.

    Raises
    ------
    ExperimentError
        It has ended already: the log went on since it was read, and nothing is written.
    """
    fault("before-experiment-end")
    return _append(root, under_way.sequence, kind, under_way.plan, None, reason, evidence)


def _append(
    root: Path,
    expected: int,
    kind: Kind,
    of: Plan,
    plan: Plan | None,
    reason: str,
    evidence: Mapping[str, Any] | None,
) -> Entry:
    """Add the entry after `expected`, or refuse: compare and swap."""
    entry = Entry(
        sequence=expected + 1,
        kind=kind,
        experiment=of.name,
        challenger=of.challenger,
        plan=plan,
        reason=reason,
        evidence=None if evidence is None else dict(evidence),
        time=dt.datetime.now(dt.UTC).isoformat("T", "seconds"),
        chain=sha256_file(_path(root, expected)) if expected else FIRST,
    )
    if len(history(root)) != expected or not create_exclusive(_path(root, entry.sequence), text_of(entry)):
        raise ExperimentError(
            f"a log of {expected} entries, as when it was read",
            found=f"{len(history(root))}",
            do="Look again with `chronotope experiment status`.",
        )
    return entry


def _path(root: Path, sequence: int) -> Path:
    return Workspace(root).experiments / f"{sequence:06d}.json"


class Follow:
    """The experiment under way, for somebody who asks often: one listing of a folder while nothing changes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: tuple[str, ...] | None = None
        self._active: Active | None = None

    def active(self) -> Active | None:
        """As `active` of this module.

        Raises
        ------
        IntegrityError
            The log was tampered with; the last known answer is forgotten.
        """
        try:
            names = tuple(sorted(path.name for path in Workspace(self._root).experiments.iterdir()))
        except FileNotFoundError:
            names = ()
        if names != self._names:
            self._names = self._active = None
            self._active, self._names = active(self._root), names
        return self._active
