"""A model of shapes alone is made in no time: nothing is drawn, and torch's compiler is not loaded for it."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.conftest import ROOT

PROGRAM = """
import sys
from pathlib import Path
from components.models.config import config_of
from components.training.begin import shape_of
from tests.networks import OPTIONS, network_params
from tests.toy import toy_encoding
for kind in OPTIONS:
    wide = kind not in {"seq2seq", "bert"}
    params = network_params(kind, copy_heads=2 * wide, distance=wide)
    model = shape_of(config_of(params, toy_encoding()), Path())
    assert all(weight.device.type == "meta" for weight in model.parameters())
assert "torch._dynamo" not in sys.modules
"""


def test_a_model_of_shapes_does_not_load_the_compiler() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
