"""Every configuration of the benchmarks is one that today's params allow."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from components.params import NetworkParams, TrainParams, parse_params
from components.presets import preset

CONFIGS = Path(__file__).resolve().parents[3] / "benchmarks" / "configs"
FORMATS = {
    "beauty": "delimited",
    "yelp": "delimited",
    "nyc": "foursquare",
    "cold_nyc": "foursquare",
    "lm_nyc": "foursquare",
    "cold_retail": "online_retail",
    "lm_retail": "online_retail",
    "retail": "online_retail",
    "retail_baskets": "online_retail",
    "ml1m": "sequences",
    "ml100k": "recbole",
    "compression": "recbole",
    "encoders": "recbole",
    "reasons": "recbole",
    "streams": "marked_streams",
    "streams_taobao": "marked_streams",
    "update": "city",
}


def test_every_configuration_is_tried() -> None:
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == {*FORMATS, "training"}


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_configuration_fits_over_the_preset_of_its_log(name: str) -> None:
    changes = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    parse_params(preset(FORMATS[name], changes), name)


def test_the_configuration_of_training_is_whole() -> None:
    record = yaml.safe_load((CONFIGS / "training.yaml").read_text())
    NetworkParams.model_validate(record["network"])
    TrainParams.model_validate(record["loop"])
