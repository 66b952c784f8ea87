"""The whole of `params.yaml`: read, checked by section, and checked for agreement between them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from components.errors import ConfigError
from components.params.data import EventParams, FeatureParams, SimulationParams, ValidationParams, WindowParams
from components.params.evolve import EvolveParams
from components.params.experiment import ExperimentParams
from components.params.guard import GuardParams
from components.params.judging import EvaluationParams, GateParams
from components.params.learners import MemoryParams, TrainingParams
from components.params.live import LiveParams
from components.params.search import SearchParams
from components.params.section import Section
from components.params.serving import FlowParams, PolicyParams, ServingParams, UpdateParams


class WorkspaceParams(Section):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")  # also the name in the registry
    seed: int


class Params(Section):
    """The whole file."""

    workspace: WorkspaceParams
    events: EventParams
    simulation: SimulationParams
    validation: ValidationParams
    features: FeatureParams
    windows: WindowParams
    memory: MemoryParams
    training: TrainingParams
    search: SearchParams
    evaluation: EvaluationParams
    gate: GateParams
    policy: PolicyParams
    serving: ServingParams
    live: LiveParams
    guard: GuardParams
    experiment: ExperimentParams
    update: UpdateParams
    evolve: EvolveParams
    flow: FlowParams


def load_params(path: Path) -> Params:
    """Read and check `params.yaml`.

    Raises
    ------
    ConfigError
        The file is missing, is not plain YAML, or a key is missing, unknown or out of range.
    """
    try:
        record = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise ConfigError(
            f"a workspace's {path.name}",
            found=f"no file at {path}",
            do="Run `chronotope init DIR`, or pass its folder.",
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"plain YAML in {path}", found=str(error), do="Mend the file.") from error
    return parse_params(record, str(path))


def parse_params(record: Any, where: str) -> Params:
    """Check a record that was read from `where`."""
    try:
        return Params.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"a valid value at `{key}`", found=f"{first['msg']} (got {first['input']!r:.80}) in {where}", do="Mend it."
        ) from error


def check_agreement(params: Params) -> None:
    """What is trained, judged and served in a workspace must be the same question.

    Raises
    ------
    ConfigError
        Two models have one name, a network is trained for another `target_time` than it is judged by, the service
        keeps less history than a model reads, or ties are shuffled outside a benchmark.
    """
    twice = sorted(set(params.training.compressed) & {*params.training.models, *params.training.mixed})
    if twice:
        raise ConfigError(
            "a name of its own for every model of training",
            found=f"`{twice[0]}` under training.compressed and elsewhere",
            do="Rename one.",
        )
    for name, ensemble in params.training.ensembles.items():
        ranked = sorted(set(ensemble.parts) & set(params.training.rankers))
        if ensemble.learned and ranked:
            raise ConfigError(
                f"`training.ensembles.{name}.method` average or pool, for its part `{ranked[0]}` is a ranker",
                found="stack, which would learn to trust it on the window that it learned itself",
                do="Give the weights.",
            )
    asked = params.evaluation.target_time
    for name, model in params.training.models.items():
        if model.network is not None and model.network.target_time != asked:
            key = f"training.models.{name}.network.target_time"
            raise ConfigError(
                f"`{key}` to be evaluation.target_time",
                found=f"{model.network.target_time}, not {asked}",
                do="Set both alike.",
            )
    reads = {"memory.max_history": params.memory.max_history} | {
        f"training.models.{name}.network.max_history": model.network.max_history
        for name, model in params.training.models.items()
        if model.network is not None
    }
    longest = max(reads, key=lambda key: reads[key])
    if params.serving.history < reads[longest]:
        raise ConfigError(
            f"`serving.history` of at least `{longest}`, so that a model is served what it was judged with",
            found=f"{params.serving.history}, less than {reads[longest]}",
            do="Raise the one or lower the other.",
        )
    if params.evaluation.ties == "shuffled":
        raise ConfigError(
            "evaluation.ties `source` or `basket` in a workspace",
            found="shuffled",
            do="Use `chronotope benchmark --ties shuffled`.",
        )
