"""What every baseline is: options of its kind, live popularity, and a folder of plain arrays.

Never here: how a method scores.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from components.errors import ConfigError, IntegrityError, TrainingError
from components.features.encoding import UNKNOWN
from components.features.store import Store
from components.files import read_json, write_json
from components.memory.ask import Events, Floats
from components.memory.counter import checked
from components.memory.tables import read_array, write_array
from components.params import Section
from components.predictor import Capability, Queries, Scores, Tracker, Window

S = TypeVar("S", bound=Section)
_AGAIN = "Train again, or bring the folder back from DVC."


@dataclass(frozen=True)
class Rules:
    """What a baseline is told besides its options.

    Attributes
    ----------
    seed : of its draws
    time_given : whether the time of the answer is known when actions are asked for
    """

    seed: int
    time_given: bool


class Baseline(ABC, Generic[S]):
    """A predictor without a network; `begin`, `learn` and `score` make the method.

    Parameters
    ----------
    name : of the entry in `training.baselines`
    options : of the kind
    rules : seed, and how it will be asked
    """

    kind: ClassVar[str]
    options_type: ClassVar[type[Section]]
    capabilities: frozenset[Capability] = frozenset({"item"})

    def __init__(self, name: str, options: Mapping[str, Any], rules: Rules) -> None:
        self.name, self.rules = name, rules
        self.options: S = read_options(self.options_type, options, name)  # type: ignore[assignment]
        self._count: Floats | None = None
        self.timed = True

    @property
    def count(self) -> Floats:
        """(V,) events of each item.

        Raises
        ------
        TrainingError
            Nothing was fitted or loaded yet.
        """
        if self._count is None:
            raise TrainingError(f"a fitted {self.kind}", found="one that has learned nothing", do="Call `fit`.")
        return self._count

    @property
    def n_items(self) -> int:
        """V, padding and unknown included."""
        return len(self.count)

    @property
    def popularity(self) -> Floats:
        """(V,) (count + 1) / Σ(count + 1); 0 for padding and unknown."""
        share = self.count + 1.0
        share[: UNKNOWN + 1] = 0.0
        return np.asarray(share / share.sum())

    def fit(self, train: Window, tune: Window, tracker: Tracker) -> None:
        """Learn the events of `train`; what has to be chosen is chosen on `tune`."""
        encoding = train.store.encoding
        self._count = np.zeros(encoding.n_items)
        self.timed = encoding.settings.get("time_kind") != "ordinal"
        self.begin(train, tune)
        self.update(train.store, train.events)

    def update(self, store: Store, rows: NDArray[np.int64]) -> None:
        """Learn events that have happened; what has no live counts keeps its weights."""
        events = Events(store, np.asarray(rows, np.int64))
        if len(events.rows):
            np.add.at(self.count, events.item[events.known], 1.0)
            self.learn(events)

    @abstractmethod
    def begin(self, train: Window, tune: Window) -> None:
        """Forget all, and make what does not change after training."""

    def learn(self, events: Events) -> None:
        """Take in events that have happened, where the method has live counts."""
        return

    @abstractmethod
    def score(self, queries: Queries) -> Scores:
        """Answer B queries; see `components.predictor.Scores`."""

    def state(self) -> dict[str, NDArray]:
        """Arrays that hold what was learned."""
        return {"count": self.count, "timed": np.array([float(self.timed)])}

    def restore(self, arrays: Mapping[str, NDArray], where: str) -> None:
        """Take the arrays of `state`; shapes and ranges are checked."""
        count = arrays["count"]
        self._count = checked(count, (len(count),), where)
        self.timed = bool(checked(arrays["timed"], (1,), where)[0])

    def save(self, folder: Path) -> None:
        """Write `config.json` and `baseline/` with one .npy file an array; the same state gives the same bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = self.state()
        for name, array in arrays.items():
            write_array(folder / "baseline" / f"{name}.npy", array)
        record = {"kind": "baseline", "method": self.kind, "name": self.name, "options": self.options.model_dump()}
        more = {"seed": self.rules.seed, "time_given": self.rules.time_given, "arrays": sorted(arrays)}
        write_json(folder / "config.json", record | more)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        IntegrityError
            A file is missing, damaged, or contradicts another.
        """
        record = read_json(folder / "config.json")
        try:
            rules = Rules(int(record["seed"]), bool(record["time_given"]))
            made = cls(str(record["name"]), record["options"], rules)
            made.restore(_Folder(folder / "baseline"), str(folder))
        except (ConfigError, KeyError, TypeError, ValueError) as error:
            raise IntegrityError(
                f"a whole {cls.kind} in {folder}", found=f"{type(error).__name__}: {error}", do=_AGAIN
            ) from error
        return made


class _Folder(dict[str, NDArray]):
    """Arrays of a folder, read when they are asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def __missing__(self, name: str) -> NDArray:
        return read_array(self._folder / f"{name}.npy")


def read_options(kind: type[S], options: Mapping[str, Any], name: str) -> S:
    """Options checked against their record.

    Raises
    ------
    ConfigError
        One is missing, unknown or out of range.
    """
    try:
        return kind.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"a valid option `{key}` at training.baselines.{name}.options",
            found=f"{first['msg']} (got {first['input']!r:.80})",
            do=f"Give {', '.join(sorted(kind.model_fields))}.",
        ) from error
