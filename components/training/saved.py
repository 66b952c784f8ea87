"""What stands beside the weights of a saved network: `config.json`, read and checked. Never reads the weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.errors import ConfigError, IntegrityError
from components.evaluation.protocol import Protocol
from components.files import read_json
from components.models.config import SequenceConfig
from components.params import NetworkParams, TrainParams
from components.training.calibrate import checked

#: Of the file; another one is refused.
FORMAT = 5


@dataclass(frozen=True)
class Saved:
    """A network's `config.json`.

    Attributes
    ----------
    record : the file as it stands
    name, seed, network, loop, protocol, primary, temperatures, began_with : as `NetworkPredictor` has them
    config : shape of the module
    encoding : part of the encoding → its digest, as it was in training
    """

    record: dict[str, Any]
    name: str
    seed: int
    network: NetworkParams
    loop: TrainParams
    protocol: Protocol
    primary: str
    temperatures: dict[str, float]
    began_with: dict[str, Any] | None
    config: SequenceConfig
    encoding: dict[str, str]


def read_saved(folder: Path, kind: str) -> Saved:
    """Read the `config.json` of a network of this kind.

    Raises
    ------
    IntegrityError
        The file is not what `NetworkPredictor.save` wrote.
    """
    record = read_json(folder / "config.json")
    if not isinstance(record, dict) or record.get("format") != FORMAT or record.get("kind") != kind:
        raise IntegrityError(
            f"a {kind}'s config.json in {folder}",
            found=f"format {record.get('format') if isinstance(record, dict) else record!r}",
            do="Train the model again, or load it with the version that wrote it.",
        )
    try:
        return Saved(
            record=record,
            name=record["name"],
            seed=int(record["seed"]),
            network=NetworkParams.model_validate(record["network"]),
            loop=TrainParams.model_validate(record["loop"]),
            protocol=Protocol(**record["protocol"]),
            primary=record["primary"],
            temperatures=checked(record["temperatures"]),
            began_with=record.get("began_with"),
            config=SequenceConfig.from_json(record["model"]),
            encoding=dict(record["encoding"]),
        )
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise IntegrityError(
            f"a network's config.json in {folder}", found=f"{error!r:.200}", do="Train the model again."
        ) from error
